package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/big"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/ethclient"
	"github.com/ethereum/go-ethereum/rpc"
	"github.com/urfave/cli/v2"

	"github.com/agnt2/agnt2/client/cmd/internal/process"
)

const (
	gameType      = uint32(0)
	challengerWon = 1
	defenderWon   = 2
	// silence is how long the other side may take to answer before the demo gives up on it.
	silence = 2 * time.Minute
	poll    = 300 * time.Millisecond
)

var statusNames = []string{"IN_PROGRESS", "CHALLENGER_WINS", "DEFENDER_WINS"}

// disputeCommand lies twice on a running devnet, and checks that its challenger wins both times.
func disputeCommand() *cli.Command {
	return &cli.Command{
		Name: "dispute", Usage: "a wrong output root is proposed and loses, then a right one is attacked and stands",
		Description: "Plays the dishonest side on a running devnet, with accounts that nobody else uses; the honest side is the devnet's\n" +
			"challenger. Prints every move with its gas and exits with 1 if a game does not end as it should.",
		Flags: []cli.Flag{
			process.JSONFlag,
			&cli.StringFlag{Name: "l1", EnvVars: []string{"AGNT2_L1_RPC"}, Value: "http://127.0.0.1:8545", Usage: "L1 endpoint"},
			&cli.StringFlag{Name: "node", EnvVars: []string{"AGNT2_NODE_RPC"}, Value: "http://127.0.0.1:9547", Usage: "rollup node endpoint"},
			&cli.StringFlag{Name: "data", EnvVars: []string{"AGNT2_DEVNET_DATA"}, Value: "devnet/.data", Usage: "the devnet's data directory"},
			&cli.DurationFlag{Name: "timeout", Value: 30 * time.Minute, Usage: "time for everything"},
			&cli.StringFlag{Name: "proposer", Value: "agent5", Usage: "name in keys.json of the dishonest proposer"},
			&cli.StringFlag{Name: "attacker", Value: "agent4", Usage: "name in keys.json of the dishonest challenger"},
			&cli.Uint64Flag{Name: "step", Value: 40, Usage: "micro-step of the disputed block that the liars begin to lie at"},
			&cli.BoolFlag{Name: "together", Usage: "play both games at the same time; the second is printed after the first"},
		},
		Action: runDispute,
	}
}

// dispute is one run.
type dispute struct {
	l1        *chainL1
	outputs   outputRoots
	factory   common.Address
	registry  common.Address
	honest    common.Address // the devnet's challenger
	proposer  common.Address // the devnet's
	attacker  *liar
	dishonest *liar
}

func runDispute(cc *cli.Context) error {
	ctx, cancel := context.WithTimeout(cc.Context, cc.Duration("timeout"))
	defer cancel()
	files, err := readDevnet(cc.String("data"))
	if err != nil {
		return err
	}
	d := new(dispute)
	for name, at := range map[string]*common.Address{"DisputeGameFactoryProxy": &d.factory, "AnchorStateRegistryProxy": &d.registry} {
		if *at = files.addresses[name]; *at == (common.Address{}) {
			return fmt.Errorf("addresses.json names no %s", name)
		}
	}
	c, err := ethclient.DialContext(ctx, cc.String("l1"))
	if err != nil {
		return err
	}
	defer c.Close()
	id, err := c.ChainID(ctx)
	if err != nil {
		return fmt.Errorf("L1 at %s: %w", cc.String("l1"), err)
	}
	d.l1 = &chainL1{c, id}
	node, err := rpc.DialContext(ctx, cc.String("node"))
	if err != nil {
		return err
	}
	defer node.Close()
	d.outputs = outputRoots{node}
	for name, into := range map[string]*common.Address{"challenger": &d.honest, "proposer": &d.proposer} {
		key, ok := files.keys[name]
		if !ok {
			return fmt.Errorf("keys.json has no account %q", name)
		}
		*into = crypto.PubkeyToAddress(key.PublicKey)
	}
	for flag, into := range map[string]**liar{"proposer": &d.dishonest, "attacker": &d.attacker} {
		key, ok := files.keys[cc.String(flag)]
		if !ok {
			return fmt.Errorf("keys.json has no account %q", cc.String(flag))
		}
		*into = &liar{l1: d.l1, key: key, outputs: d.outputs, step: cc.Uint64("step")}
	}

	began := time.Now()
	var reports []*report
	scenarios := []func(context.Context, *report) error{d.wrongProposal, d.wrongChallenge}
	if cc.Bool("together") {
		reports, err = together(ctx, cc.Bool("json"), scenarios)
	} else {
		r := &report{out: os.Stdout, json: cc.Bool("json")}
		reports = append(reports, r)
		for _, s := range scenarios {
			if err = s(ctx, r); err != nil {
				err = fmt.Errorf("%s: %w", strings.ToLower(r.step), err)
				break
			}
		}
	}
	if err != nil {
		return err
	}
	checks := 0
	var failed []string
	for _, r := range reports {
		checks += r.checks
		failed = append(failed, r.failed...)
	}
	if len(failed) > 0 {
		return fmt.Errorf("%d of %d checks failed:\n  %s", len(failed), checks, strings.Join(failed, "\n  "))
	}
	if !cc.Bool("json") {
		fmt.Printf("\nAll %d checks hold. %s\n", checks, seconds(time.Since(began)))
	}
	return nil
}

// together runs scenarios side by side and prints them one after the other.
func together(ctx context.Context, json bool, scenarios []func(context.Context, *report) error) ([]*report, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	reports := make([]*report, len(scenarios))
	outs := make([]bytes.Buffer, len(scenarios))
	errs := make([]error, len(scenarios))
	var wg sync.WaitGroup
	for i, s := range scenarios {
		reports[i] = &report{out: &outs[i], json: json, steps: i}
		if i == 0 {
			reports[i].out = os.Stdout
		}
		wg.Go(func() {
			if err := s(ctx, reports[i]); err != nil {
				errs[i] = fmt.Errorf("%s: %w", strings.ToLower(reports[i].step), err)
				cancel()
			}
		})
	}
	wg.Wait()
	for i := range outs {
		if _, err := outs[i].WriteTo(os.Stdout); err != nil {
			return nil, err
		}
	}
	for _, err := range errs { // the first cause, not who was cancelled by it
		if err != nil && !errors.Is(err, context.Canceled) {
			return nil, err
		}
	}
	return reports, errors.Join(errs...)
}

// wrongProposal proposes a wrong root and defends it by lies.
func (d *dispute) wrongProposal(ctx context.Context, r *report) error {
	r.begin("A dishonest proposer posts a wrong output root")
	p := d.dishonest
	anchor, err := d.l1.view(ctx, registryABI, d.registry, "anchors", gameType)
	if err != nil {
		return err
	}
	first := anchor[1].(*big.Int).Uint64()
	// Something that derives at the proof head of a game that is created now, so that the root itself is what is wrong.
	var block uint64
	if err := until(ctx, silence, func() (bool, error) {
		block, err = d.outputs.finalized(ctx)
		return block > first+1, err
	}); err != nil {
		return fmt.Errorf("no finalized block above the anchor at %d: %w", first, err)
	}
	p.from = first + 1 + (block-first)/2
	root := p.invented(block)
	right, err := d.outputs.at(ctx, block)
	if err != nil {
		return err
	}
	bond, err := d.l1.view(ctx, factoryABI, d.factory, "initBonds", gameType)
	if err != nil {
		return err
	}
	extra := common.BigToHash(new(big.Int).SetUint64(block)).Bytes()
	data, err := factoryABI.Pack("create", gameType, [32]byte(root), extra)
	if err != nil {
		return err
	}
	receipt, err := d.l1.send(ctx, p.key, d.factory, bond[0].(*big.Int), data)
	if err != nil {
		return fmt.Errorf("create game: %w", err)
	}
	v, err := d.l1.view(ctx, factoryABI, d.factory, "games", gameType, [32]byte(root), extra)
	if err != nil {
		return err
	}
	m := &match{d: d, r: r, game: v[0].(common.Address), liar: p, next: receipt.BlockNumber.Uint64() + 1}
	r.row("game", "%v   block %d   %d gas", m.game, block, receipt.GasUsed)
	r.row("root claim", "%v", root)
	r.row("right root", "%v", right)
	r.row("bond", "%s ETH", agnt(bond[0].(*big.Int)))
	if err := m.play(ctx); err != nil {
		return err
	}
	r.begin("The wrong root loses")
	if err := m.outcome(ctx, challengerWon); err != nil {
		return err
	}
	r.check(m.steps > 0, "last step on L1", "%d by the challenger", m.steps)
	now, err := d.l1.view(ctx, registryABI, d.registry, "anchors", gameType)
	if err != nil {
		return err
	}
	r.check(common.Hash(now[0].([32]byte)) != root, "anchor", "block %v %v", now[1], common.Hash(now[0].([32]byte)))
	return m.bonds(ctx, nil)
}

// wrongChallenge attacks a right root by lies.
func (d *dispute) wrongChallenge(ctx context.Context, r *report) error {
	r.begin("A dishonest challenger attacks a right output root")
	m := &match{d: d, r: r, liar: d.attacker}
	if err := until(ctx, silence, func() (ok bool, err error) {
		m.game, m.next, err = d.freshProposal(ctx)
		return m.game != common.Address{}, err
	}); err != nil {
		return fmt.Errorf("no fresh proposal of the devnet's proposer: %w", err)
	}
	f, err := d.l1.field(ctx, m.game)
	if err != nil {
		return err
	}
	d.attacker.from = f.first + 1 + (f.claimed-f.first)/2
	r.row("game", "%v   block %d", m.game, f.claimed)
	if err := m.play(ctx); err != nil {
		return err
	}
	r.begin("The right root stands")
	if err := m.outcome(ctx, defenderWon); err != nil {
		return err
	}
	return m.bonds(ctx, &d.proposer)
}

// freshProposal finds a game of the devnet's proposer that nobody has moved in and that has most of its clock left.
func (d *dispute) freshProposal(ctx context.Context) (game common.Address, next uint64, err error) {
	count, err := d.l1.number(ctx, factoryABI, d.factory, "gameCount")
	if err != nil || count == 0 {
		return game, 0, err
	}
	v, err := d.l1.view(ctx, factoryABI, d.factory, "gameAtIndex", new(big.Int).SetUint64(count-1))
	if err != nil {
		return game, 0, err
	}
	at := v[2].(common.Address)
	head, err := d.l1.c.HeaderByNumber(ctx, nil)
	if err != nil {
		return game, 0, err
	}
	creator, err := d.l1.view(ctx, gameABI, at, "gameCreator")
	if err != nil {
		return game, 0, err
	}
	numbers := map[string]uint64{"claimDataLen": 0, "createdAt": 0, "maxClockDuration": 0, "status": 0, "l2BlockNumber": 0}
	for name := range numbers {
		if numbers[name], err = d.l1.number(ctx, gameABI, at, name); err != nil {
			return game, 0, err
		}
	}
	if creator[0] != d.proposer || numbers["claimDataLen"] != 1 || numbers["status"] != 0 || head.Time > numbers["createdAt"]+numbers["maxClockDuration"]/4 {
		return game, 0, nil
	}
	claimed, err := d.l1.view(ctx, gameABI, at, "rootClaim")
	if err != nil {
		return game, 0, err
	}
	right, err := d.outputs.at(ctx, numbers["l2BlockNumber"])
	if err == nil && right != common.Hash(claimed[0].([32]byte)) {
		err = fmt.Errorf("the proposer's game %v claims %x for block %d, the node says %v", at, claimed[0], numbers["l2BlockNumber"], right)
	}
	return at, head.Number.Uint64(), err
}

// until polls a condition.
func until(ctx context.Context, limit time.Duration, cond func() (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for {
		ok, err := cond()
		if ok && err == nil {
			return nil
		}
		if rerr := rest(ctx, poll); rerr != nil {
			return errors.Join(rerr, err)
		}
	}
}

// field reads the shape of a game.
func (l *chainL1) field(ctx context.Context, game common.Address) (f field, err error) {
	var split, depth uint64
	for name, into := range map[string]*uint64{"splitDepth": &split, "maxGameDepth": &depth, "startingBlockNumber": &f.first, "l2BlockNumber": &f.claimed} {
		if *into, err = l.number(ctx, gameABI, game, name); err != nil {
			return f, err
		}
	}
	f.split, f.max = uint(split), uint(depth)
	return f, nil
}

// match is a game between a liar and everybody else.
type match struct {
	d    *dispute
	r    *report
	game common.Address
	liar *liar
	next uint64 // L1 block to look at

	f        field
	claims   []claim
	answered map[int]bool
	steps    int // of the honest side, that L1 accepted
	resolved uint64
	resolves int
	gas      map[bool]uint64 // of the liar's and of the honest side's transactions
}

// play lies until the game is resolved, and prints what happens on L1.
func (m *match) play(ctx context.Context) (err error) {
	m.answered, m.gas = map[int]bool{}, map[bool]uint64{}
	if m.f, err = m.d.l1.field(ctx, m.game); err != nil {
		return err
	}
	clock, err := m.d.l1.number(ctx, gameABI, m.game, "maxClockDuration")
	if err != nil {
		return err
	}
	m.r.row("bisection", "outputs to depth %d, micro-steps to depth %d, clocks of %d s", m.f.split, m.f.max, clock)
	last := time.Now()
	for {
		head, err := m.d.l1.c.BlockNumber(ctx)
		if err != nil {
			return err
		}
		for ; m.next <= head; m.next++ {
			if err := m.watch(ctx, m.next); err != nil {
				return err
			}
		}
		if m.resolved > 0 {
			return nil
		}
		moved, err := m.lie(ctx)
		if err != nil {
			return err
		}
		if moved {
			last = time.Now()
			continue
		}
		if waited := time.Since(last); waited > silence+2*time.Duration(clock)*time.Second {
			return fmt.Errorf("nobody moves in game %v for %s: does a challenger run?", m.game, waited.Round(time.Second))
		}
		if err := rest(ctx, poll); err != nil {
			return err
		}
	}
}

// lie answers every claim of others that is not answered.
func (m *match) lie(ctx context.Context) (moved bool, err error) {
	n, err := m.d.l1.number(ctx, gameABI, m.game, "claimDataLen")
	if err != nil {
		return false, err
	}
	for i := len(m.claims); i < int(n); i++ {
		c, err := m.d.l1.claim(ctx, m.game, i)
		if err != nil {
			return false, err
		}
		m.claims = append(m.claims, c)
		moved = true
	}
	for _, c := range m.claims {
		if c.claimant == m.liar.address() || m.answered[c.index] || c.at.depth() >= m.f.max {
			continue
		}
		m.answered[c.index] = true
		if err := m.liar.respond(ctx, m.game, m.f, c); err != nil {
			return false, fmt.Errorf("answer claim %d at depth %d: %w", c.index, c.at.depth(), err)
		}
		moved = true
	}
	return moved, nil
}

// watch prints the game's transactions in an L1 block.
func (m *match) watch(ctx context.Context, number uint64) error {
	block, err := m.d.l1.c.BlockByNumber(ctx, new(big.Int).SetUint64(number))
	if err != nil {
		return fmt.Errorf("L1 block %d: %w", number, err)
	}
	for _, tx := range block.Transactions() {
		if tx.To() == nil || *tx.To() != m.game || len(tx.Data()) < 4 {
			continue
		}
		method, err := gameABI.MethodById(tx.Data())
		if err != nil {
			continue
		}
		args, err := method.Inputs.Unpack(tx.Data()[4:])
		if err != nil {
			continue
		}
		from, err := types.Sender(types.LatestSignerForChainID(m.d.l1.id), tx)
		if err != nil {
			return err
		}
		receipt, err := m.d.l1.c.TransactionReceipt(ctx, tx.Hash())
		if err != nil {
			return fmt.Errorf("receipt of %v: %w", tx.Hash(), err)
		}
		m.gas[from == m.liar.address()] += receipt.GasUsed
		if err := m.show(ctx, number, m.who(from), method, args, receipt); err != nil {
			return err
		}
	}
	return nil
}

func (m *match) who(a common.Address) string {
	switch a {
	case m.liar.address():
		return "liar"
	case m.d.honest:
		return "challenger"
	case m.d.proposer:
		return "proposer"
	}
	return a.Hex()
}

func (m *match) show(ctx context.Context, block uint64, who string, method *abi.Method, args []any, receipt *types.Receipt) error {
	note := ""
	ok := receipt.Status == types.ReceiptStatusSuccessful
	if !ok {
		note = "   REVERTED"
	}
	index := func(i int) int { return int(args[i].(*big.Int).Int64()) }
	switch method.Name {
	case "attack", "defend", "move":
		attack := method.Name == "attack" || method.Name == "move" && args[3].(bool)
		on, err := m.d.l1.claim(ctx, m.game, index(1))
		if err != nil {
			return err
		}
		verb := "defends"
		if attack {
			verb = "attacks"
		}
		at := on.at.move(attack)
		where := ""
		if at.depth() <= m.f.split {
			where = fmt.Sprintf("block %d", m.f.block(at))
		} else {
			where = fmt.Sprintf("micro-step %v", m.f.step(at))
		}
		m.r.row(fmt.Sprintf("%s %s claim %d", who, verb, on.index), "depth %-3d %-22s %v   %d gas%s", at.depth(), where, common.Hash(args[2].([32]byte)).TerminalString(), receipt.GasUsed, note)
	case "step":
		if ok && who != "liar" {
			m.steps++
		}
		on, err := m.d.l1.claim(ctx, m.game, index(0))
		if err != nil {
			return err
		}
		m.r.row(fmt.Sprintf("%s steps on claim %d", who, on.index), "micro-step %v on L1: state %d bytes, witness %d bytes   %d gas%s",
			m.f.step(on.at), len(args[2].([]byte)), len(args[3].([]byte)), receipt.GasUsed, note)
	case "addLocalData":
		m.r.row(who+" loads local data", "value %d for claim %d   %d gas%s", index(0), index(1), receipt.GasUsed, note)
	case "resolveClaim":
		m.resolves++
	case "resolve":
		if ok {
			m.resolved = block
			m.r.row(fmt.Sprintf("%s resolves the game", who), "after %d claims   %d gas", m.resolves, receipt.GasUsed)
		}
	case "claimCredit":
		m.r.row(who+" claims credit", "of %v   %d gas%s", args[0], receipt.GasUsed, note)
	}
	return nil
}

// outcome checks who won.
func (m *match) outcome(ctx context.Context, want uint64) error {
	status, err := m.d.l1.number(ctx, gameABI, m.game, "status")
	if err != nil {
		return err
	}
	m.r.check(status == want, "status", "%s after %d claims", statusNames[status%3], len(m.claims))
	m.r.row("gas", "liar %d, honest side %d, resolution included", m.gas[true], m.gas[false])
	return nil
}

// bonds checks where the bonds went: the root claim's to its owner if that is given, all others to the challenger.
func (m *match) bonds(ctx context.Context, rootOwner *common.Address) error {
	n, err := m.d.l1.number(ctx, gameABI, m.game, "claimDataLen")
	if err != nil {
		return err
	}
	due := map[common.Address]*big.Int{m.d.honest: new(big.Int), m.liar.address(): new(big.Int)}
	lost := new(big.Int)
	for i := range int(n) {
		c, err := m.d.l1.claim(ctx, m.game, i)
		if err != nil {
			return err
		}
		to := m.d.honest
		if i == 0 && rootOwner != nil {
			to = *rootOwner
		}
		if due[to] == nil {
			due[to] = new(big.Int)
		}
		due[to].Add(due[to], c.bond)
		if c.claimant == m.liar.address() {
			lost.Add(lost, c.bond)
		}
	}
	for who, want := range due {
		has, err := m.creditAt(ctx, who, m.resolved)
		if err != nil {
			return err
		}
		m.r.check(has.Cmp(want) == 0, m.who(who)+"'s credit", "%s ETH", agnt(has))
	}
	m.r.row("the liar lost", "%s ETH", agnt(lost))

	// The challenger takes the money by itself, once DelayedWETH's delay is over.
	claimed := uint64(0)
	if err := until(ctx, silence, func() (bool, error) {
		head, err := m.d.l1.c.BlockNumber(ctx)
		if err != nil {
			return false, err
		}
		for ; m.next <= head && claimed == 0; m.next++ {
			if err := m.watch(ctx, m.next); err != nil {
				return false, err
			}
			has, err := m.creditAt(ctx, m.d.honest, m.next)
			if err != nil {
				return false, err
			}
			if has.Sign() == 0 {
				claimed = m.next
			}
		}
		return claimed > 0, nil
	}); err != nil {
		return fmt.Errorf("the challenger does not claim its credit: %w", err)
	}
	paid, err := m.income(ctx, claimed)
	if err != nil {
		return err
	}
	m.r.check(paid.Cmp(due[m.d.honest]) >= 0, "paid out", "%s ETH in L1 block %d", agnt(paid), claimed)
	return nil
}

func (m *match) creditAt(ctx context.Context, who common.Address, block uint64) (*big.Int, error) {
	data, err := gameABI.Pack("credit", who)
	if err != nil {
		return nil, err
	}
	out, err := m.d.l1.c.CallContract(ctx, callTo(m.game, data), new(big.Int).SetUint64(block))
	if err != nil {
		return nil, fmt.Errorf("credit of %v in L1 block %d: %w", who, block, err)
	}
	return new(big.Int).SetBytes(out), nil
}

// income is what the challenger's account received in an L1 block: its balance's change plus what it spent there.
func (m *match) income(ctx context.Context, block uint64) (*big.Int, error) {
	at := func(n uint64) (*big.Int, error) {
		return m.d.l1.c.BalanceAt(ctx, m.d.honest, new(big.Int).SetUint64(n))
	}
	after, err := at(block)
	if err != nil {
		return nil, err
	}
	before, err := at(block - 1)
	if err != nil {
		return nil, err
	}
	sum := new(big.Int).Sub(after, before)
	b, err := m.d.l1.c.BlockByNumber(ctx, new(big.Int).SetUint64(block))
	if err != nil {
		return nil, err
	}
	for _, tx := range b.Transactions() {
		from, err := types.Sender(types.LatestSignerForChainID(m.d.l1.id), tx)
		if err != nil || from != m.d.honest {
			continue
		}
		r, err := m.d.l1.c.TransactionReceipt(ctx, tx.Hash())
		if err != nil {
			return nil, err
		}
		sum.Add(sum, new(big.Int).Mul(r.EffectiveGasPrice, new(big.Int).SetUint64(r.GasUsed)))
		if r.Status == types.ReceiptStatusSuccessful {
			sum.Add(sum, tx.Value())
		}
	}
	return sum, nil
}
