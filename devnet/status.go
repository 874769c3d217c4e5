package devnet

import (
	"context"
	"fmt"
	"io"
	"math/big"
	"strings"
	"sync"
	"time"

	"github.com/ethereum-optimism/optimism/op-service/eth"
	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/ethclient"
	"github.com/ethereum/go-ethereum/rpc"

	"github.com/agnt2/agnt2/ops/deployer"
)

// gamesShown bounds how many of the newest games a status looks at.
const gamesShown = 20

// Status is a look at the whole devnet at one moment.
type Status struct {
	Healthy  bool     `json:"healthy"`
	Problems []string `json:"problems"` // empty when healthy

	L1        L1Heads       `json:"l1"`
	Sequencer *NodeStatus   `json:"sequencer"`
	Verifier  *NodeStatus   `json:"verifier,omitempty"`
	Followers []*NodeStatus `json:"followers,omitempty"`

	GameCount uint64       `json:"gameCount"`
	Games     []GameStatus `json:"games"` // the newest, oldest of them first

	Processes []ProcessStatus `json:"processes"`
}

// L1Heads are L1 block numbers.
type L1Heads struct {
	Head      uint64 `json:"head"`
	Safe      uint64 `json:"safe"`
	Finalized uint64 `json:"finalized"`
}

// Head is one L2 block as a node reports it.
type Head struct {
	Number   uint64      `json:"number"`
	Hash     common.Hash `json:"hash"`
	L1Origin uint64      `json:"l1Origin"`
}

// NodeStatus is what one node derives.
type NodeStatus struct {
	Name      string `json:"name"`
	CurrentL1 uint64 `json:"currentL1"` // L1 block up to which the node has derived
	Unsafe    Head   `json:"unsafe"`
	Safe      Head   `json:"safe"`
	Finalized Head   `json:"finalized"`
	// Agreement compares this node's safe block with the sequencer's block of that number.
	Agreement *Agreement `json:"agreement,omitempty"`
}

// Agreement is one L2 block seen by two engines.
type Agreement struct {
	Block              uint64      `json:"block"`
	Hash               common.Hash `json:"hash"`
	StateRoot          common.Hash `json:"stateRoot"`
	SequencerHash      common.Hash `json:"sequencerHash"`
	SequencerStateRoot common.Hash `json:"sequencerStateRoot"`
	Equal              bool        `json:"equal"`
}

// GameStatus is one dispute game on L1.
type GameStatus struct {
	Index     uint64         `json:"index"`
	Address   common.Address `json:"address"`
	Type      uint32         `json:"type"`
	L2Block   uint64         `json:"l2Block"`
	RootClaim common.Hash    `json:"rootClaim"`
	// Output is optimism_outputAtBlock(L2Block) of the verifier, or of the sequencer's node if there is no verifier.
	Output  common.Hash `json:"output"`
	Matches bool        `json:"matches"`
	Status  string      `json:"status"` // IN_PROGRESS, CHALLENGER_WINS or DEFENDER_WINS
	Claims  uint64      `json:"claims"` // moves, the root claim included
	Note    string      `json:"note,omitempty"`
}

// ProcessStatus is one role's process.
type ProcessStatus struct {
	Role          Role           `json:"role"`
	PID           int            `json:"pid,omitempty"`
	Running       bool           `json:"running"`
	Healthy       bool           `json:"healthy"`
	Error         string         `json:"error,omitempty"`
	UptimeSeconds int64          `json:"uptimeSeconds,omitempty"`
	Ports         map[string]int `json:"ports"`
	Log           string         `json:"log"`
}

// Status asks every process. What does not answer becomes a problem, not an error: the result is always complete.
func (d *Devnet) Status(ctx context.Context) *Status {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	_ = d.table.reload()
	s := &Status{Problems: []string{}, Games: []GameStatus{}}
	var mu sync.Mutex
	problem := func(format string, args ...any) {
		mu.Lock()
		defer mu.Unlock()
		s.Problems = append(s.Problems, fmt.Sprintf(format, args...))
	}
	s.Processes = d.processes(ctx, problem)
	running := map[Role]bool{}
	for _, p := range s.Processes {
		running[p.Role] = p.Running
	}
	e := d.Endpoints()
	if running[RoleL1] {
		var err error
		if s.L1, err = l1Heads(ctx, e.L1); err != nil {
			problem("L1 heads: %v", err)
		}
	}
	look := func(name, node, engine string) *NodeStatus {
		// The answers come from different moments: a difference counts only if it stays.
		for attempt := 1; ; attempt++ {
			n, err := nodeStatus(ctx, name, node)
			if err != nil {
				problem("%s: %v", name, err)
				return nil
			}
			if engine == "" || !running[RoleEngine] {
				return n
			}
			if n.Agreement, err = compare(ctx, n.Safe.Number, engine, e.Engine); err == nil && n.Agreement.Equal {
				return n
			}
			if attempt < 3 && sleep(ctx, 500*time.Millisecond) == nil {
				continue
			}
			if err != nil {
				problem("%s's safe block: %v", name, err)
			} else {
				problem("%s disagrees with the sequencer on block %d", name, n.Safe.Number)
			}
			return n
		}
	}
	if running[RoleNode] {
		s.Sequencer = look("sequencer", e.Node, "")
	}
	cfg := d.Config()
	outputs := e.Node
	if running[RoleVerifierNode] {
		s.Verifier = look("verifier", e.VerifierNode, e.VerifierEngine)
		outputs = e.VerifierNode
	}
	for _, f := range cfg.Followers {
		if _, node := followerRoles(f.Name); running[node] {
			if at, err := d.Follower(f.Name); err == nil {
				if n := look(f.Name, at.Node, at.Engine); n != nil {
					s.Followers = append(s.Followers, n)
				}
			}
		}
	}
	if factory, ok := d.Addresses()["DisputeGameFactoryProxy"]; ok && running[RoleL1] {
		var err error
		arts := deployer.ArtifactsIn(cfg.Root)
		if s.GameCount, s.Games, err = games(ctx, arts, e.L1, outputs, factory); err != nil {
			problem("games: %v", err)
		}
		for _, g := range s.Games {
			if !g.Matches && g.Note == "" && g.Status != gameState(challengerWon) { // a wrong root that lost is as it should be
				problem("game %d claims %s for block %d, the node has %s", g.Index, g.RootClaim, g.L2Block, g.Output)
			}
		}
	}
	s.Healthy = len(s.Problems) == 0
	return s
}

func (d *Devnet) processes(ctx context.Context, problem func(string, ...any)) []ProcessStatus {
	specs := d.specs()
	out := make([]ProcessStatus, len(specs))
	var wg sync.WaitGroup
	for i, sp := range specs {
		wg.Go(func() {
			p := d.table.get(sp.role)
			out[i] = ProcessStatus{Role: sp.role, Running: p.alive(), Ports: sp.ports, Log: d.LogPath(sp.role)}
			if !out[i].Running {
				out[i].Error = ErrNotRunning.Error()
				problem("%s is not running", sp.role)
				return
			}
			out[i].PID, out[i].UptimeSeconds = p.PID, int64(time.Since(p.Started).Seconds())
			probe, cancel := context.WithTimeout(ctx, 5*time.Second)
			defer cancel()
			if err := sp.health(probe); err != nil {
				out[i].Error = err.Error()
				problem("%s: %v", sp.role, err)
				return
			}
			out[i].Healthy = true
		})
	}
	wg.Wait()
	return out
}

func syncStatus(ctx context.Context, node string) (*eth.SyncStatus, error) {
	c, err := rpc.DialContext(ctx, node)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	s := new(eth.SyncStatus)
	return s, c.CallContext(ctx, s, "optimism_syncStatus")
}

func nodeStatus(ctx context.Context, name, node string) (*NodeStatus, error) {
	s, err := syncStatus(ctx, node)
	if err != nil {
		return nil, err
	}
	head := func(b eth.L2BlockRef) Head { return Head{b.Number, b.Hash, b.L1Origin.Number} }
	return &NodeStatus{
		Name: name, CurrentL1: s.CurrentL1.Number,
		Unsafe: head(s.UnsafeL2), Safe: head(s.SafeL2), Finalized: head(s.FinalizedL2),
	}, nil
}

func l1Heads(ctx context.Context, l1 string) (h L1Heads, err error) {
	c, err := ethclient.DialContext(ctx, l1)
	if err != nil {
		return h, err
	}
	defer c.Close()
	for tag, dst := range map[rpc.BlockNumber]*uint64{
		rpc.LatestBlockNumber: &h.Head, rpc.SafeBlockNumber: &h.Safe, rpc.FinalizedBlockNumber: &h.Finalized,
	} {
		b, err := c.HeaderByNumber(ctx, big.NewInt(int64(tag)))
		if err != nil {
			if tag != rpc.LatestBlockNumber { // nothing is safe or finalized on a young chain
				continue
			}
			return h, err
		}
		*dst = b.Number.Uint64()
	}
	return h, nil
}

func compare(ctx context.Context, block uint64, engine, sequencer string) (*Agreement, error) {
	type header struct {
		Hash      common.Hash `json:"hash"`
		StateRoot common.Hash `json:"stateRoot"`
	}
	get := func(at string) (h *header, err error) {
		c, err := rpc.DialContext(ctx, at)
		if err != nil {
			return nil, err
		}
		defer c.Close()
		err = c.CallContext(ctx, &h, "eth_getBlockByNumber", hexutil.Uint64(block), false)
		if err == nil && h == nil {
			err = fmt.Errorf("%s has no block %d", at, block)
		}
		return h, err
	}
	own, err := get(engine)
	if err != nil {
		return nil, err
	}
	seq, err := get(sequencer)
	if err != nil {
		return nil, err
	}
	return &Agreement{
		Block: block, Hash: own.Hash, StateRoot: own.StateRoot, SequencerHash: seq.Hash, SequencerStateRoot: seq.StateRoot,
		Equal: *own == *seq,
	}, nil
}

// games reads the newest games and asks the node at outputs what it thinks of them.
func games(ctx context.Context, arts *deployer.Artifacts, l1, outputs string, factory common.Address) (uint64, []GameStatus, error) {
	out := []GameStatus{}
	factoryABI, err := arts.OP("DisputeGameFactory")
	if err != nil {
		return 0, out, err
	}
	gameABI, err := arts.OP("FaultDisputeGame")
	if err != nil {
		return 0, out, err
	}
	c, err := ethclient.DialContext(ctx, l1)
	if err != nil {
		return 0, out, err
	}
	defer c.Close()
	node, err := rpc.DialContext(ctx, outputs)
	if err != nil {
		return 0, out, err
	}
	defer node.Close()
	view := func(a abi.ABI, at common.Address, method string, args ...any) ([]any, error) {
		data, err := a.Pack(method, args...)
		if err != nil {
			return nil, err
		}
		ret, err := c.CallContract(ctx, ethereum.CallMsg{To: &at, Data: data}, nil)
		if err != nil {
			return nil, err
		}
		return a.Unpack(method, ret)
	}
	v, err := view(factoryABI.ABI, factory, "gameCount")
	if err != nil {
		return 0, out, err
	}
	count := v[0].(*big.Int).Uint64()
	for i := count - min(count, gamesShown); i < count; i++ {
		if v, err = view(factoryABI.ABI, factory, "gameAtIndex", new(big.Int).SetUint64(i)); err != nil {
			return count, out, err
		}
		g := GameStatus{Index: i, Type: v[0].(uint32), Address: v[2].(common.Address)}
		for method, set := range map[string]func(any){
			"rootClaim":     func(x any) { g.RootClaim = x.([32]byte) },
			"l2BlockNumber": func(x any) { g.L2Block = x.(*big.Int).Uint64() },
			"status":        func(x any) { g.Status = gameState(x.(uint8)) },
			"claimDataLen":  func(x any) { g.Claims = x.(*big.Int).Uint64() },
		} {
			if v, err = view(gameABI.ABI, g.Address, method); err != nil {
				return count, out, err
			}
			set(v[0])
		}
		var o struct {
			OutputRoot common.Hash `json:"outputRoot"`
		}
		if err := node.CallContext(ctx, &o, "optimism_outputAtBlock", hexutil.Uint64(g.L2Block)); err != nil {
			g.Note = "no output to compare with: " + err.Error() // a verifier may lag behind a new proposal
		}
		g.Output = o.OutputRoot
		g.Matches = g.Output == g.RootClaim
		out = append(out, g)
	}
	return count, out, nil
}

// challengerWon is GameStatus.CHALLENGER_WINS.
const challengerWon = 1

func gameState(n uint8) string {
	if names := []string{"IN_PROGRESS", "CHALLENGER_WINS", "DEFENDER_WINS"}; int(n) < len(names) {
		return names[n]
	}
	return fmt.Sprintf("UNKNOWN(%d)", n)
}

// WriteText prints the status for a person.
func (s *Status) WriteText(w io.Writer) {
	fmt.Fprintf(w, "L1        head %d  safe %d  finalized %d\n", s.L1.Head, s.L1.Safe, s.L1.Finalized)
	for _, n := range append([]*NodeStatus{s.Sequencer, s.Verifier}, s.Followers...) {
		if n == nil {
			continue
		}
		fmt.Fprintf(w, "%-9s unsafe %d  safe %d  finalized %d  (L1 origin %d, derived up to L1 %d)\n",
			n.Name, n.Unsafe.Number, n.Safe.Number, n.Finalized.Number, n.Unsafe.L1Origin, n.CurrentL1)
		if a := n.Agreement; a != nil {
			verdict := "equals the sequencer's"
			if !a.Equal {
				verdict = fmt.Sprintf("DIFFERS from the sequencer's %s, state root %s", a.SequencerHash, a.SequencerStateRoot)
			}
			fmt.Fprintf(w, "          safe block %d %s state root %s %s\n", a.Block, a.Hash.TerminalString(), a.StateRoot.TerminalString(), verdict)
		}
	}
	fmt.Fprintf(w, "games     %d\n", s.GameCount)
	for _, g := range s.Games[max(0, len(s.Games)-5):] {
		verdict := "equals the node's output root"
		if g.Note != "" {
			verdict = g.Note
		} else if !g.Matches {
			verdict = "DIFFERS from the node's " + g.Output.Hex()
		}
		fmt.Fprintf(w, "          #%d type %d block %d root %s %s after %d claims; %s\n", g.Index, g.Type, g.L2Block, g.RootClaim.TerminalString(), g.Status, g.Claims, verdict)
	}
	fmt.Fprintln(w, "processes")
	for _, p := range s.Processes {
		state := "healthy"
		if !p.Healthy {
			state = "UNHEALTHY: " + p.Error
		}
		var ports []string
		for _, name := range sortedNames(p.Ports) {
			ports = append(ports, fmt.Sprintf("%s %d", name, p.Ports[name]))
		}
		fmt.Fprintf(w, "          %-16s pid %-7d up %-8s %-44s %s\n", p.Role, p.PID, (time.Duration(p.UptimeSeconds) * time.Second).String(), strings.Join(ports, ", "), state)
	}
	if s.Healthy {
		fmt.Fprintln(w, "healthy")
		return
	}
	fmt.Fprintln(w, "NOT HEALTHY")
	for _, p := range s.Problems {
		fmt.Fprintln(w, "  -", p)
	}
}
