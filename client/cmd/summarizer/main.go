// Command summarizer is an example agent that sells text.summarize: a plain HTTP service that knows nothing of the chain,
// and an agent loop that answers INVOKEs by calling it. The service is an extractive summariser; nothing is canned.
package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/urfave/cli/v2"

	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/client"
	"github.com/agnt2/agnt2/client/cmd/internal/process"
)

const (
	capability      = "text.summarize"
	maxRequestBytes = 1 << 20
	maxSentences    = 50
	requestTimeout  = 10 * time.Second
)

// request and answer are the service's API, and so the params and the result of an INVOKE.
type request struct {
	Text      string `json:"text"`
	Sentences int    `json:"sentences"` // to keep; 0: 3
}

type answer struct {
	Summary   string `json:"summary"`
	Sentences int    `json:"sentences"` // kept
	Of        int    `json:"of"`
}

func main() {
	process.Run(&cli.App{
		Name: "summarizer", Usage: "an agent that sells " + capability,
		Flags: []cli.Flag{
			process.RPCFlag, process.DAFlag, process.KeyFlag, process.StakeFlag, process.JSONFlag,
			&cli.StringFlag{Name: "http", Value: "127.0.0.1:0", Usage: "address of the HTTP service"},
			&cli.BoolFlag{Name: "until-stdin-closes", Usage: "end when standard input does, and so with the parent process"},
			&cli.StringFlag{Name: "price", Value: "1000000000000000", Usage: "price of a call in wei"},
		},
		Action: run,
	})
}

func run(c *cli.Context) error {
	ctx := c.Context
	out := &process.Printer{JSON: c.Bool("json"), Out: os.Stdout}
	price, err := process.Wei(c, "price")
	if err != nil {
		return err
	}
	stake, err := process.Wei(c, "stake")
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", c.String("http"))
	if err != nil {
		return err
	}
	service := &http.Server{Handler: newService(), ReadTimeout: requestTimeout, WriteTimeout: requestTimeout, MaxHeaderBytes: 16 << 10}
	defer service.Close()
	serviceEnded := make(chan error, 1)
	go func() { serviceEnded <- service.Serve(listener) }()
	url := "http://" + listener.Addr().String() + "/summarize"

	cl, account, err := process.Connect(c)
	if err != nil {
		return err
	}
	defer cl.Close()
	digest, err := ownDigest()
	if err != nil {
		return err
	}
	offer := abi.Capability{Name: capability, Endpoint: url, LatencyMsP99: 2000, Class: uint8(client.ClassCompute)}
	if offer.PriceWei.SetFromBig(price) {
		return fmt.Errorf("price %v is out of range", price)
	}
	started := time.Now()
	sent, err := process.Ensure(ctx, cl, account, client.Registration{
		Name: "summarizer", Version: "1", ImageDigest: digest, Capabilities: []abi.Capability{offer}, StakeWei: stake,
	})
	if err != nil {
		return err
	}
	out.Print(process.Event{Event: "ready", Agent: account.Address(), HTTP: url, Txs: process.Hashes(sent), LatencyMs: process.Since(started)},
		"agent %v sells %s for %v wei; HTTP service at %s", account.Address(), capability, price, url)

	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	go func() { stop(fmt.Errorf("HTTP service: %w", <-serviceEnded)) }()
	if c.Bool("until-stdin-closes") {
		go func() {
			_, _ = io.Copy(io.Discard, os.Stdin)
			stop(context.Canceled)
		}()
	}
	err = account.Serve(ctx, capability, callService(url), client.ServeOptions{
		Attest: true, ImageDigest: digest,
		OnSettled: func(call abi.InvokedEvent, status client.ResponseStatus, receipt *types.Receipt, err error) {
			e := process.Event{Event: "responded", ID: call.Id, Status: status.String()}
			if receipt != nil {
				e.Tx, e.Block = receipt.TxHash, receipt.BlockNumber.Uint64()
			}
			if err != nil {
				e.Status = err.Error()
			}
			out.Print(e, "answered %v: %v", call.Id, e.Status)
		},
	})
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) {
		return cmp.Or(cause, err)
	}
	return nil
}

// newService is the HTTP side: POST /summarize.
func newService() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /summarize", func(w http.ResponseWriter, r *http.Request) {
		var q request
		dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxRequestBytes))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&q); err != nil {
			http.Error(w, "the body is not {text, sentences}: "+err.Error(), http.StatusBadRequest)
			return
		}
		if q.Sentences == 0 {
			q.Sentences = 3
		}
		if q.Sentences < 0 || q.Sentences > maxSentences || q.Text == "" {
			http.Error(w, fmt.Sprintf("text must not be empty, sentences must be 1 to %d", maxSentences), http.StatusBadRequest)
			return
		}
		kept := Summarize(q.Text, q.Sentences)
		var summary bytes.Buffer
		for i, s := range kept {
			if i > 0 {
				summary.WriteByte(' ')
			}
			summary.WriteString(s)
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(answer{Summary: summary.String(), Sentences: len(kept), Of: len(splitSentences(q.Text))})
	})
	return mux
}

// callService is the agent's handler: the params are the request's body, the answer's body is the result.
func callService(url string) client.Handler {
	hc := &http.Client{Timeout: requestTimeout}
	return func(ctx context.Context, params []byte) ([]byte, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(params))
		if err != nil {
			return nil, err
		}
		req.Header.Set("Content-Type", "application/json")
		res, err := hc.Do(req)
		if err != nil {
			return nil, err
		}
		defer res.Body.Close()
		body, err := io.ReadAll(io.LimitReader(res.Body, client.MaxPayloadBytes))
		switch {
		case err != nil:
			return nil, err
		case res.StatusCode == http.StatusBadRequest:
			return nil, fmt.Errorf("%w: %s", client.ErrParams, bytes.TrimSpace(body))
		case res.StatusCode != http.StatusOK:
			return nil, fmt.Errorf("service: %s: %s", res.Status, bytes.TrimSpace(body))
		}
		return body, nil
	}
}

// ownDigest is the SHA-256 of this program, in place of a container image's digest.
func ownDigest() (d common.Hash, err error) {
	path, err := os.Executable()
	if err != nil {
		return d, err
	}
	f, err := os.Open(path)
	if err != nil {
		return d, err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return d, err
	}
	return common.BytesToHash(h.Sum(nil)), nil
}
