package vmtest

import (
	"crypto/ecdsa"
	"encoding/binary"
	"slices"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/holiman/uint256"

	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/agnt2/record"
	"github.com/agnt2/agnt2/agnt2/vm"
)

// Key is the i-th key of test accounts that sign.
func Key(i int) *ecdsa.PrivateKey {
	return must(crypto.ToECDSA(crypto.Keccak256(binary.BigEndian.AppendUint64([]byte("vmtest"), uint64(i)))))
}

// AddKey makes a key's account one of the generator's, and returns its address.
func (g *Generator) AddKey(k *ecdsa.PrivateKey) common.Address {
	a := crypto.PubkeyToAddress(k.PublicKey)
	g.Accounts = append(g.Accounts, a)
	if g.keys == nil {
		g.keys = map[common.Address]*ecdsa.PrivateKey{}
	}
	g.keys[a] = k
	return a
}

// sign signs as an account, or now and then as another or not at all.
func (g *Generator) sign(a common.Address, digest common.Hash) []byte {
	if g.chance(60) {
		return make([]byte, g.Rnd.IntN(70))
	}
	if g.chance(60) {
		a = g.anyone()
	}
	sig := must(crypto.Sign(digest[:], g.keys[a]))
	sig[64] += 27
	return sig
}

// agent is mostly a registered one.
func (g *Generator) agent() common.Address {
	a := g.anyone()
	for range 20 {
		if g.account(a).Roles&vm.RoleAgent != 0 {
			break
		}
		a = g.anyone()
	}
	return a
}

// channel is the family of channels.
func (g *Generator) channel(from common.Address) Draft {
	if len(g.keys) == 0 {
		return g.basic(from)
	}
	if g.chance(3) {
		return g.openChannel(from)
	}
	for range 10 {
		if len(g.pairs) == 0 {
			break
		}
		recent := latest(g, g.pairs, 20)
		pair := recent[g.Rnd.IntN(len(recent))]
		p := g.channelPair(pair)
		if p.ChannelId == (common.Hash{}) && !g.chance(20) {
			continue
		}
		return g.changeChannel(from, pair, p.ChannelId)
	}
	return g.openChannel(from)
}

func (g *Generator) channelPair(p [2]common.Address) (r record.ChannelPair) {
	if b := g.Get(record.ChannelPairKey(p[0], p[1])); b != nil {
		r = must(record.DecodeChannelPair(b))
	}
	return r
}

func (g *Generator) openChannel(from common.Address) Draft {
	pair := [2]common.Address{g.agent(), g.agent()}
	if len(g.pairs) > 0 && g.chance(3) { // a pair that may have a channel
		pair = g.pairs[g.Rnd.IntN(len(g.pairs))]
	}
	if (pair[0].Cmp(pair[1]) > 0) != g.chance(30) {
		pair[0], pair[1] = pair[1], pair[0]
	}
	g.pairs = append(g.pairs, pair)
	if most := g.remembered(2000); len(g.pairs) > most {
		g.pairs = slices.Clone(g.pairs[most/2:])
	}
	p := g.channelPair(pair)
	t := abi.ChannelTerms{
		AgentA: pair[0], AgentB: pair[1], DepositA: g.number(60), DepositB: g.number(60), TtlSeconds: uint32(g.Rnd.IntN(20)),
		MaxInteractions: g.Rnd.Uint64N(3000), HeartbeatSeconds: uint32(g.Rnd.IntN(3)), Initiator: pair[0], Nonce: p.NonceA, ValidUntil: 1 << 62,
	}
	if g.chance(2) {
		t.Initiator, t.Nonce = pair[1], p.NonceB
	}
	if g.chance(20) {
		t.Nonce += g.Rnd.Uint64N(3) - 1
	}
	if g.chance(40) {
		t.ValidUntil = g.Rnd.Uint64N(1200)
	}
	if g.chance(40) {
		t.Initiator = from
	}
	digest := vm.ChannelTermsDigest(&t, g.ChainID)
	c := &abi.OpenChannelCall{Terms: t, SigA: g.sign(t.AgentA, digest), SigB: g.sign(t.AgentB, digest)}
	return Draft{From: from, To: &abi.Address, Data: c.Encode()}
}

// channelState is a state of a channel, mostly a newer and valid one.
func (g *Generator) channelState(id common.Hash, c *record.Channel) abi.ChannelState {
	st := abi.ChannelState{
		ChannelId: id, Nonce: c.Nonce + 1 + g.Rnd.Uint64N(3), DepositA: c.DepositA, DepositB: c.DepositB,
		InteractionCount: c.InteractionCount + g.Rnd.Uint64N(200),
	}
	if g.chance(3) {
		st.DepositA, st.DepositB = c.FundedA, c.FundedB
	}
	if g.chance(15) {
		st.DepositA = g.number(200)
	}
	var sum uint256.Int
	sum.Add(&st.DepositA, &st.DepositB)
	st.BalanceA.Mod(uint256.NewInt(g.Rnd.Uint64()), new(uint256.Int).AddUint64(&sum, 1))
	if st.BalanceB.Sub(&sum, &st.BalanceA); g.chance(30) {
		st.BalanceB = g.number(100)
	}
	if g.chance(15) {
		st.Nonce = g.Rnd.Uint64N(c.Nonce + 1)
	}
	if g.chance(15) {
		st.InteractionCount = g.Rnd.Uint64N(5000)
	}
	return st
}

func (g *Generator) changeChannel(from common.Address, pair [2]common.Address, id common.Hash) Draft {
	c := record.Channel{AgentA: pair[0], AgentB: pair[1]}
	if b := g.Get(record.ChannelKey(id)); b != nil {
		c = must(record.DecodeChannel(b))
	}
	st := g.channelState(id, &c)
	both := func(st *abi.ChannelState) (a, b []byte) {
		digest := vm.ChannelStateDigest(st, g.ChainID)
		return g.sign(c.AgentA, digest), g.sign(c.AgentB, digest)
	}
	if !g.chance(4) {
		from = []common.Address{c.AgentA, c.AgentB}[g.Rnd.IntN(2)]
	}
	d := Draft{From: from, To: &abi.Address}
	switch n := g.Rnd.IntN(10); {
	case n < 4:
		x := &abi.CheckpointCall{State: st}
		x.SigA, x.SigB = both(&st)
		d.Data = x.Encode()
	case n < 5:
		x := &abi.CloseChannelCall{State: abi.ChannelState{ChannelId: id, IsFinal: g.chance(20)}}
		d.Data = x.Encode()
	case n < 7:
		st.IsFinal = g.chance(2)
		x := &abi.CloseChannelCall{State: st}
		x.SigA, x.SigB = both(&st)
		d.Data = x.Encode()
	case n < 9:
		st.IsFinal = g.chance(30)
		x := &abi.DisputeChannelCall{State: st}
		x.SigA, x.SigB = both(&st)
		d.Data = x.Encode()
	default:
		if g.chance(2) {
			st.Nonce = c.Nonce
		}
		second := st
		if !g.chance(10) {
			second.InteractionCount++
		}
		x := &abi.ReportDoubleSigningCall{First: st, Second: second}
		x.FirstSigA, x.FirstSigB = both(&st)
		x.SecondSigA, x.SecondSigB = both(&second)
		d.Data = x.Encode()
	}
	return d
}
