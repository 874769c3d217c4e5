package main

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"os"
	"strings"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/urfave/cli/v2"

	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/client"
	"github.com/agnt2/agnt2/client/cmd/internal/process"
)

const (
	composeTTL   = 5 * time.Minute
	callTTL      = 40 * time.Second
	longPage     = 1 // branch of the fetcher: the page is long, and needs a brief
	pollComposed = 200 * time.Millisecond
)

func composeCommand() *cli.Command {
	return &cli.Command{
		Name: "compose", Usage: "a pipeline of agents with a branch is paid as a whole, and one that fails is clawed back",
		Description: "Composes calls of four new agents on a running devnet, answers for them, and checks every amount.",
		Flags: []cli.Flag{
			process.RPCFlag, process.DAFlag, process.JSONFlag,
			&cli.StringFlag{Name: "data", EnvVars: []string{"AGNT2_DEVNET_DATA"}, Value: "devnet/.data", Usage: "the devnet's data directory"},
			&cli.DurationFlag{Name: "timeout", Value: 4 * time.Minute, Usage: "time for everything"},
			&cli.StringFlag{Name: "initiator", Value: "agent3", Usage: "name in keys.json of the agent that composes"},
		},
		Action: runCompose,
	}
}

// composing is one run.
type composing struct {
	*report
	c         *client.Client
	initiator party
	agents    []party // fetcher, brief, full, publisher
}

func runCompose(cc *cli.Context) error {
	ctx, cancel := context.WithTimeout(cc.Context, cc.Duration("timeout"))
	defer cancel()
	files, err := readDevnet(cc.String("data"))
	if err != nil {
		return err
	}
	key, ok := files.keys[cc.String("initiator")]
	if !ok {
		return fmt.Errorf("keys.json has no account %q", cc.String("initiator"))
	}
	d := &composing{report: &report{out: os.Stdout, json: cc.Bool("json")}}
	if d.c, err = client.Dial(ctx, client.Config{RPC: cc.String("rpc"), DAURL: cc.String("da")}); err != nil {
		return err
	}
	defer d.c.Close()
	d.initiator = party{name: "initiator", account: d.c.Account(key)}
	started := time.Now()
	for _, step := range []func(context.Context) error{d.setUp, d.commits, d.reverts} {
		if err := step(ctx); err != nil {
			return fmt.Errorf("%s: %w", strings.ToLower(d.step), err)
		}
	}
	if len(d.failed) > 0 {
		return fmt.Errorf("%d of %d checks failed:\n  %s", len(d.failed), d.checks, strings.Join(d.failed, "\n  "))
	}
	if !d.json {
		fmt.Fprintf(d.out, "\nAll %d checks hold. %s\n", d.checks, seconds(time.Since(started)))
	}
	return nil
}

// setUp funds and registers four new agents, each with one capability of its own name.
func (d *composing) setUp(ctx context.Context) error {
	d.begin("Four new agents")
	for _, name := range []string{"fetcher", "brief", "full", "publisher"} {
		key, err := crypto.GenerateKey()
		if err != nil {
			return err
		}
		p := party{name: name, account: d.c.Account(key)}
		if _, err := d.initiator.account.Transfer(ctx, p.account.Address(), sleeperFunds); err != nil {
			return err
		}
		offer := abi.Capability{Name: "demo." + name, LatencyMsP99: 1000}
		if offer.PriceWei.SetFromBig(price) {
			return fmt.Errorf("price %v is out of range", price)
		}
		r, err := p.account.Register(ctx, client.Registration{Name: name, Version: "1", Capabilities: []abi.Capability{offer}, StakeWei: stake})
		if err != nil {
			return err
		}
		d.row(name, "%v   block %v", p.account.Address(), r.BlockNumber)
		d.agents = append(d.agents, p)
	}
	return nil
}

func (d *composing) call(i int) client.Call {
	p := d.agents[i]
	return client.Call{Callee: p.account.Address(), Capability: "demo." + p.name, Template: []byte("do your part: " + p.name), PaymentWei: price, TTL: callTTL}
}

// ledger is what everybody has, and what they pay in fees meanwhile.
type ledger struct {
	balances []*big.Int // initiator, then agents
	fees     []*big.Int
}

func (d *composing) everyone() []party { return append([]party{d.initiator}, d.agents...) }

func (d *composing) ledger(ctx context.Context) (l ledger, err error) {
	for _, p := range d.everyone() {
		b, err := d.c.Balance(ctx, p.account.Address())
		if err != nil {
			return l, err
		}
		l.balances, l.fees = append(l.balances, b), append(l.fees, new(big.Int))
	}
	return l, nil
}

func (l *ledger) paid(who int, receipts ...*types.Receipt) {
	for _, r := range receipts {
		l.fees[who].Add(l.fees[who], client.Fee(r))
	}
}

// settle compares balances with what they should have changed by, beside fees.
func (d *composing) settle(ctx context.Context, l *ledger, changes ...*big.Int) error {
	now, err := d.ledger(ctx)
	if err != nil {
		return err
	}
	for i, p := range d.everyone() {
		d.equal(p.name+"'s balance changed by", sub(now.balances[i], l.balances[i]), sub(changes[i], l.fees[i]))
	}
	return nil
}

// until polls the composition.
func (d *composing) until(ctx context.Context, id common.Hash, what func(*abi.CompositionView) bool) (*abi.CompositionView, error) {
	for {
		v, err := d.c.Composition(ctx, id)
		if err != nil {
			return nil, err
		}
		if what(v) {
			return v, nil
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(pollComposed):
		}
	}
}

// invoked waits until constituent i is called, and shows what its params are made of.
func (d *composing) invoked(ctx context.Context, id common.Hash, i int, name string) (common.Hash, error) {
	v, err := d.until(ctx, id, func(v *abi.CompositionView) bool {
		return v.Constituents[i].InteractionId != common.Hash{} || client.CompositionStatus(v.Status) != client.CompositionActive
	})
	if err != nil {
		return common.Hash{}, err
	}
	interaction := v.Constituents[i].InteractionId
	if interaction == (common.Hash{}) {
		return interaction, errors.New(name + " was never called")
	}
	_, results, err := d.c.Inputs(ctx, interaction)
	if err != nil {
		return interaction, err
	}
	d.check(true, name+" is called", "%v, with %d result(s) of others", interaction, len(results))
	return interaction, nil
}

func (d *composing) answer(ctx context.Context, l *ledger, id common.Hash, i, agent int, result string, branch uint32) (*client.Answer, error) {
	p := d.agents[agent]
	interaction, err := d.invoked(ctx, id, i, p.name)
	if err != nil {
		return nil, err
	}
	a, err := p.account.Answer(ctx, interaction, []byte(result), branch)
	if err != nil {
		return nil, err
	}
	l.paid(1+agent, a.Receipts...)
	shown, err := d.c.Interaction(ctx, interaction)
	if err != nil {
		return nil, err
	}
	d.check(shown.ResultHash == common.Hash{}, "its result is hidden", "status %v", client.InteractionStatus(shown.Status))
	return a, nil
}

// commits runs fetcher → brief or full → publisher.
func (d *composing) commits(ctx context.Context) error {
	d.begin("A pipeline with a branch, all or nothing")
	l, err := d.ledger(ctx)
	if err != nil {
		return err
	}
	x, err := d.initiator.account.Compose(ctx, client.NewComposition(client.CompositionOptions{Atomic: true, TTL: composeTTL}).
		Call("fetch", d.call(0)).
		Call("brief", d.call(1).After("fetch").If("fetch", longPage)).
		Call("full", d.call(2).After("fetch").Unless("fetch", longPage)).
		Call("publish", d.call(3).After("brief", "full")))
	if err != nil {
		return err
	}
	l.paid(0, x.Receipt)
	d.row("COMPOSE", "%v   block %v   gas %d", x.Receipt.TxHash, x.Receipt.BlockNumber, x.Receipt.GasUsed)
	d.equal("escrow", x.Event.TotalWei.ToBig(), new(big.Int).Mul(price, big.NewInt(4)))
	if _, err := d.answer(ctx, &l, x.ID, 0, 0, "a long page", longPage); err != nil {
		return err
	}
	if _, err := d.answer(ctx, &l, x.ID, 1, 1, "its brief", 0); err != nil {
		return err
	}
	last, err := d.answer(ctx, &l, x.ID, 3, 3, "published", 0)
	if err != nil {
		return err
	}
	v, err := x.Wait(ctx)
	if err != nil {
		return err
	}
	d.check(client.CompositionStatus(v.Status) == client.CompositionCommitted, "outcome", "%v", client.CompositionStatus(v.Status))
	d.check(v.Constituents[2].InteractionId == common.Hash{}, "the other branch", "was never called")
	before := len(last.Receipts)
	if err := d.agents[3].account.Open(ctx, last); err != nil {
		return err
	}
	l.paid(4, last.Receipts[before:]...)
	if v, err = d.until(ctx, x.ID, func(v *abi.CompositionView) bool { return v.EscrowWei.IsZero() }); err != nil {
		return err
	}
	d.check(v.Constituents[3].ResultHash == last.ResultHash, "the results are readable now", "%v", last.ResultHash)
	three := new(big.Int).Mul(price, big.NewInt(-3))
	return d.settle(ctx, &l, three, price, price, new(big.Int), price)
}

// reverts runs fetcher → brief, and the second one fails.
func (d *composing) reverts(ctx context.Context) error {
	d.begin("The same with a failure: nobody is paid")
	l, err := d.ledger(ctx)
	if err != nil {
		return err
	}
	standing := map[int]*abi.ReputationView{}
	for _, i := range []int{0, 1} {
		if standing[i], err = d.c.Reputation(ctx, d.agents[i].account.Address()); err != nil {
			return err
		}
	}
	x, err := d.initiator.account.Compose(ctx, client.NewComposition(client.CompositionOptions{Atomic: true, TTL: composeTTL}).
		Call("fetch", d.call(0)).
		Call("brief", d.call(1).After("fetch")))
	if err != nil {
		return err
	}
	l.paid(0, x.Receipt)
	d.row("COMPOSE", "%v   block %v   gas %d", x.Receipt.TxHash, x.Receipt.BlockNumber, x.Receipt.GasUsed)
	if _, err := d.answer(ctx, &l, x.ID, 0, 0, "another page", longPage); err != nil {
		return err
	}
	v, err := d.until(ctx, x.ID, func(v *abi.CompositionView) bool { return !v.OwedWei.IsZero() })
	if err != nil {
		return err
	}
	d.equal("fetcher's provisional credit", v.OwedWei.ToBig(), price)
	interaction, err := d.invoked(ctx, x.ID, 1, "brief")
	if err != nil {
		return err
	}
	failed, err := d.agents[1].account.Respond(ctx, client.Response{ID: interaction, Status: client.StatusError})
	if err != nil {
		return err
	}
	l.paid(2, failed)
	if v, err = x.Wait(ctx); err != nil {
		return err
	}
	culprit := d.agents[1].account.Address()
	d.check(client.CompositionStatus(v.Status) == client.CompositionReverted && v.Culprit == culprit, "outcome", "%v, because of %v", client.CompositionStatus(v.Status), v.Culprit)
	if _, err = d.until(ctx, x.ID, func(v *abi.CompositionView) bool { return v.EscrowWei.IsZero() }); err != nil {
		return err
	}
	if err := d.settle(ctx, &l, new(big.Int), new(big.Int), new(big.Int), new(big.Int), new(big.Int)); err != nil {
		return err
	}
	fetcher, err := d.c.Reputation(ctx, d.agents[0].account.Address())
	if err != nil {
		return err
	}
	d.check(*fetcher == *standing[0], "fetcher's reputation", "unchanged, %d completed", fetcher.Completed)
	r, err := d.c.Reputation(ctx, culprit)
	if err != nil {
		return err
	}
	d.check(r.PenaltyUnits == standing[1].PenaltyUnits && r.Errors == standing[1].Errors && r.Aborts == standing[1].Aborts+1,
		"the culprit's reputation", "unscored, aborts %d → %d", standing[1].Aborts, r.Aborts)
	return nil
}
