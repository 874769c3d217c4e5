package main

import (
	"context"
	"fmt"
	"math/big"
	"os"
	"strings"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/holiman/uint256"
	"github.com/urfave/cli/v2"

	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/client"
	"github.com/agnt2/agnt2/client/cmd/internal/process"
)

const (
	channelStates     = 50 // exchanged off-chain
	checkpointedState = 30
	staleState        = 35 // what the payer closes with
	channelTTL        = 10 * time.Minute
	channelHeartbeat  = 3 * time.Second
	headPoll          = 100 * time.Millisecond
	slashShare        = 10 // a tenth of what is slashed goes to the reporter
)

var (
	channelDeposit = wei(2e15) // of the payer
	channelPledge  = wei(1e15) // of the payee
	channelAdded   = wei(5e14) // by the payee, in a proposal that crosses
	channelPrice   = wei(1e13) // of one interaction
)

// channelCommand takes a channel through its life on a running devnet, and a second one to its bad end.
func channelCommand() *cli.Command {
	return &cli.Command{
		Name: "channel", Usage: "two agents do business in a channel, one cheats at the end, then both sign twice",
		Description: "Every amount is checked to the wei against the receipts; the exit code is 1 if anything is off.",
		Flags: []cli.Flag{
			process.RPCFlag, process.JSONFlag,
			&cli.StringFlag{Name: "data", EnvVars: []string{"AGNT2_DEVNET_DATA"}, Value: "devnet/.data", Usage: "the devnet's data directory"},
			&cli.DurationFlag{Name: "timeout", Value: 4 * time.Minute, Usage: "time for everything"},
			&cli.StringFlag{Name: "payer", Value: "agent2", Usage: "name in keys.json of the agent that pays"},
			&cli.StringFlag{Name: "payee", Value: "agent3", Usage: "name in keys.json of the agent that is paid"},
			&cli.StringFlag{Name: "watchtower", Value: "agent1", Usage: "name in keys.json of who sends what others have signed"},
		},
		Action: runChannel,
	}
}

func runChannel(cc *cli.Context) error {
	ctx, cancel := context.WithTimeout(cc.Context, cc.Duration("timeout"))
	defer cancel()
	files, err := readDevnet(cc.String("data"))
	if err != nil {
		return err
	}
	c, err := client.Dial(ctx, client.Config{RPC: cc.String("rpc")})
	if err != nil {
		return err
	}
	defer c.Close()
	d := &channelDemo{report: &report{out: os.Stdout, json: cc.Bool("json")}, c: c}
	for flag, account := range map[string]**client.Account{"payer": &d.payer, "payee": &d.payee, "watchtower": &d.watchtower} {
		key, ok := files.keys[cc.String(flag)]
		if !ok {
			return fmt.Errorf("keys.json has no account %q", cc.String(flag))
		}
		*account = c.Account(key)
	}
	return d.run(ctx)
}

// channelDemo is one run.
type channelDemo struct {
	*report
	c                        *client.Client
	payer, payee, watchtower *client.Account
	latest                   client.SignedState
	states                   []client.SignedState // by nonce
	id                       common.Hash
}

func (d *channelDemo) run(ctx context.Context) error {
	started := time.Now()
	for _, step := range []func(context.Context) error{d.register, d.open, d.cross, d.exchange, d.checkpoint, d.close, d.signTwice} {
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

// money is what the three accounts own: balances and stakes.
type money struct{ balance, stake map[*client.Account]*big.Int }

func (d *channelDemo) money(ctx context.Context) (m money, err error) {
	m = money{map[*client.Account]*big.Int{}, map[*client.Account]*big.Int{}}
	for _, a := range []*client.Account{d.payer, d.payee, d.watchtower} {
		if m.balance[a], err = d.c.Balance(ctx, a.Address()); err != nil {
			return m, err
		}
		view, err := d.c.Agent(ctx, a.Address())
		if err != nil {
			return m, err
		}
		m.stake[a] = view.StakeWei.ToBig()
	}
	return m, nil
}

// changed checks how much a balance has changed: by amounts, less the fees of what the account sent.
func (d *channelDemo) changed(name string, a *client.Account, before, after money, amount *big.Int, sent ...*types.Receipt) {
	want := new(big.Int).Set(amount)
	for _, r := range sent {
		want.Sub(want, client.Fee(r))
	}
	d.equal(name+"'s balance changed by", sub(after.balance[a], before.balance[a]), want)
}

// register makes both agents, with a stake that they can lose.
func (d *channelDemo) register(ctx context.Context) error {
	d.begin("Two agents with a stake")
	for name, a := range map[string]*client.Account{"payer": d.payer, "payee": d.payee} {
		view, err := d.c.Agent(ctx, a.Address())
		if err != nil {
			return err
		}
		missing := sub(stake, view.StakeWei.ToBig())
		if missing.Sign() < 0 {
			missing.SetInt64(0)
		}
		var receipt *types.Receipt
		switch {
		case client.AgentStatus(view.Status) != client.AgentActive:
			receipt, err = a.Register(ctx, client.Registration{Name: "channel " + name, Version: "1", StakeWei: missing})
		case missing.Sign() > 0:
			receipt, err = a.TopUpStake(ctx, missing)
		}
		if receipt != nil {
			_, err = d.settled(ctx, receipt, err)
		}
		if err != nil {
			return err
		}
		pair, err := d.c.ChannelPair(ctx, d.payer.Address(), d.payee.Address())
		if err != nil {
			return err
		}
		if pair.ChannelId != (common.Hash{}) {
			return fmt.Errorf("the two have channel %v already; it closes by itself when its time is over", pair.ChannelId)
		}
		d.row(name, "%v   stake %s AGNT", a.Address(), agnt(stake))
	}
	d.row("watchtower", "%v", d.watchtower.Address())
	return nil
}

// propose has both sign terms, and a third send them.
func (d *channelDemo) propose(ctx context.Context, from, to *client.Account, own, peer *big.Int) (*client.OpenedChannel, error) {
	terms, err := from.ChannelTerms(ctx, client.ChannelProposal{
		Peer: to.Address(), DepositWei: own, PeerDepositWei: peer, TTL: channelTTL, MaxInteractions: 10_000, Heartbeat: channelHeartbeat,
		ValidUntil: time.Now().Add(time.Hour),
	})
	if err != nil {
		return nil, err
	}
	sigA, sigB, err := d.bothSign(func(a *client.Account) ([]byte, error) { return a.SignChannelTerms(&terms) })
	if err != nil {
		return nil, err
	}
	opened, err := d.watchtower.OpenChannel(ctx, terms, sigA, sigB)
	if err != nil {
		return nil, err
	}
	return opened, d.reached(ctx, opened.Receipt.BlockNumber.Uint64())
}

// settled waits until the chain's head has what a receipt reports, so that what is asked next is answered from there.
func (d *channelDemo) settled(ctx context.Context, r *types.Receipt, err error) (*types.Receipt, error) {
	if err != nil {
		return nil, err
	}
	return r, d.reached(ctx, r.BlockNumber.Uint64())
}

func (d *channelDemo) reached(ctx context.Context, block uint64) error {
	for {
		head, err := d.c.Eth().BlockNumber(ctx)
		if err != nil || head >= block {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(headPoll):
		}
	}
}

// bothSign returns the signatures in the order of the channel.
func (d *channelDemo) bothSign(sign func(*client.Account) ([]byte, error)) (sigA, sigB []byte, err error) {
	a, b := d.payer, d.payee
	if first, _ := client.ChannelParties(a.Address(), b.Address()); first != a.Address() {
		a, b = b, a
	}
	if sigA, err = sign(a); err == nil {
		sigB, err = sign(b)
	}
	return sigA, sigB, err
}

func (d *channelDemo) open(ctx context.Context) error {
	d.begin("The payer proposes a channel; both sign, the watchtower sends it")
	before, err := d.money(ctx)
	if err != nil {
		return err
	}
	opened, err := d.propose(ctx, d.payer, d.payee, channelDeposit, channelPledge)
	if err != nil {
		return err
	}
	d.id = opened.ID
	d.row("openChannel", "%v   block %v   %d gas", opened.Receipt.TxHash, opened.Receipt.BlockNumber, opened.Receipt.GasUsed)
	d.row("channel", "%v", d.id)
	d.check(!opened.Existed, "it is new", "event ChannelOpened")
	after, err := d.money(ctx)
	if err != nil {
		return err
	}
	d.changed("payer", d.payer, before, after, new(big.Int).Neg(channelDeposit))
	d.changed("payee", d.payee, before, after, new(big.Int).Neg(channelPledge))
	d.changed("watchtower", d.watchtower, before, after, new(big.Int), opened.Receipt)
	return nil
}

// cross has the payee propose too, as if it had not heard of the payer's proposal.
func (d *channelDemo) cross(ctx context.Context) error {
	d.begin("The payee's proposal crosses: it adds to the channel")
	before, err := d.money(ctx)
	if err != nil {
		return err
	}
	opened, err := d.propose(ctx, d.payee, d.payer, channelAdded, new(big.Int))
	if err != nil {
		return err
	}
	d.check(opened.Existed && opened.ID == d.id, "same channel", "event ChannelExists")
	after, err := d.money(ctx)
	if err != nil {
		return err
	}
	d.changed("payee", d.payee, before, after, new(big.Int).Neg(channelAdded))
	view, err := d.c.Channel(ctx, d.id)
	if err != nil {
		return err
	}
	sum := new(uint256.Int).Add(&view.FundedA, &view.FundedB)
	d.equal("paid in", sum.ToBig(), add(channelDeposit, channelPledge, channelAdded))
	sum.Add(&view.DepositA, &view.DepositB)
	d.equal("divided so far", sum.ToBig(), add(channelDeposit, channelPledge))
	return nil
}

// exchange has the payer pay for one interaction after the other, off-chain.
func (d *channelDemo) exchange(ctx context.Context) error {
	d.begin(fmt.Sprintf("%d interactions off-chain", channelStates))
	view, err := d.c.Channel(ctx, d.id)
	if err != nil {
		return err
	}
	head, err := d.c.Eth().BlockNumber(ctx)
	if err != nil {
		return err
	}
	d.states = []client.SignedState{{ChannelState: client.ChannelState{
		ChannelId: d.id, BalanceA: view.BalanceA, BalanceB: view.BalanceB, DepositA: view.DepositA, DepositB: view.DepositB,
	}}}
	started := time.Now()
	for range channelStates {
		next := d.states[len(d.states)-1].ChannelState
		next.Nonce++
		next.InteractionCount++
		d.pay(&next, channelPrice)
		signed, err := d.coSign(next)
		if err != nil {
			return err
		}
		if err := d.c.VerifyState(signed, view.AgentA, view.AgentB); err != nil {
			return err
		}
		d.states = append(d.states, *signed)
	}
	d.row("signed and verified", "%d states in %s, from block %d on, without a transaction", channelStates, seconds(time.Since(started)), head)
	d.latest = d.states[channelStates]
	payer, payee := d.balances(&d.latest.ChannelState)
	price := new(big.Int).Mul(channelPrice, big.NewInt(channelStates))
	d.equal("payer's", payer, sub(channelDeposit, price))
	d.equal("payee's", payee, add(channelPledge, price))
	return nil
}

func (d *channelDemo) payerIsA() bool {
	a, _ := client.ChannelParties(d.payer.Address(), d.payee.Address())
	return a == d.payer.Address()
}

// pay moves wei in a state from the payer to the payee.
func (d *channelDemo) pay(s *client.ChannelState, amount *big.Int) {
	from, to := &s.BalanceA, &s.BalanceB
	if !d.payerIsA() {
		from, to = to, from
	}
	n, _ := uint256.FromBig(amount)
	from.Sub(from, n)
	to.Add(to, n)
}

// balances are the payer's and the payee's in a state.
func (d *channelDemo) balances(s *client.ChannelState) (payer, payee *big.Int) {
	if d.payerIsA() {
		return s.BalanceA.ToBig(), s.BalanceB.ToBig()
	}
	return s.BalanceB.ToBig(), s.BalanceA.ToBig()
}

func (d *channelDemo) coSign(s client.ChannelState) (*client.SignedState, error) {
	sigA, sigB, err := d.bothSign(func(a *client.Account) ([]byte, error) { return a.SignChannelState(&s) })
	return &client.SignedState{ChannelState: s, SigA: sigA, SigB: sigB}, err
}

func (d *channelDemo) checkpoint(ctx context.Context) error {
	d.begin(fmt.Sprintf("A checkpoint of state %d", checkpointedState))
	receipt, err := d.payee.Checkpoint(ctx, d.states[checkpointedState])
	receipt, err = d.settled(ctx, receipt, err)
	if err != nil {
		return err
	}
	d.row("checkpoint", "%v   block %v   %d gas for %d interactions", receipt.TxHash, receipt.BlockNumber, receipt.GasUsed, checkpointedState)
	view, err := d.c.Channel(ctx, d.id)
	if err != nil {
		return err
	}
	d.check(view.Nonce == checkpointedState && view.InteractionCount == checkpointedState, "recorded", "nonce %d, %d interactions", view.Nonce, view.InteractionCount)
	return nil
}

// close has the payer close with a state that hides its last payments, and the watchtower answer.
func (d *channelDemo) close(ctx context.Context) error {
	d.begin(fmt.Sprintf("The payer closes with state %d, the watchtower answers with state %d", staleState, channelStates))
	before, err := d.money(ctx)
	if err != nil {
		return err
	}
	closing, err := d.payer.CloseChannel(ctx, d.states[staleState])
	closing, err = d.settled(ctx, closing, err)
	if err != nil {
		return err
	}
	d.row("closeChannel", "%v   block %v", closing.TxHash, closing.BlockNumber)
	view, err := d.c.Channel(ctx, d.id)
	if err != nil {
		return err
	}
	d.check(client.ChannelStatus(view.Status) == client.ChannelClosing && view.Nonce == staleState, "closing", "with nonce %d, until %d", view.Nonce, view.ClosesAt)
	answer, err := d.watchtower.DisputeChannel(ctx, d.latest)
	answer, err = d.settled(ctx, answer, err)
	if err != nil {
		return err
	}
	d.row("disputeChannel", "%v   block %v", answer.TxHash, answer.BlockNumber)
	after, err := d.c.Channel(ctx, d.id)
	if err != nil {
		return err
	}
	d.check(after.Nonce == channelStates && after.ClosesAt == view.ClosesAt, "replaced", "with nonce %d; the window ends as before", after.Nonce)
	if _, err := d.payer.DisputeChannel(ctx, d.states[staleState]); err == nil {
		d.check(false, "the stale state is refused", "it was accepted")
	} else {
		d.check(strings.Contains(err.Error(), "StaleState"), "the stale state is refused", "%v", err)
	}
	closed, err := d.c.WaitChannelClosed(ctx, d.id, closing.BlockNumber.Uint64())
	if err != nil {
		return err
	}
	d.row("closed by the sweep", "block %d   paid %s and %s AGNT", closed.BlockNumber, agnt(closed.PaidA.ToBig()), agnt(closed.PaidB.ToBig()))
	if err := d.reached(ctx, closed.BlockNumber); err != nil {
		return err
	}
	end, err := d.money(ctx)
	if err != nil {
		return err
	}
	payer, payee := d.balances(&d.latest.ChannelState)
	d.changed("payer", d.payer, before, end, payer, closing)
	d.changed("payee", d.payee, before, end, add(payee, channelAdded)) // what it added was never divided
	d.changed("watchtower", d.watchtower, before, end, new(big.Int), answer)
	return nil
}

// signTwice ends a second channel by two states with one nonce.
func (d *channelDemo) signTwice(ctx context.Context) error {
	d.begin("In a second channel both sign two states with one nonce")
	opened, err := d.propose(ctx, d.payer, d.payee, channelDeposit, channelPledge)
	if err != nil {
		return err
	}
	view, err := d.c.Channel(ctx, opened.ID)
	if err != nil {
		return err
	}
	state := client.ChannelState{
		ChannelId: opened.ID, Nonce: 1, BalanceA: view.BalanceA, BalanceB: view.BalanceB, DepositA: view.DepositA, DepositB: view.DepositB, InteractionCount: 1,
	}
	first, err := d.coSign(state)
	if err != nil {
		return err
	}
	d.pay(&state, channelPrice)
	second, err := d.coSign(state)
	if err != nil {
		return err
	}
	before, err := d.money(ctx)
	if err != nil {
		return err
	}
	report, err := d.watchtower.ReportDoubleSigning(ctx, *first, *second)
	report, err = d.settled(ctx, report, err)
	if err != nil {
		return err
	}
	d.row("reportDoubleSigning", "%v   block %v   %d gas", report.TxHash, report.BlockNumber, report.GasUsed)
	slashed, reward := map[common.Address]*big.Int{}, new(big.Int)
	for _, l := range report.Logs {
		if e, err := abi.DecodeSlashedEvent(l); err == nil {
			slashed[e.Agent] = e.SlashedWei.ToBig()
			reward.Add(reward, e.RewardWei.ToBig())
		}
	}
	d.check(len(slashed) == 2, "slashed", "%d agents", len(slashed))
	after, err := d.money(ctx)
	if err != nil {
		return err
	}
	want := new(big.Int)
	for name, a := range map[string]*client.Account{"payer": d.payer, "payee": d.payee} {
		lost := slashed[a.Address()]
		if lost == nil {
			lost = new(big.Int)
		}
		d.check(lost.Sign() > 0, name+" loses stake", "%s AGNT", agnt(lost))
		d.equal(name+"'s stake changed by", sub(after.stake[a], before.stake[a]), new(big.Int).Neg(lost))
		want.Add(want, new(big.Int).Div(lost, big.NewInt(slashShare)))
	}
	d.equal("reward", reward, want)
	d.changed("watchtower", d.watchtower, before, after, reward, report)
	d.changed("payer", d.payer, before, after, channelDeposit) // the opening state stands
	d.changed("payee", d.payee, before, after, channelPledge)
	return nil
}
