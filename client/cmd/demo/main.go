// Command demo shows a running devnet at work and checks it: two agent processes do business over standard Ethereum RPC,
// a call times out and is refunded, a deposit arrives from L1, and a withdrawal is proven against its block. Every amount
// is checked to the wei against the receipts; the exit code is 1 if anything is off.
package main

import (
	"context"
	"encoding/json"
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
	sleepCapability = "text.sleep" // offered by an agent that never answers
	sleepTTL        = 4 * time.Second
	withdrawalGas   = 100_000
)

var (
	price        = wei(1e15)
	stake        = wei(2e16)
	fundBelow    = wei(1e17) // an account with less gets a deposit
	fundWith     = wei(1e18)
	sleeperFunds = wei(5e16)
	depositValue = wei(25e16)
	withdrawn    = wei(1e14)
)

// article is what the buyer wants summarised.
const article = `Software agents increasingly buy services from one another. An agent that plans a journey may call an agent that ` +
	`prices flights, another that translates an itinerary, and a third that books a room. Each call is small, each callee is a ` +
	`stranger, and each answer has to be paid for. Payment in advance puts the caller at risk, and payment afterwards puts the ` +
	`callee at risk. Escrow removes both risks: the caller's payment is locked when the call is made, and is released to the ` +
	`callee when the answer arrives in time. If no answer arrives before the deadline, the payment returns to the caller. ` +
	`The weather was pleasant that afternoon. A rollup that executes such calls natively needs no bytecode: a call, an answer and ` +
	`a refund are operations of the rollup itself. Only the hashes of the call's params and of its answer are on the chain, while ` +
	`the payloads stay in a store that anyone can check against the hashes.`

func main() {
	process.Run(&cli.App{
		Name: "demo", Usage: "two agents do business on a running devnet, and every figure is checked",
		Flags: []cli.Flag{
			process.RPCFlag, process.DAFlag, process.JSONFlag,
			&cli.StringFlag{Name: "l1", EnvVars: []string{"AGNT2_L1_RPC"}, Value: "http://127.0.0.1:8545", Usage: "L1 endpoint"},
			&cli.StringFlag{Name: "data", EnvVars: []string{"AGNT2_DEVNET_DATA"}, Value: "devnet/.data", Usage: "the devnet's data directory"},
			&cli.DurationFlag{Name: "timeout", Value: 4 * time.Minute, Usage: "time for everything"},
			&cli.StringFlag{Name: "seller", Value: "agent1", Usage: "name in keys.json of the agent that sells"},
			&cli.StringFlag{Name: "buyer", Value: "agent2", Usage: "name in keys.json of the agent that buys"},
		},
		Action: run, Commands: []*cli.Command{disputeCommand(), channelCommand(), composeCommand()},
	})
}

// demo is one run.
type demo struct {
	*report
	c      *client.Client
	l1     *client.L1
	rpc    string
	da     string
	seller party
	buyer  party

	summarizerPath, buyerPath string
}

// party is an agent of the demo, in this process for what is not done by its own.
type party struct {
	name    string
	account *client.Account
	l1      *client.Depositor
	env     func(path string, stdin []byte, args ...string) (*child, error)
}

func run(cc *cli.Context) error {
	ctx, cancel := context.WithTimeout(cc.Context, cc.Duration("timeout"))
	defer cancel()
	files, err := readDevnet(cc.String("data"))
	if err != nil {
		return err
	}
	d := &demo{report: &report{out: os.Stdout, json: cc.Bool("json")}, rpc: cc.String("rpc"), da: cc.String("da")}
	if d.c, err = client.Dial(ctx, client.Config{RPC: d.rpc, DAURL: d.da}); err != nil {
		return err
	}
	defer d.c.Close()
	if d.l1, err = client.DialL1(ctx, client.Config{RPC: cc.String("l1")}, files.portal); err != nil {
		return err
	}
	defer d.l1.Close()
	for flag, p := range map[string]*party{"seller": &d.seller, "buyer": &d.buyer} {
		name := cc.String(flag)
		key, ok := files.keys[name]
		if !ok {
			return fmt.Errorf("keys.json has no account %q", name)
		}
		*p = party{name: flag, account: d.c.Account(key), l1: d.l1.Depositor(key), env: func(path string, stdin []byte, args ...string) (*child, error) {
			return start(path, key, stdin, args...)
		}}
	}
	built, err := os.MkdirTemp("", "agnt2-demo-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(built)
	if d.summarizerPath, err = program(ctx, "summarizer", built); err != nil {
		return err
	}
	if d.buyerPath, err = program(ctx, "buyer", built); err != nil {
		return err
	}

	started := time.Now()
	for _, step := range []func(context.Context) error{d.connect, d.fund, d.business, d.timeout, d.deposit, d.withdraw} {
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

func (d *demo) connect(ctx context.Context) error {
	d.begin("Connect")
	for _, label := range []struct {
		name   string
		number int64
	}{{"unsafe head", -2}, {"safe head", -4}, {"finalized head", -3}} {
		h, err := d.c.Eth().HeaderByNumber(ctx, big.NewInt(label.number))
		if err != nil {
			return fmt.Errorf("%s: %w", label.name, err)
		}
		d.row(label.name, "block %-8v %v", h.Number, h.Hash())
	}
	d.row("chain id", "%v", d.c.ChainID())
	for _, p := range []party{d.seller, d.buyer} {
		b, err := d.c.Balance(ctx, p.account.Address())
		if err != nil {
			return err
		}
		d.row(p.name, "%v   %s AGNT", p.account.Address(), agnt(b))
	}
	return nil
}

// fund deposits from L1 where an account is (nearly) empty.
func (d *demo) fund(ctx context.Context) error {
	for _, p := range []party{d.seller, d.buyer} {
		b, err := d.c.Balance(ctx, p.account.Address())
		if err != nil {
			return err
		}
		if b.Cmp(fundBelow) >= 0 {
			continue
		}
		d.begin("Fund the " + p.name + " by a deposit from L1")
		if err := d.depositTo(ctx, p, fundWith); err != nil {
			return err
		}
	}
	return nil
}

// depositTo deposits from a party's L1 account to its L2 account.
func (d *demo) depositTo(ctx context.Context, p party, value *big.Int) error {
	to := p.account.Address()
	before, err := d.c.Balance(ctx, to)
	if err != nil {
		return err
	}
	l1Before, err := d.l1.Eth().BalanceAt(ctx, to, nil)
	if err != nil {
		return err
	}
	started := time.Now()
	dep, err := p.l1.Deposit(ctx, client.DepositRequest{To: to, ValueWei: value})
	if err != nil {
		return err
	}
	d.row("depositTransaction on L1", "%v   block %v   %s", dep.L1Receipt.TxHash, dep.L1Receipt.BlockNumber, seconds(time.Since(started)))
	receipt, err := d.c.WaitDeposit(ctx, dep)
	if err != nil {
		return err
	}
	d.row("deposit on L2", "%v   block %v   %s", receipt.TxHash, receipt.BlockNumber, seconds(time.Since(started)))
	after, err := d.c.Balance(ctx, to)
	if err != nil {
		return err
	}
	l1After, err := d.l1.Eth().BalanceAt(ctx, to, dep.L1Receipt.BlockNumber)
	if err != nil {
		return err
	}
	d.equal("minted on L2", sub(after, before), value)
	d.equal("left the L1 account, with fee", sub(l1Before, l1After), add(value, client.Fee(dep.L1Receipt)))
	return nil
}

// standing is what an interaction changes about an agent.
type standing struct {
	balance    *big.Int
	agent      *abi.AgentView
	reputation *abi.ReputationView
}

func (d *demo) standing(ctx context.Context, a common.Address) (s standing, err error) {
	if s.balance, err = d.c.Balance(ctx, a); err != nil {
		return s, err
	}
	if s.agent, err = d.c.Agent(ctx, a); err != nil {
		return s, err
	}
	s.reputation, err = d.c.Reputation(ctx, a)
	return s, err
}

func (d *demo) showStanding(when string, p party, s standing) {
	r := s.reputation
	d.row(p.name+" "+when, "%s AGNT   stake %s   score %v/10000   completed %d   timeouts %d", agnt(s.balance), agnt(s.agent.StakeWei.ToBig()), &r.Score, r.Completed, r.Timeouts)
}

// setUp sums what registering cost: fees, and the stake that is locked now and was not before.
func (d *demo) setUp(ctx context.Context, before standing, a common.Address, txs []common.Hash) (*big.Int, error) {
	cost, err := d.fees(ctx, txs...)
	if err != nil {
		return nil, err
	}
	now, err := d.c.Agent(ctx, a)
	if err != nil {
		return nil, err
	}
	return add(cost, sub(now.StakeWei.ToBig(), before.agent.StakeWei.ToBig())), nil
}

// fees of transactions.
func (d *demo) fees(ctx context.Context, txs ...common.Hash) (*big.Int, error) {
	sum := new(big.Int)
	for _, tx := range txs {
		r, err := d.c.Eth().TransactionReceipt(ctx, tx)
		if err != nil {
			return nil, fmt.Errorf("receipt of %v: %w", tx, err)
		}
		sum.Add(sum, client.Fee(r))
	}
	return sum, nil
}

func (d *demo) business(ctx context.Context) error {
	d.begin("One agent sells text.summarize, another buys it")
	seller, buyer := d.seller.account.Address(), d.buyer.account.Address()
	sellerBefore, err := d.standing(ctx, seller)
	if err != nil {
		return err
	}
	buyerBefore, err := d.standing(ctx, buyer)
	if err != nil {
		return err
	}
	d.showStanding("before", d.seller, sellerBefore)
	d.showStanding("before", d.buyer, buyerBefore)

	summarizer, err := d.seller.env(d.summarizerPath, nil, "--json", "--until-stdin-closes", "--rpc", d.rpc, "--da", d.da, "--price", price.String(), "--stake", stake.String())
	if err != nil {
		return err
	}
	defer summarizer.stop()
	ready, err := summarizer.next(ctx, "ready")
	if err != nil {
		return err
	}
	d.row("summarizer process", "pid %d   %s", summarizer.cmd.Process.Pid, ready.HTTP)
	d.showSetUp("seller registered", ready)

	b, err := d.runBuyer(ctx, "--capability", "text.summarize", "--prefer", seller.Hex(), "--ttl", "60s", "--sentences", "3")
	if err != nil {
		return err
	}
	d.row("found by capability", "%v   %d provider(s)   %s", b.found.Agent, b.found.Providers, ms(b.found.LatencyMs))
	d.row("INVOKE", "%v   block %d   %s", b.invoked.Tx, b.invoked.Block, ms(b.invoked.LatencyMs))
	d.row("interaction", "%v", b.invoked.ID)
	d.row("RESPOND", "%v   block %d   %s", b.settled.Tx, b.settled.Block, ms(b.settled.LatencyMs))
	d.check(b.exit == 0 && b.settled.Status == client.InteractionCompleted.String(), "outcome", "%s, buyer exits with %d", b.settled.Status, b.exit)
	d.check(b.found.Agent == seller, "callee is the summarizer", "%v", b.found.Agent)
	if err := d.checkPayloads(ctx, b); err != nil {
		return err
	}
	responded, err := summarizer.next(ctx, "responded")
	for err == nil && responded.ID != b.invoked.ID { // calls that others made meanwhile
		responded, err = summarizer.next(ctx, "responded")
	}
	if err != nil {
		return err
	}
	d.check(responded.Tx == b.settled.Tx, "summarizer says the same", "%v", responded.Tx)

	// The summarizer has nothing more to do; its key may be used here from now on.
	summarizer.stop()
	sellerAfter, err := d.standing(ctx, seller)
	if err != nil {
		return err
	}
	buyerAfter, err := d.standing(ctx, buyer)
	if err != nil {
		return err
	}
	d.showStanding("after", d.seller, sellerAfter)
	d.showStanding("after", d.buyer, buyerAfter)

	sellerCost, err := d.setUp(ctx, sellerBefore, seller, ready.Txs)
	if err != nil {
		return err
	}
	respondFee, err := d.fees(ctx, b.settled.Tx)
	if err != nil {
		return err
	}
	d.row("fees", "RESPOND %s   INVOKE %s", agnt(respondFee), agnt(b.invokeFee))
	d.equal("seller's balance changed by", sub(sellerAfter.balance, sellerBefore.balance), sub(price, add(respondFee, sellerCost)))
	buyerCost, err := d.setUp(ctx, buyerBefore, buyer, b.ready.Txs)
	if err != nil {
		return err
	}
	d.equal("buyer's balance changed by", sub(buyerAfter.balance, buyerBefore.balance), new(big.Int).Neg(add(price, b.invokeFee, buyerCost)))
	d.check(b.settled.Paid == price.String() && b.settled.Refunded == "0", "escrow", "paid %s wei, refunded %s wei", b.settled.Paid, b.settled.Refunded)
	d.check(buyerAfter.agent.EscrowedWei.Eq(&buyerBefore.agent.EscrowedWei) && buyerAfter.agent.PendingInvokes == buyerBefore.agent.PendingInvokes,
		"nothing left in escrow", "%v wei, %d pending", &buyerAfter.agent.EscrowedWei, buyerAfter.agent.PendingInvokes)
	d.check(sellerAfter.reputation.Completed == sellerBefore.reputation.Completed+1, "seller's completed calls", "%d → %d", sellerBefore.reputation.Completed, sellerAfter.reputation.Completed)
	d.check(!sellerAfter.reputation.Score.Lt(&sellerBefore.reputation.Score), "seller's score", "%v → %v", &sellerBefore.reputation.Score, &sellerAfter.reputation.Score)
	return nil
}

// checkPayloads fetches params and result again, from the store by the hashes on the chain, and looks at the summary.
func (d *demo) checkPayloads(ctx context.Context, b *purchase) error {
	onChain, err := d.c.Interaction(ctx, b.invoked.ID)
	if err != nil {
		return err
	}
	params, err := d.c.Payload(ctx, onChain.ParamsHash)
	if err != nil {
		return err
	}
	d.check(strings.Contains(string(params), "Software agents"), "params match their hash", "%v   %d bytes", onChain.ParamsHash, len(params))
	result, err := d.c.Payload(ctx, onChain.ResultHash)
	if err != nil {
		return err
	}
	d.check(crypto.Keccak256Hash([]byte(b.settled.Payload)) == onChain.ResultHash && string(result) == b.settled.Payload,
		"result matches its hash", "%v   %d bytes", onChain.ResultHash, len(result))
	var summary struct {
		Summary       string
		Sentences, Of int
	}
	if err := json.Unmarshal(result, &summary); err != nil {
		return fmt.Errorf("result: %w", err)
	}
	taken := summary.Summary != "" && len(summary.Summary) < len(article)/2
	for _, s := range strings.SplitAfter(summary.Summary, ". ") {
		taken = taken && strings.Contains(article, strings.TrimSpace(s))
	}
	d.check(taken && summary.Sentences == 3, "summary is of the text", "%d of %d sentences", summary.Sentences, summary.Of)
	for i, line := range wrap(summary.Summary, 100) {
		name := ""
		if i == 0 {
			name = "summary"
		}
		d.row(name, "%s", line)
	}
	return nil
}

func (d *demo) showSetUp(name string, e process.Event) {
	if len(e.Txs) == 0 {
		d.row(name, "already, nothing to send")
	}
	for _, tx := range e.Txs {
		d.row(name, "%v   %s", tx, ms(e.LatencyMs))
	}
}

// purchase is what a buyer process reported.
type purchase struct {
	ready, found, invoked, settled process.Event
	invokeFee                      *big.Int
	exit                           int
}

func (d *demo) runBuyer(ctx context.Context, args ...string) (*purchase, error) {
	proc, err := d.buyer.env(d.buyerPath, []byte(article), append([]string{"--json", "--rpc", d.rpc, "--da", d.da, "--stake", stake.String(), "--max-price", price.String()}, args...)...)
	if err != nil {
		return nil, err
	}
	defer proc.stop()
	b := new(purchase)
	for _, e := range []struct {
		name string
		into *process.Event
	}{{"ready", &b.ready}, {"found", &b.found}, {"invoked", &b.invoked}, {"settled", &b.settled}} {
		if *e.into, err = proc.next(ctx, e.name); err != nil {
			return nil, err
		}
		if e.name == "ready" {
			d.row("buyer process", "pid %d", proc.cmd.Process.Pid)
			d.showSetUp("buyer registered", b.ready)
		}
	}
	if b.exit, err = proc.wait(ctx); err != nil {
		return nil, err
	}
	b.invokeFee, err = d.fees(ctx, b.invoked.Tx)
	return b, err
}

// timeout buys from an agent that never answers.
func (d *demo) timeout(ctx context.Context) error {
	d.begin("A call that nobody answers times out and is refunded")
	key, err := crypto.GenerateKey()
	if err != nil {
		return err
	}
	sleeper := party{name: "sleeper", account: d.c.Account(key)}
	funding, err := d.buyer.account.Transfer(ctx, sleeper.account.Address(), sleeperFunds)
	if err != nil {
		return err
	}
	d.row("transfer to a new agent", "%v   block %v", funding.TxHash, funding.BlockNumber)
	offer := abi.Capability{Name: sleepCapability, LatencyMsP99: 1000}
	if offer.PriceWei.SetFromBig(price) {
		return fmt.Errorf("price %v is out of range", price)
	}
	registered, err := sleeper.account.Register(ctx, client.Registration{Name: "sleeper", Version: "1", Capabilities: []abi.Capability{offer}, StakeWei: stake})
	if err != nil {
		return err
	}
	d.row("sleeper registered", "%v   block %v", registered.TxHash, registered.BlockNumber)
	sleeperBefore, err := d.standing(ctx, sleeper.account.Address())
	if err != nil {
		return err
	}
	d.equal("sleeper's balance", sleeperBefore.balance, sub(sleeperFunds, add(stake, client.Fee(registered))))
	buyerBefore, err := d.standing(ctx, d.buyer.account.Address())
	if err != nil {
		return err
	}
	d.showStanding("before", sleeper, sleeperBefore)

	b, err := d.runBuyer(ctx, "--capability", sleepCapability, "--prefer", sleeper.account.Address().Hex(), "--ttl", sleepTTL.String())
	if err != nil {
		return err
	}
	d.row("INVOKE", "%v   block %d   %s   TTL %v", b.invoked.Tx, b.invoked.Block, ms(b.invoked.LatencyMs), sleepTTL)
	d.row("TimedOut event", "%v   block %d   %s", b.settled.Tx, b.settled.Block, ms(b.settled.LatencyMs))
	d.check(b.exit == 3 && b.settled.Status == client.InteractionTimedOut.String(), "outcome", "%s, buyer exits with %d", b.settled.Status, b.exit)
	if err := d.checkSweep(ctx, b); err != nil {
		return err
	}
	buyerAfter, err := d.standing(ctx, d.buyer.account.Address())
	if err != nil {
		return err
	}
	sleeperAfter, err := d.standing(ctx, sleeper.account.Address())
	if err != nil {
		return err
	}
	d.showStanding("after", sleeper, sleeperAfter)
	buyerCost, err := d.setUp(ctx, buyerBefore, d.buyer.account.Address(), b.ready.Txs)
	if err != nil {
		return err
	}
	d.check(b.settled.Paid == "0" && b.settled.Refunded == price.String(), "escrow", "paid %s wei, refunded %s wei", b.settled.Paid, b.settled.Refunded)
	d.equal("buyer's balance changed by", sub(buyerAfter.balance, buyerBefore.balance), new(big.Int).Neg(add(b.invokeFee, buyerCost)))
	d.equal("sleeper's balance changed by", sub(sleeperAfter.balance, sleeperBefore.balance), new(big.Int))
	d.check(sleeperAfter.reputation.Timeouts == sleeperBefore.reputation.Timeouts+1 && sleeperAfter.reputation.PenaltyUnits == sleeperBefore.reputation.PenaltyUnits+4,
		"sleeper's timeouts", "%d → %d, penalty units %d → %d", sleeperBefore.reputation.Timeouts, sleeperAfter.reputation.Timeouts, sleeperBefore.reputation.PenaltyUnits, sleeperAfter.reputation.PenaltyUnits)

	gone, err := sleeper.account.Deregister(ctx)
	if err != nil {
		return err
	}
	view, err := d.c.Agent(ctx, sleeper.account.Address())
	if err != nil {
		return err
	}
	d.check(client.AgentStatus(view.Status) == client.AgentDeregistered, "sleeper deregistered", "%v   block %v", gone.TxHash, gone.BlockNumber)
	return nil
}

// checkSweep looks at who settled a time-out: no transaction of anybody's, but the deposit that opens the first block
// after the deadline.
func (d *demo) checkSweep(ctx context.Context, b *purchase) error {
	block, err := d.c.Eth().BlockByNumber(ctx, new(big.Int).SetUint64(b.settled.Block))
	if err != nil {
		return err
	}
	first := block.Transactions()[0]
	d.check(first.Type() == types.DepositTxType && first.Hash() == b.settled.Tx, "settled by the block itself", "in the receipt of its first deposit")
	record, err := d.c.Interaction(ctx, b.invoked.ID)
	if err != nil {
		return err
	}
	d.check(record.Deadline < block.Time(), "after the deadline", "deadline %d, block time %d", record.Deadline, block.Time())
	return nil
}

func (d *demo) deposit(ctx context.Context) error {
	d.begin("A deposit from L1")
	return d.depositTo(ctx, d.buyer, depositValue)
}

// withdraw starts a withdrawal of what the seller earned and proves it against the block.
func (d *demo) withdraw(ctx context.Context) error {
	d.begin("A withdrawal to L1, initiated on L2")
	account := d.seller.account
	before, err := d.c.Balance(ctx, account.Address())
	if err != nil {
		return err
	}
	started := time.Now()
	w, err := account.InitiateWithdrawal(ctx, account.Address(), withdrawn, withdrawalGas, nil)
	if err != nil {
		return err
	}
	d.row("initiateWithdrawal", "%v   block %v   %s", w.Receipt.TxHash, w.Receipt.BlockNumber, seconds(time.Since(started)))
	after, err := d.c.Balance(ctx, account.Address())
	if err != nil {
		return err
	}
	d.equal("seller's balance changed by", sub(after, before), new(big.Int).Neg(add(withdrawn, client.Fee(w.Receipt))))
	d.check(w.Sender == account.Address() && w.Target == account.Address() && w.ValueWei.Cmp(withdrawn) == 0 && w.GasLimit.Uint64() == withdrawalGas,
		"MessagePassed event", "hash %v, that of its fields", w.Hash)
	proof, err := d.c.ProveWithdrawal(ctx, w, nil)
	if err != nil {
		return err
	}
	d.check(proof.Verify() == nil, "eth_getProof", "%d nodes lead from slot %v", len(proof.StorageProof), proof.Slot)
	d.row("to withdrawalsRoot", "%v of block %v", *proof.Block.WithdrawalsHash, proof.Block.Number)
	return nil
}

func wei(f float64) *big.Int { n, _ := big.NewFloat(f).Int(nil); return n }

func add(ns ...*big.Int) *big.Int {
	sum := new(big.Int)
	for _, n := range ns {
		sum.Add(sum, n)
	}
	return sum
}

func sub(a, b *big.Int) *big.Int { return new(big.Int).Sub(a, b) }

func ms(n int64) string { return seconds(time.Duration(n) * time.Millisecond) }

// wrap breaks a text into lines of at most width runes, between words.
func wrap(text string, width int) (lines []string) {
	line := ""
	for _, w := range strings.Fields(text) {
		if line != "" && len([]rune(line))+1+len([]rune(w)) > width {
			lines, line = append(lines, line), ""
		}
		line = strings.TrimSpace(line + " " + w)
	}
	return append(lines, line)
}
