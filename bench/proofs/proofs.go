// Package proofs measures dispute proofs: the gas of AGNT2StepVerifier.step and the size of its witness for every kind of
// micro-step, beside OP's MIPS step in the same EVM; and how long a prover takes from the dispute of a full block to its
// first move. It runs the contracts' own bytecode in go-ethereum's EVM. Gas is that of the call: a transaction's base gas and
// the gas of calldata come on top (16 a non-zero byte, 4 a zero byte, or the floor of EIP-7623).
//
// Sources: AGNT2 paper App. C.5 (1.1 KB, 30,000 to 80,000 gas).
package proofs

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"

	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/agnt2/genesis"
	"github.com/agnt2/agnt2/agnt2/machine"
	"github.com/agnt2/agnt2/agnt2/machine/machinetest"
	"github.com/agnt2/agnt2/agnt2/vm"
)

// Reach of the steps of INVOKE, RESPOND and COMPOSE at 1,000,000 records, and of the first move.
const (
	reachGas     = 80_000
	reachWitness = 1_536 // bytes of state and proof
	reachMove    = 10 * time.Second
)

// Config of a run.
type Config struct {
	Records  []int // state sizes of the table
	Blocks   int   // random blocks whose micro-steps are measured, for each size
	Txs      int   // transactions of the block whose proof is timed
	Progress io.Writer
}

// DefaultConfig measures at 1,000 and 1,000,000 records.
func DefaultConfig() Config {
	return Config{Records: []int{1_000, 1_000_000}, Blocks: 60, Txs: 20_000, Progress: os.Stderr}
}

// Cost is the most that a micro-step took.
type Cost struct {
	Gas, Witness uint64 // gas of the call; bytes of state and proof
	Steps        int
}

// Row is one kind of micro-step.
type Row struct {
	Name  string
	Costs []Cost // for each size
}

// Report is what a run found.
type Report struct {
	Records []int
	Rows    []Row
	MIPS    []Row // of OP's MIPS contract, one cost each

	Txs                        int
	Steps                      uint64
	Trace, FirstMove, NextMove time.Duration // run the block; until the first claim's hash; another hash far away
}

// Run measures.
func Run(ctx context.Context, cfg Config) (*Report, error) {
	r := &Report{Records: cfg.Records, Txs: cfg.Txs}
	began := time.Now()
	progress := func(format string, a ...any) {
		fmt.Fprintf(cfg.Progress, "[%4.0fs] %s\n", time.Since(began).Seconds(), fmt.Sprintf(format, a...))
	}
	costs := map[vm.Step][]Cost{}
	for i, n := range cfg.Records {
		progress("%d records: %d random blocks", n, cfg.Blocks)
		if err := measure(ctx, cfg, n, func(k vm.Step, gas, witness uint64) {
			for len(costs[k]) <= i {
				costs[k] = append(costs[k], Cost{})
			}
			c := &costs[k][i]
			c.Gas, c.Witness, c.Steps = max(c.Gas, gas), max(c.Witness, witness), c.Steps+1
		}); err != nil {
			return nil, fmt.Errorf("%d records: %w", n, err)
		}
	}
	var kinds []vm.Step
	for k := range costs {
		kinds = append(kinds, k)
	}
	slices.Sort(kinds)
	for _, k := range kinds {
		c := costs[k]
		for len(c) < len(cfg.Records) {
			c = append(c, Cost{})
		}
		r.Rows = append(r.Rows, Row{machine.Name(k), c})
	}
	progress("OP's MIPS")
	var err error
	if r.MIPS, err = mips(); err != nil {
		return nil, fmt.Errorf("MIPS: %w", err)
	}
	progress("a block of %d transactions", cfg.Txs)
	return r, r.timeFirstMove(ctx, cfg.Txs)
}

// measure runs every micro-step of random blocks on L1's bytecode.
func measure(ctx context.Context, cfg Config, records int, add func(k vm.Step, gas, witness uint64)) error {
	for seed := range uint64(worlds) {
		if err := measureWorld(ctx, machinetest.LargeChain(seed+1, (cfg.Blocks+worlds-1)/worlds, records), add); err != nil {
			return err
		}
	}
	return nil
}

// worlds is how many different ones the blocks of a size come from: one alone does not meet every micro-step.
const worlds = 3

func measureWorld(ctx context.Context, w *machinetest.Random, add func(k vm.Step, gas, witness uint64)) error {
	stage, err := newStage(w.Env(0, common.Hash{}))
	if err != nil {
		return err
	}
	for n := range uint64(len(w.L2) - 1) {
		env := w.Env(n, w.Output(n+1))
		t, err := machine.NewTrace(ctx, env, w.L1Source(), w.World)
		if err != nil {
			return fmt.Errorf("block %d: %w", n+1, err)
		}
		for i := range t.Len() {
			e, err := t.Entry(i)
			if err != nil {
				return err
			}
			after, err := t.State(i + 1)
			if err != nil {
				return err
			}
			state := e.State.Encode()
			claim, gas, err := stage.step(env.Game, state, e.Witness)
			if err != nil {
				return fmt.Errorf("block %d, micro-step %d, %s: %w", n+1, i, machine.Name(e.State.Step), err)
			}
			if claim != after.Claim() {
				return fmt.Errorf("block %d, micro-step %d, %s: L1 and the machine differ", n+1, i, machine.Name(e.State.Step))
			}
			add(e.State.Step, gas, uint64(len(state)+len(e.Witness)))
		}
	}
	return nil
}

// timeFirstMove builds a full block of INVOKEs and RESPONDs and times its prover.
func (r *Report) timeFirstMove(ctx context.Context, txs int) error {
	const agents = 200
	w := machinetest.New(2, genesis.DefaultParams(), agents)
	var addrs []common.Address
	for a := range w.Keys {
		addrs = append(addrs, a)
	}
	slices.SortFunc(addrs, func(a, b common.Address) int { return slices.Compare(a[:], b[:]) })
	nonce := map[common.Address]uint64{}
	send := func(b *machinetest.Builder, from common.Address, value uint64, data []byte) (*vm.Result, error) {
		out := b.Send(&abi.Transaction{
			From: from, To: &abi.Address, Nonce: nonce[from], GasLimit: 60_000, FeeCap: *uint256.NewInt(1 << 20), Value: *uint256.NewInt(value), Data: data,
		})
		nonce[from]++
		if out.Outcome != vm.Succeeded {
			return nil, fmt.Errorf("transaction of the full block: %s %v %v", out.Outcome, out.Why, out.Revert)
		}
		return out, nil
	}
	// Accounts of this world hold a fixed sum from genesis; deposits would do the same.
	b := w.NextFunded(1e18)
	for _, a := range addrs {
		c := &abi.RegisterCall{Name: "agent", Capabilities: []abi.Capability{{Name: "work", PriceWei: *uint256.NewInt(1)}}}
		if _, err := send(b, a, 1e16, c.Encode()); err != nil {
			return err
		}
	}
	b.Seal()
	var open []common.Hash
	var callee []common.Address
	fill := func(invokes, responds int) error {
		b := w.Next()
		var ids []common.Hash
		var callees []common.Address
		for i := range max(invokes, responds) {
			if i < responds {
				c := &abi.RespondCall{Id: open[i], ResultHash: common.Hash{1}}
				c.Da.ContentHash = c.ResultHash
				if _, err := send(b, callee[i], 0, c.Encode()); err != nil {
					return err
				}
			}
			if i < invokes {
				from, to := addrs[i%agents], addrs[(i*7+1+i/agents)%agents]
				if from == to {
					to = addrs[(i+1)%agents]
				}
				c := &abi.InvokeCall{
					Salt: common.BigToHash(uint256.NewInt(uint64(len(w.L2))<<32 | uint64(i)).ToBig()), Callee: to,
					Capability: vm.CapabilityID("work"), TtlSeconds: 600, MaxPriceWei: *uint256.NewInt(10),
				}
				out, err := send(b, from, 1e10, c.Encode())
				if err != nil {
					return err
				}
				ids, callees = append(ids, common.BytesToHash(out.Return)), append(callees, to)
			}
		}
		open, callee = ids, callees
		b.Seal()
		return nil
	}
	if err := fill(txs/2, 0); err != nil {
		return err
	}
	if err := fill(txs/2, txs/2); err != nil {
		return err
	}
	last := uint64(len(w.L2) - 1)
	w.Submit(1, last)
	for range machinetest.ProofLag {
		w.AddL1(nil)
	}
	began := time.Now()
	t, err := machine.NewTrace(ctx, w.Env(last-1, common.Hash{1}), w.L1Source(), w)
	if err != nil {
		return err
	}
	r.Trace, r.Steps = time.Since(began), t.Len()
	if _, err := t.State(t.Len() / 2); err != nil { // the root of the lower game is the final state; its first child the middle
		return err
	}
	r.FirstMove = time.Since(began)
	began = time.Now()
	if _, err := t.State(t.Len() / 5); err != nil {
		return err
	}
	r.NextMove = time.Since(began)
	return nil
}

// hasReach: the steps of INVOKE, RESPOND and COMPOSE, except the two whose calldata grows with the graph.
func hasReach(step string) bool {
	switch step {
	case "openArgs", "openInteraction", "queueEntry", "sweepAdvance", "sweepConstituent", "sweepNext":
		return true
	case "composeArgs", "composeLoad":
		return false
	}
	return slices.ContainsFunc([]string{"invoke", "respond", "compose", "cancel", "activate", "settle"}, func(prefix string) bool {
		return strings.HasPrefix(step, prefix)
	})
}

// Print writes the tables.
func (r *Report) Print(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(w, "micro-step\t")
	for _, n := range r.Records {
		fmt.Fprintf(w, "gas at %d records\twitness bytes\t", n)
	}
	fmt.Fprintln(w, "steps seen\treach\t")
	for _, row := range r.Rows {
		fmt.Fprintf(w, "%s\t", row.Name)
		steps := 0
		for _, c := range row.Costs {
			fmt.Fprintf(w, "%d\t%d\t", c.Gas, c.Witness)
			steps += c.Steps
		}
		verdict := ""
		if last := row.Costs[len(row.Costs)-1]; hasReach(row.Name) {
			verdict = "met"
			if last.Gas > reachGas || last.Witness > reachWitness {
				verdict = "missed"
			}
		}
		fmt.Fprintf(w, "%d\t%s\t\n", steps, verdict)
	}
	for _, row := range r.MIPS {
		fmt.Fprintf(w, "%s\t%d\t%d\t\n", row.Name, row.Costs[0].Gas, row.Costs[0].Witness)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	verdict := "met"
	if r.FirstMove > reachMove {
		verdict = "missed"
	}
	_, err := fmt.Fprintf(out, "\nblock of %d transactions, %d micro-steps: traced in %.2f s, first move after %.2f s (reach %.0f s: %s), another move %.2f s\n",
		r.Txs, r.Steps, r.Trace.Seconds(), r.FirstMove.Seconds(), reachMove.Seconds(), verdict, r.NextMove.Seconds())
	return err
}
