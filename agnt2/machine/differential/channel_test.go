package differential

import (
	"crypto/ecdsa"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/agnt2/record"
	"github.com/agnt2/agnt2/agnt2/vm"
)

// parties are two agents of a scenario, A the one with the lower address.
type parties struct {
	s    *scenario
	a, b string
}

func (s *scenario) parties(x, y string) *parties {
	if address(x).Cmp(address(y)) > 0 {
		x, y = y, x
	}
	return &parties{s, x, y}
}

func signed(digest common.Hash, k *ecdsa.PrivateKey) []byte {
	sig, err := crypto.Sign(digest[:], k)
	if err != nil {
		panic(err)
	}
	sig[64] += 27
	return sig
}

func (p *parties) pair() (r record.ChannelPair) {
	if b := p.s.records[record.ChannelPairKey(address(p.a), address(p.b))]; b != nil {
		var err error
		r, err = record.DecodeChannelPair(b)
		require.NoError(p.s.t, err)
	}
	return r
}

// terms are signed by both after the changes, and then changed again.
func (p *parties) terms(ttl uint32, before func(*abi.ChannelTerms), after func(*abi.OpenChannelCall)) *abi.OpenChannelCall {
	c := &abi.OpenChannelCall{Terms: abi.ChannelTerms{
		AgentA: address(p.a), AgentB: address(p.b), DepositA: *uint256.NewInt(60), DepositB: *uint256.NewInt(40), TtlSeconds: ttl, MaxInteractions: 5000,
		HeartbeatSeconds: min(3, ttl), Initiator: address(p.a), Nonce: p.pair().NonceA, ValidUntil: p.s.time + 100,
	}}
	if before != nil {
		before(&c.Terms)
	}
	digest := vm.ChannelTermsDigest(&c.Terms, stepsChainID)
	c.SigA, c.SigB = signed(digest, key(p.a)), signed(digest, key(p.b))
	if after != nil {
		after(c)
	}
	return c
}

// state is signed by both: it divides the opening deposits.
func (p *parties) state(id common.Hash, nonce, a, b, count uint64, change ...func(*abi.ChannelState)) (st abi.ChannelState, sigA, sigB []byte) {
	st = abi.ChannelState{
		ChannelId: id, Nonce: nonce, BalanceA: *uint256.NewInt(a), BalanceB: *uint256.NewInt(b), DepositA: *uint256.NewInt(60),
		DepositB: *uint256.NewInt(40), InteractionCount: count,
	}
	for _, f := range change {
		f(&st)
	}
	digest := vm.ChannelStateDigest(&st, stepsChainID)
	return st, signed(digest, key(p.a)), signed(digest, key(p.b))
}

func final(st *abi.ChannelState) { st.IsFinal = true }

// channels takes every way of the channel's micro-steps.
func (s *scenario) channels() {
	p := s.parties("caller", "other")
	checkpoint := func(st abi.ChannelState, a, b []byte) *abi.CheckpointCall {
		return &abi.CheckpointCall{State: st, SigA: a, SigB: b}
	}
	close := func(st abi.ChannelState, a, b []byte) *abi.CloseChannelCall {
		return &abi.CloseChannelCall{State: st, SigA: a, SigB: b}
	}
	dispute := func(st abi.ChannelState, a, b []byte) *abi.DisputeChannelCall {
		return &abi.DisputeChannelCall{State: st, SigA: a, SigB: b}
	}
	unsigned := func(id common.Hash) *abi.CloseChannelCall {
		return &abi.CloseChannelCall{State: abi.ChannelState{ChannelId: id}}
	}
	stranger := func(c *abi.OpenChannelCall) {
		c.SigB = signed(vm.ChannelTermsDigest(&c.Terms, stepsChainID), key("third"))
	}
	nobody := common.Hash{0xee}

	s.open(1)
	long := func(before func(*abi.ChannelTerms)) *abi.OpenChannelCall { return p.terms(20, before, nil) }
	s.fails("openChannelArgs OutOfGas", "third", 0, long(nil), gasLimit(4+19*32+11_999))
	for _, f := range []func(*abi.ChannelTerms){
		func(t *abi.ChannelTerms) { t.AgentA, t.AgentB = t.AgentB, t.AgentA },
		func(t *abi.ChannelTerms) { t.AgentB = t.AgentA },
		func(t *abi.ChannelTerms) { t.AgentA = common.Address{} },
	} {
		s.fails("openChannelArgs FieldOutOfRange terms.agentA", "third", 0, long(f))
	}
	s.fails("openChannelArgs FieldOutOfRange terms.depositA", "third", 0, long(func(t *abi.ChannelTerms) { t.DepositA, t.DepositB = uint256.Int{}, uint256.Int{} }))
	s.fails("openChannelArgs TtlOutOfBounds", "third", 0, long(func(t *abi.ChannelTerms) { t.TtlSeconds = 0 }))
	s.fails("openChannelArgs TtlOutOfBounds", "third", 0, long(func(t *abi.ChannelTerms) { t.TtlSeconds = 61 }))
	s.fails("openChannelArgs FieldOutOfRange terms.maxInteractions", "third", 0, long(func(t *abi.ChannelTerms) { t.MaxInteractions = 0 }))
	s.fails("openChannelArgs FieldOutOfRange terms.heartbeatSeconds", "third", 0, long(func(t *abi.ChannelTerms) { t.HeartbeatSeconds = 0 }))
	s.fails("openChannelArgs FieldOutOfRange terms.heartbeatSeconds", "third", 0, long(func(t *abi.ChannelTerms) { t.HeartbeatSeconds = 21 }))
	s.fails("openChannelArgs FieldOutOfRange terms.initiator", "third", 0, long(func(t *abi.ChannelTerms) { t.Initiator = address("third") }))
	s.fails("openChannelArgs ChannelTermsExpired", "third", 0, long(func(t *abi.ChannelTerms) { t.ValidUntil = s.time - 1 }))
	for _, f := range []func(*abi.OpenChannelCall){
		stranger,
		func(c *abi.OpenChannelCall) { c.SigA, c.SigB = c.SigB, c.SigA },
		func(c *abi.OpenChannelCall) { c.SigA = nil },
		func(c *abi.OpenChannelCall) { c.SigB = c.SigB[:64] },
		func(c *abi.OpenChannelCall) { c.SigA[64] = 29 },
		func(c *abi.OpenChannelCall) { c.Terms.DepositB.AddUint64(&c.Terms.DepositB, 1) },
		func(c *abi.OpenChannelCall) { c.Terms.ValidUntil++ },
	} {
		s.fails("openChannelArgs BadChannelSignature", "third", 0, p.terms(20, nil, f))
	}
	s.fails("openChannelPair ChannelTermsNonce", "third", 0, long(func(t *abi.ChannelTerms) { t.Nonce++ }))
	s.fails("openChannelPair ChannelTermsNonce", "third", 0, long(func(t *abi.ChannelTerms) { t.Initiator, t.Nonce = t.AgentB, 7 }))
	s.fails("openChannelAccount NotRegistered", "third", 0, s.parties("caller", "third").terms(20, nil, nil))
	k := record.AccountKey(long(nil).Terms.AgentA)
	own := s.records[k]
	delegated, err := record.DecodeAccount(own)
	require.NoError(s.t, err)
	delegated.Owner = address("other")
	s.set(k, delegated.Encode())
	s.state.Root = s.tree.Root()
	s.fails("openChannelAccount AccountDelegated", "third", 0, long(nil))
	s.set(k, own)
	s.state.Root = s.tree.Root()
	s.fails("openChannelAccount DepositNotCovered", "third", 0, long(func(t *abi.ChannelTerms) { t.DepositA.SetAllOne() }))
	s.fails("openChannelAccount DepositNotCovered", "third", 0, long(func(t *abi.ChannelTerms) { t.DepositB.SetAllOne() }))
	s.do("third", 0, long(nil))
	id := s.op.Id
	s.do(p.b, 0, long(func(t *abi.ChannelTerms) { // the other one's proposal crossed: a top-up
		t.Initiator, t.Nonce, t.DepositA, t.DepositB, t.ValidUntil = t.AgentB, 0, *uint256.NewInt(7), uint256.Int{}, s.time
	}), deposit)
	require.Equal(s.t, id, s.op.Id)

	// Checkpoints.
	s.fails("channelStateArgs OutOfGas", "third", 0, checkpoint(p.state(id, 1, 50, 50, 1)), gasLimit(12_000))
	good := checkpoint(p.state(id, 1, 50, 50, 1000))
	bad := func(f func(c *abi.CheckpointCall)) *abi.CheckpointCall {
		c := checkpoint(p.state(id, 1, 50, 50, 1000))
		f(c)
		return c
	}
	s.fails("channelStateArgs FieldOutOfRange sigA", "third", 0, bad(func(c *abi.CheckpointCall) { c.SigA = nil }))
	s.fails("channelStateArgs FieldOutOfRange sigA", "third", 0, bad(func(c *abi.CheckpointCall) { c.SigA, c.SigB = nil, nil }))
	s.fails("channelStateArgs FieldOutOfRange sigA", "third", 0, bad(func(c *abi.CheckpointCall) { c.SigA = make([]byte, 90_000) }))
	s.fails("channelStateArgs FieldOutOfRange sigB", "third", 0, bad(func(c *abi.CheckpointCall) { c.SigB = make([]byte, 66) }))
	s.fails("channelStateArgs FieldOutOfRange state.isFinal", "third", 0, checkpoint(p.state(id, 1, 50, 50, 1, final)))
	s.fails("channelStateArgs FieldOutOfRange state.isFinal", "third", 0, dispute(p.state(id, 1, 50, 50, 1, final)))
	s.fails("channelStateArgs BalancesDoNotSum", "third", 0, checkpoint(p.state(id, 1, 50, 51, 1)))
	over := func(of ...func(*abi.ChannelState) *uint256.Int) func(*abi.ChannelState) {
		return func(st *abi.ChannelState) {
			for _, f := range of {
				f(st).SetAllOne()
			}
		}
	}
	balanceA := func(st *abi.ChannelState) *uint256.Int { return &st.BalanceA }
	depositA := func(st *abi.ChannelState) *uint256.Int { return &st.DepositA }
	s.fails("channelStateArgs BalancesDoNotSum", "third", 0, checkpoint(p.state(id, 1, 50, 101, 1, over(balanceA))))
	s.fails("channelStateArgs BalancesDoNotSum", "third", 0, checkpoint(p.state(id, 1, 40, 0, 1, over(depositA))))
	s.fails("channelStateArgs BalancesDoNotSum", "third", 0, checkpoint(p.state(id, 1, 40, 40, 1, over(balanceA, depositA))))
	s.fails("checkpointChannel ChannelUnknown", "third", 0, checkpoint(p.state(nobody, 1, 50, 50, 1)))
	for _, f := range []func(c *abi.CheckpointCall){
		func(c *abi.CheckpointCall) { c.SigA, c.SigB = c.SigB, c.SigA },
		func(c *abi.CheckpointCall) { c.SigB = c.SigA },
		func(c *abi.CheckpointCall) { c.SigA = make([]byte, 65) },
		func(c *abi.CheckpointCall) { c.State.Nonce++ },
	} {
		s.fails("checkpointChannel BadChannelSignature", "third", 0, bad(f))
	}
	s.fails("checkpointChannel StaleState", "third", 0, checkpoint(p.state(id, 0, 50, 50, 1)))
	s.fails("checkpointChannel DepositsAboveFunded", "third", 0, checkpoint(p.state(id, 1, 54, 54, 1, func(st *abi.ChannelState) { st.DepositA = *uint256.NewInt(68) })))
	s.fails("checkpointChannel DepositsAboveFunded", "third", 0, checkpoint(p.state(id, 1, 50, 51, 1, func(st *abi.ChannelState) { st.DepositB = *uint256.NewInt(41) })))
	s.fails("checkpointChannel InteractionCountInvalid", "third", 0, checkpoint(p.state(id, 1, 50, 50, 1001)))
	s.do("third", 0, good)
	s.do("third", 0, checkpoint(p.state(id, 2, 53, 54, 1000, func(st *abi.ChannelState) { st.DepositA = *uint256.NewInt(67) })))
	s.fails("checkpointChannel InteractionCountInvalid", "third", 0, checkpoint(p.state(id, 3, 50, 50, 999)))
	s.fails("disputeChannel ChannelNotClosing", "third", 0, dispute(p.state(id, 3, 50, 50, 1000)))

	// Closing: with a state, which is then replaced.
	s.fails("channelStateArgs FieldOutOfRange state", p.a, 0, &abi.CloseChannelCall{State: abi.ChannelState{ChannelId: id, Nonce: 1}})
	s.fails("channelStateArgs FieldOutOfRange state", p.a, 0, &abi.CloseChannelCall{State: abi.ChannelState{ChannelId: id, BalanceB: *uint256.NewInt(1)}})
	s.fails("channelStateArgs FieldOutOfRange state", p.a, 0, &abi.CloseChannelCall{State: abi.ChannelState{ChannelId: id, IsFinal: true}})
	s.fails("closeChannel ChannelUnknown", p.a, 0, unsigned(nobody))
	s.fails("closeChannel NotChannelParty", "third", 0, unsigned(id))
	s.fails("closeChannel NotChannelParty", "third", 0, close(p.state(id, 3, 50, 50, 1000)))
	s.fails("closeChannel StaleState", p.a, 0, close(p.state(id, 2, 50, 50, 1000)))
	s.fails("closeChannel DepositsAboveFunded", p.a, 0, close(p.state(id, 3, 50, 51, 1000, func(st *abi.ChannelState) { st.DepositB = *uint256.NewInt(41) })))
	s.fails("closeChannel InteractionCountInvalid", p.a, 0, close(p.state(id, 3, 50, 50, 5001)))
	wrong := close(p.state(id, 3, 50, 50, 1000))
	wrong.SigA = wrong.SigB
	s.fails("closeChannel BadChannelSignature", p.a, 0, wrong)
	s.do(p.a, 0, close(p.state(id, 3, 50, 50, 4000)))
	s.fails("openChannelTopUp ChannelNotOpen", "third", 0, long(nil))
	s.fails("checkpointChannel ChannelNotOpen", "third", 0, checkpoint(p.state(id, 4, 50, 50, 4000)))
	s.fails("closeChannel ChannelNotOpen", p.b, 0, unsigned(id))
	s.fails("disputeChannel ChannelUnknown", "third", 0, dispute(p.state(nobody, 4, 50, 50, 4000)))
	s.fails("disputeChannel StaleState", "third", 0, dispute(p.state(id, 3, 50, 50, 4000)))
	s.fails("disputeChannel DepositsAboveFunded", "third", 0, dispute(p.state(id, 4, 50, 51, 4000, func(st *abi.ChannelState) { st.DepositB = *uint256.NewInt(41) })))
	s.fails("disputeChannel InteractionCountInvalid", "third", 0, dispute(p.state(id, 4, 50, 50, 3999)))
	wrongAnswer := dispute(p.state(id, 4, 50, 50, 4000))
	wrongAnswer.SigA = wrongAnswer.SigB
	s.fails("disputeChannel BadChannelSignature", "third", 0, wrongAnswer)
	s.do("third", 0, dispute(p.state(id, 4, 40, 60, 4000)))
	s.do(p.b, 0, close(p.state(id, 5, 30, 70, 5000))) // replaces too
	s.seal()
	s.open(8) // the window's last second
	s.do("third", 0, dispute(p.state(id, 6, 31, 69, 5000)))
	s.seal()
	before := [2]record.Account{s.account(address(p.a)), s.account(address(p.b))}
	s.open(1)
	for i, paid := range []uint64{31 + 7, 69} { // with what was added and never divided
		acc := s.account(address([]string{p.a, p.b}[i]))
		require.Equal(s.t, before[i].Balance.Uint64()+paid, acc.Balance.Uint64())
		require.Zero(s.t, acc.Holds)
	}

	// Cooperative, from both states of a channel.
	s.do("third", 0, long(nil))
	id = s.op.Id
	s.do("third", 0, close(p.state(id, 9, 99, 1, 7, final)))
	s.fails("closeChannel ChannelNotOpen", "third", 0, close(p.state(id, 10, 99, 1, 7, final)))
	s.fails("doubleSigningChannel ChannelNotOpen", "third", 0, s.double(p, id, 1))
	s.do("third", 0, long(nil))
	id = s.op.Id
	s.do(p.b, 0, unsigned(id))
	s.do("third", 0, close(p.state(id, 9, 99, 1, 7, final)))

	// Double signing.
	s.do("third", 0, long(nil))
	id = s.op.Id
	s.do("third", 0, checkpoint(p.state(id, 3, 45, 55, 5)))
	s.do("third", 0, checkpoint(p.state(id, 4, 44, 56, 6)))
	s.fails("doubleSigningArgs OutOfGas", "third", 0, s.double(p, id, 4), gasLimit(12_000))
	for name, f := range map[string]func(*abi.ReportDoubleSigningCall){
		"firstSigA":  func(c *abi.ReportDoubleSigningCall) { c.FirstSigA = nil },
		"firstSigB":  func(c *abi.ReportDoubleSigningCall) { c.FirstSigB = c.FirstSigB[:64] },
		"secondSigA": func(c *abi.ReportDoubleSigningCall) { c.SecondSigA = make([]byte, 66) },
		"secondSigB": func(c *abi.ReportDoubleSigningCall) { c.SecondSigB = make([]byte, 80_000) },
	} {
		c := s.double(p, id, 4)
		f(c)
		s.fails("doubleSigningArgs FieldOutOfRange "+name, "third", 0, c)
	}
	again := func(f func(*abi.ChannelState)) *abi.ReportDoubleSigningCall {
		c := s.double(p, id, 4)
		c.Second, c.SecondSigA, c.SecondSigB = p.state(id, 4, 44, 56, 6, f)
		return c
	}
	s.fails("doubleSigningArgs StatesDoNotConflict", "third", 0, again(func(*abi.ChannelState) {}))
	s.fails("doubleSigningArgs StatesDoNotConflict", "third", 0, again(func(st *abi.ChannelState) { st.Nonce++ }))
	s.fails("doubleSigningArgs StatesDoNotConflict", "third", 0, again(func(st *abi.ChannelState) { st.ChannelId = nobody }))
	for _, f := range []func(*abi.ReportDoubleSigningCall){
		func(c *abi.ReportDoubleSigningCall) { c.SecondSigA = c.SecondSigB },
		func(c *abi.ReportDoubleSigningCall) { c.SecondSigB = c.SecondSigA },
		func(c *abi.ReportDoubleSigningCall) { c.SecondSigB = c.FirstSigB },
	} {
		c := s.double(p, id, 4)
		f(c)
		s.fails("doubleSigningArgs BadChannelSignature", "third", 0, c)
	}
	s.fails("doubleSigningChannel ChannelUnknown", "third", 0, s.double(p, nobody, 4))
	swapped := s.double(p, id, 4)
	swapped.FirstSigA, swapped.FirstSigB, swapped.SecondSigA, swapped.SecondSigB = swapped.FirstSigB, swapped.FirstSigA, swapped.SecondSigB, swapped.SecondSigA
	s.fails("doubleSigningChannel BadChannelSignature", "third", 0, swapped)
	stake := s.account(address(p.b)).Stake
	burned := s.sums.BurnedWei
	s.do("third", 0, s.double(p, id, 4)) // the state before stands
	left := s.account(address(p.b)).Stake
	require.Equal(s.t, stake.Uint64()-70, left.Uint64())
	require.Equal(s.t, burned.Uint64()+2*63, s.sums.BurnedWei.Uint64())
	// In the window, by a party, of a nonce that the chain does not know; a stake that covers only part of the fine.
	s.do("third", 0, long(nil))
	id = s.op.Id
	s.do(p.b, 0, unsigned(id))
	s.do(p.a, 0, s.double(p, id, 77))
	s.do("third", 0, long(nil))
	s.do(p.a, 0, s.double(p, s.op.Id, 1))
	s.do("third", 0, long(nil))
	s.do(p.b, 0, s.double(p, s.op.Id, 1)) // nothing is left to take

	// A stake that a channel holds; as many ends at once as a block does not sweep.
	s.do("agent", 0, &abi.RegisterCall{Name: "again"})
	names := []string{"agent", "caller", "other", "extra0", "extra1"}
	for i := range 2 {
		s.fund(address(names[3+i]), uint256.NewInt(50_000_000_000))
		s.state.Root = s.tree.Root()
		s.do(names[3+i], 100, &abi.RegisterCall{Name: "extra"})
	}
	s.seal()
	s.open(1)
	var opened []*parties
	for i, x := range names {
		for _, y := range names[:i] {
			q := s.parties(x, y)
			s.do("third", 0, q.terms(2, nil, nil))
			opened = append(opened, q)
		}
	}
	s.do("extra0", 0, &abi.DeregisterCall{})
	s.seal()
	s.open(3) // four of ten
	for _, q := range opened {
		c, err := record.DecodeChannel(s.records[record.ChannelKey(q.pair().ChannelId)])
		require.NoError(s.t, err)
		if c.Status != uint8(vm.ChannelOpen) || q.a == "extra0" || q.b == "extra0" {
			continue
		}
		s.fails("checkpointChannel ChannelExpired", "third", 0, checkpoint(q.state(q.pair().ChannelId, 1, 50, 50, 1)))
		s.fails("openChannelTopUp ChannelExpired", "third", 0, q.terms(2, nil, nil))
		break
	}
	s.seal()
	for range 2 { // the others
		s.open(1)
		s.seal()
	}
	s.open(40)
	s.fails("withdrawStake StakeHeld", "extra0", 0, &abi.WithdrawStakeCall{})
	late := 0
	for _, q := range opened {
		id := q.pair().ChannelId
		if id == (common.Hash{}) {
			continue
		}
		late++
		s.fails("closeChannel ChannelWindowOver", q.a, 0, close(q.state(id, 1, 50, 50, 1)))
		s.fails("disputeChannel ChannelWindowOver", "third", 0, dispute(q.state(id, 1, 50, 50, 1)))
		s.fails("doubleSigningChannel ChannelWindowOver", "third", 0, s.double(q, id, 1))
	}
	require.GreaterOrEqual(s.t, late, 6, "at most four are swept")
	s.seal()
	for range 20 {
		s.open(1)
		s.seal()
	}
	for _, n := range names {
		require.Zero(s.t, s.account(address(n)).Holds)
	}
}

// double reports two states with one nonce.
func (s *scenario) double(p *parties, id common.Hash, nonce uint64) *abi.ReportDoubleSigningCall {
	c := new(abi.ReportDoubleSigningCall)
	c.First, c.FirstSigA, c.FirstSigB = p.state(id, nonce, 44, 56, 6)
	c.Second, c.SecondSigA, c.SecondSigB = p.state(id, nonce, 45, 55, 6)
	return c
}
