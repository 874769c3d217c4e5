package challenger

import (
	"context"
	"fmt"
	"io"
	"math/big"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/ethereum-optimism/optimism/op-challenger/game/fault/contracts"
	"github.com/ethereum-optimism/optimism/op-challenger/game/fault/types"
	gameTypes "github.com/ethereum-optimism/optimism/op-challenger/game/types"
	"github.com/ethereum-optimism/optimism/op-service/eth"
	"github.com/ethereum-optimism/optimism/op-service/sources/batching/rpcblock"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/log"
)

// ListGames prints the factory's games of the last window, oldest first. With a rollup node it says what that node thinks of
// each.
func ListGames(ctx context.Context, w io.Writer, l log.Logger, m *Metrics, c *Clients, factory common.Address, gameType uint32, window time.Duration) error {
	f, err := contracts.NewDisputeGameFactoryContract(ctx, m, factory, c.Caller)
	if err != nil {
		return fmt.Errorf("game factory %s: %w", factory, err)
	}
	head, err := c.L1.BlockRefByLabel(ctx, eth.Unsafe)
	if err != nil {
		return fmt.Errorf("L1 head: %w", err)
	}
	games, err := f.GetGamesAtOrAfter(ctx, head.Hash, head.Time-min(head.Time, uint64(window.Seconds())))
	if err != nil {
		return fmt.Errorf("list games: %w", err)
	}
	var b *board
	if c.Rollup != nil {
		if b, err = c.board(ctx, l, m, nil); err != nil {
			return err
		}
	}
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "INDEX\tGAME\tCREATED\tBLOCKS\tROOT CLAIM\tCLAIMS\tSTATUS\tOPINION")
	for i := len(games) - 1; i >= 0; i-- {
		g := games[i]
		if g.GameType != gameType {
			fmt.Fprintf(tw, "%d\t%s\t%s\ttype %d is not played\n", g.Index, g.Proxy, created(g.Timestamp), g.GameType)
			continue
		}
		contract, err := contracts.NewFaultDisputeGameContract(ctx, m, g.Proxy, c.Caller)
		if err != nil {
			return fmt.Errorf("game %s: %w", g.Proxy, err)
		}
		meta, err := contract.GetMetadata(ctx, rpcblock.Latest)
		if err != nil {
			return fmt.Errorf("game %s: %w", g.Proxy, err)
		}
		first, claimed, err := contract.GetGameRange(ctx)
		if err != nil {
			return fmt.Errorf("game %s: %w", g.Proxy, err)
		}
		n, err := contract.GetClaimCount(ctx)
		if err != nil {
			return fmt.Errorf("game %s: %w", g.Proxy, err)
		}
		opinion := "no rollup node"
		if b != nil {
			opinion = b.opinion(ctx, g.Proxy)
		}
		fmt.Fprintf(tw, "%d\t%s\t%s\t%d–%d\t%s\t%d\t%s\t%s\n", g.Index, g.Proxy, created(g.Timestamp), first, claimed, meta.ProposedRoot, n, meta.Status, opinion)
	}
	return tw.Flush()
}

func created(unix uint64) string { return time.Unix(int64(unix), 0).UTC().Format(time.DateTime) }

// opinion is this node's, in words.
func (b *board) opinion(ctx context.Context, addr common.Address) string {
	g, err := b.open(ctx, addr)
	if err == nil {
		var ok bool
		if ok, err = b.agrees(ctx, g); err == nil {
			if ok {
				return "right"
			}
			return "wrong"
		}
	}
	return "unknown: " + err.Error()
}

// ListClaims prints the claims of a game.
func ListClaims(ctx context.Context, w io.Writer, l log.Logger, m *Metrics, c *Clients, addr common.Address) error {
	b := &board{log: l, m: m, caller: c.Caller, l1: c.L1}
	g, err := b.open(ctx, addr)
	if err != nil {
		return err
	}
	status, err := g.contract.GetStatus(ctx)
	if err != nil {
		return err
	}
	challenged, err := g.contract.IsL2BlockNumberChallenged(ctx, rpcblock.Latest)
	if err != nil {
		return err
	}
	claims, err := g.contract.GetAllClaims(ctx, rpcblock.Latest)
	if err != nil {
		return err
	}
	maxClock, err := g.contract.GetMaxClockDuration(ctx)
	if err != nil {
		return err
	}
	head, err := c.L1.BlockRefByLabel(ctx, eth.Unsafe)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "game %s   blocks %d–%d   L1 head %s   depth %d, outputs to %d\nstatus %s   if nobody moves again: %s", addr, g.first, g.claimed,
		g.l1Head, g.maxDepth, g.splitDepth, status, forecast(claims, challenged))
	if challenged {
		fmt.Fprint(w, "   block number disproved")
	}
	fmt.Fprint(w, "\n\n")
	state := types.NewGameState(claims, g.maxDepth)
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "CLAIM\tMOVE\tON\tDEPTH\tINDEX\tVALUE\tCLAIMANT\tBOND\tTIME LEFT TO ANSWER\tCOUNTERED BY")
	for _, c := range claims {
		move, on := "attack", fmt.Sprint(c.ParentContractIndex)
		switch {
		case c.IsRoot():
			move, on = "root", "–"
		case state.DefendsParent(c):
			move = "defend"
		}
		var index string
		if c.Depth() <= g.splitDepth {
			// The root claim, and what is right of it, is about the claimed block.
			block := new(big.Int).Add(c.TraceIndex(g.splitDepth), new(big.Int).SetUint64(g.first+1))
			if last := new(big.Int).SetUint64(g.claimed); block.Cmp(last) > 0 {
				block = last
			}
			index = "block " + block.String()
		} else if rel, err := c.Position.RelativeToAncestorAtDepth(g.splitDepth + 1); err == nil {
			index = "step " + rel.TraceIndex(g.maxDepth-g.splitDepth-1).String()
		}
		left := "–"
		if status == gameTypes.GameStatusInProgress {
			left = max(0, maxClock-state.ChessClock(time.Unix(int64(head.Time), 0), c)).String()
		}
		by := "–"
		if c.CounteredBy != (common.Address{}) {
			by = c.CounteredBy.Hex()
		}
		fmt.Fprintf(tw, "%d\t%s\t%s\t%d\t%s\t%s\t%s\t%.4f\t%s\t%s\n", c.ContractIndex, move, on, c.Depth(), index, c.Value, c.Claimant,
			eth.WeiToEther(c.Bond), left, by)
	}
	return tw.Flush()
}

// statusName is the machine status of a state hash.
func statusName(h common.Hash) string {
	switch h[0] {
	case StatusValid:
		return "valid"
	case StatusInvalid:
		return "invalid"
	case StatusUnfinished:
		return "unfinished"
	}
	return fmt.Sprintf("status %d", h[0])
}

// Dispute names the block whose trace is looked at, outside of a game or as a game sees it.
type Dispute struct {
	Block    uint64          // L2 block to prove
	Game     *common.Address // whose L1 head and claimed block count; nil: L1Head, and Block itself
	L1Head   common.Hash     // zero: L1's latest block
	Disputed common.Hash     // output root; zero: the node's own
}

// Trace lays out the block of d.
func (c *Clients) Trace(ctx context.Context, l log.Logger, m *Metrics, prover Prover, d Dispute) (Trace, TraceInputs, error) {
	in := TraceInputs{AgreedBlock: d.Block - 1, ClaimedBlock: d.Block, L1Head: d.L1Head, Disputed: d.Disputed}
	if d.Block == 0 {
		return nil, in, fmt.Errorf("%w: block 0 is the genesis, which is not proven", ErrConfig)
	}
	b, err := c.board(ctx, l, m, prover)
	if err != nil {
		return nil, in, err
	}
	in.ChainID = b.chainID
	if d.Game != nil {
		g, err := b.open(ctx, *d.Game)
		if err != nil {
			return nil, in, err
		}
		in.Game, in.ClaimedBlock, in.L1Head = g.addr, g.claimed, g.l1Head.Hash
	} else if in.L1Head == (common.Hash{}) {
		head, err := c.L1.BlockRefByLabel(ctx, eth.Unsafe)
		if err != nil {
			return nil, in, fmt.Errorf("L1 head: %w", err)
		}
		in.L1Head = head.Hash
	}
	agreed, err := c.Rollup.OutputAtBlock(ctx, in.AgreedBlock)
	if err != nil {
		return nil, in, fmt.Errorf("output of block %d: %w", in.AgreedBlock, err)
	}
	in.Agreed = common.Hash(agreed.OutputRoot)
	if in.Disputed == (common.Hash{}) {
		own, err := c.Rollup.OutputAtBlock(ctx, d.Block)
		if err != nil {
			return nil, in, fmt.Errorf("output of block %d: %w", d.Block, err)
		}
		in.Disputed = common.Hash(own.OutputRoot)
	}
	t, err := prover.NewTrace(ctx, in)
	if err != nil {
		return nil, in, fmt.Errorf("prove block %d: %w", d.Block, err)
	}
	return t, in, nil
}

// PrintTrace prints count micro-steps from the first on, and the final state; count 0 prints all.
func PrintTrace(ctx context.Context, w io.Writer, t Trace, in TraceInputs, first, count uint64) error {
	n, err := t.Len(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "block %d   agreed %s   disputed %s   L1 head %s   %d steps\n", in.AgreedBlock+1, in.Agreed, in.Disputed, in.L1Head, n)
	end := n
	if count > 0 && count < n-min(n, first) {
		end = first + count
	}
	for i := first; i < end; i++ {
		h, err := t.StateHash(ctx, i)
		if err != nil {
			return fmt.Errorf("state after step %d: %w", i, err)
		}
		_, witness, err := t.StepData(ctx, i)
		if err != nil {
			return fmt.Errorf("step %d: %w", i, err)
		}
		what := ""
		if d, ok := t.(Describer); ok {
			if what, err = d.Describe(ctx, i); err != nil {
				return fmt.Errorf("step %d: %w", i, err)
			}
		}
		fmt.Fprintln(w, strings.TrimRight(fmt.Sprintf("%8d  %s  %5d bytes  %s", i, h.TerminalString(), len(witness), what), " "))
	}
	h, err := t.StateHash(ctx, n-min(n, 1))
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "final state %s: %s\n", h, statusName(h))
	return nil
}
