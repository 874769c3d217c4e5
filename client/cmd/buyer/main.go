// Command buyer is an example agent that buys a service: it finds an agent by capability, calls it with escrowed payment,
// waits for the outcome, checks the result against its hash on the chain, and prints it. It exits with 0 if it got a
// result, with 3 if the call ended without one and the payment came back, and with 1 if anything failed.
package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/big"
	"os"
	"slices"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/urfave/cli/v2"

	"github.com/agnt2/agnt2/client"
	"github.com/agnt2/agnt2/client/cmd/internal/process"
)

// exitNoResult is the exit code of a call that was refunded.
const exitNoResult = 3

const maxTextBytes = 512 << 10

func main() {
	process.Run(&cli.App{
		Name: "buyer", Usage: "an agent that buys one call of a capability",
		Flags: []cli.Flag{
			process.RPCFlag, process.DAFlag, process.KeyFlag, process.StakeFlag, process.JSONFlag,
			&cli.StringFlag{Name: "capability", Value: "text.summarize", Usage: "what to buy"},
			&cli.StringFlag{Name: "max-price", Value: "10000000000000000", Usage: "highest price to pay, in wei"},
			&cli.StringFlag{Name: "prefer", Usage: "address of the agent to buy from if it offers the capability; otherwise the best score, then the lowest price"},
			&cli.StringFlag{Name: "text", Usage: "file with the text to send; - is standard input", Value: "-"},
			&cli.IntFlag{Name: "sentences", Value: 3, Usage: "length of the summary to ask for"},
			&cli.DurationFlag{Name: "ttl", Value: time.Minute, Usage: "time that the callee has to answer"},
			&cli.DurationFlag{Name: "timeout", Value: 3 * time.Minute, Usage: "time to wait for the outcome"},
		},
		Action: run,
	})
}

func run(c *cli.Context) error {
	ctx, cancel := context.WithTimeout(c.Context, c.Duration("timeout"))
	defer cancel()
	out := &process.Printer{JSON: c.Bool("json"), Out: os.Stdout}
	maxPrice, err := process.Wei(c, "max-price")
	if err != nil {
		return err
	}
	stake, err := process.Wei(c, "stake")
	if err != nil {
		return err
	}
	text, err := readText(c.String("text"))
	if err != nil {
		return err
	}
	cl, account, err := process.Connect(c)
	if err != nil {
		return err
	}
	defer cl.Close()

	started := time.Now()
	sent, err := process.Ensure(ctx, cl, account, client.Registration{Name: "buyer", Version: "1", StakeWei: stake})
	if err != nil {
		return err
	}
	out.Print(process.Event{Event: "ready", Agent: account.Address(), Txs: process.Hashes(sent), LatencyMs: process.Since(started)}, "agent %v buys %s", account.Address(), c.String("capability"))

	started = time.Now()
	providers, err := cl.Discover(ctx, client.Query{Capability: c.String("capability"), Terms: client.Terms{MaxPriceWei: maxPrice}})
	if err != nil {
		return err
	}
	seller, ok := choose(providers, account.Address(), common.HexToAddress(c.String("prefer")), maxPrice)
	if !ok {
		return fmt.Errorf("none of %d agents offers %s for at most %v wei", len(providers), c.String("capability"), maxPrice)
	}
	price := seller.PriceWei.ToBig()
	out.Print(process.Event{Event: "found", Agent: seller.Agent, Providers: len(providers), Score: uint64(seller.Score), Payment: price.String(), LatencyMs: process.Since(started)},
		"found %d providers, chose %v at %v wei, score %v/10000", len(providers), seller.Agent, price, seller.Score)

	params, err := json.Marshal(map[string]any{"text": text, "sentences": c.Int("sentences")})
	if err != nil {
		return err
	}
	started = time.Now()
	call, err := account.Invoke(ctx, client.InvokeRequest{
		Callee: seller.Agent, Capability: c.String("capability"), Params: params, PaymentWei: price, MaxPriceWei: maxPrice, TTL: c.Duration("ttl"),
	})
	if err != nil {
		return err
	}
	out.Print(process.Event{Event: "invoked", ID: call.ID, Tx: call.Receipt.TxHash, Block: call.Receipt.BlockNumber.Uint64(), Payment: price.String(), Params: call.Event.ParamsHash, LatencyMs: process.Since(started)},
		"invoked %v in block %v, %v wei in escrow", call.ID, call.Receipt.BlockNumber, price)

	r, err := call.Wait(ctx)
	if err != nil {
		return err
	}
	// Wait has checked the payload against the hash on the chain.
	e := process.Event{
		Event: "settled", ID: r.ID, Tx: r.TxHash, Block: r.BlockNumber, Status: r.Status.String(), Paid: r.PaidWei.String(), Refunded: r.RefundedWei.String(),
		Result: r.ResultHash, Payload: string(r.Payload), LatencyMs: process.Since(started),
	}
	out.Print(e, "%v: paid %v wei, refunded %v wei, result %v\n%s", r.Status, r.PaidWei, r.RefundedWei, r.ResultHash, r.Payload)
	if err := r.Err(); err != nil {
		return cli.Exit(err, exitNoResult)
	}
	return nil
}

// choose takes the preferred agent if it is there, else the best score, then the lowest price, then the lowest address.
func choose(ps []client.Provider, self, preferred common.Address, maxPrice *big.Int) (best client.Provider, ok bool) {
	ps = slices.DeleteFunc(slices.Clone(ps), func(p client.Provider) bool {
		return p.Agent == self || p.CommitRequired || p.PriceWei.ToBig().Cmp(maxPrice) > 0
	})
	if len(ps) == 0 {
		return best, false
	}
	for _, p := range ps {
		if p.Agent == preferred {
			return p, true
		}
	}
	return slices.MinFunc(ps, func(a, b client.Provider) int {
		return cmp.Or(cmp.Compare(b.Score, a.Score), a.PriceWei.Cmp(&b.PriceWei), a.Agent.Cmp(b.Agent))
	}), true
}

func readText(path string) (string, error) {
	f := os.Stdin
	if path != "-" {
		var err error
		if f, err = os.Open(path); err != nil {
			return "", err
		}
		defer f.Close()
	}
	b, err := io.ReadAll(io.LimitReader(f, maxTextBytes+1))
	if err == nil && len(b) > maxTextBytes {
		err = fmt.Errorf("text is longer than %d bytes", maxTextBytes)
	}
	return string(b), err
}
