package vm_test

import (
	"encoding/json"
	"fmt"
	"math/big"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/math"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/rlp"
	"github.com/ethereum/go-ethereum/signer/core/apitypes"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/agnt2/genesis"
	"github.com/agnt2/agnt2/agnt2/record"
	"github.com/agnt2/agnt2/agnt2/vm"
)

// Channels in scripts:
//
//	NAME openChannel pair=X,Y X=WEI Y=WEI ttl=S max=N heartbeat=S by=X no=N until=S sign=X,Y
//	NAME checkpoint|closeChannel|disputeChannel channel=N no=N X=WEI Y=WEI X.in=WEI Y.in=WEI count=N final=1 sign=X,Y
//	NAME reportDoubleSigning …               the second state's arguments begin with "2."; those not given are the first's
//
// Channels are numbered as they open; no is the signed nonce. Balances and deposits are given by the parties' names; the lower address signs as A.
// sign=NAME:TWIST has a malformed signature (short, highs, v0), sign=- none.

func sorted(x, y string) (a, b string) {
	if addressOf(x).Cmp(addressOf(y)) > 0 {
		x, y = y, x
	}
	return x, y
}

// seal65 signs a digest as a name, or in a twisted way.
func seal65(digest common.Hash, by string) []byte {
	name, twist, _ := strings.Cut(by, ":")
	if name == "-" {
		return nil
	}
	sig := must(crypto.Sign(digest[:], keyOf(name)))
	sig[64] += 27
	switch twist {
	case "short":
		return sig[:64]
	case "highs":
		v := new(big.Int).Sub(crypto.S256().Params().N, new(big.Int).SetBytes(sig[32:64]))
		v.FillBytes(sig[32:64])
		sig[64] = 27 + 28 - sig[64]
	case "v0":
		sig[64] -= 27
	}
	return sig
}

// signers are those named, or the parties: the one of A first.
func signers(a args, key, first, second string) (x, y string) {
	x, y, _ = strings.Cut(a.text(key, first+","+second), ",")
	return x, y
}

func (s *script) openChannel(from string, a args) []byte {
	x, y, _ := strings.Cut(a.text("pair", "alice,bob"), ",")
	first, second := sorted(x, y)
	if a.text("unsorted", "") != "" {
		first, second = second, first
	}
	pair := s.channelPair(sorted(x, y))
	by := a.text("by", x)
	nonce := pair.NonceA
	if by == second {
		nonce = pair.NonceB
	}
	c := &abi.OpenChannelCall{Terms: abi.ChannelTerms{
		AgentA: s.address(first), AgentB: s.address(second), DepositA: a.wei(first, 0), DepositB: a.wei(second, 0), TtlSeconds: uint32(a.number("ttl", 60)),
		MaxInteractions: a.number("max", 5000), HeartbeatSeconds: uint32(a.number("heartbeat", 3)), Initiator: s.address(by), Nonce: a.number("no", nonce),
		ValidUntil: a.number("until", 5000),
	}}
	digest := vm.ChannelTermsDigest(&c.Terms, testChainID)
	sa, sb := signers(a, "sign", first, second)
	c.SigA, c.SigB = seal65(digest, sa), seal65(digest, sb)
	return c.Encode()
}

func (s *script) channelPair(a, b string) (p record.ChannelPair) {
	if raw := s.get(record.ChannelPairKey(addressOf(a), addressOf(b))); raw != nil {
		p = must(record.DecodeChannelPair(raw))
	}
	return p
}

// channelState reads a state's arguments, which begin with a prefix, and signs it.
func (s *script) channelState(a args, prefix string, or abi.ChannelState) (st abi.ChannelState, sigA, sigB []byte) {
	st = or
	same := uint64(1)
	if i := slices.Index(s.channels, or.ChannelId); i >= 0 {
		same = uint64(i) + 1
	}
	n := a.number(prefix+"channel", same)
	st.ChannelId = common.Hash{byte(n)}
	first, second := "alice", "bob"
	if int(n) <= len(s.channels) {
		st.ChannelId = s.channels[n-1]
		c := must(record.DecodeChannel(s.get(record.ChannelKey(st.ChannelId))))
		first, second = s.showAddress(c.AgentA), s.showAddress(c.AgentB)
		if prefix == "" {
			st.DepositA, st.DepositB = c.DepositA, c.DepositB
		}
	}
	number := func(key string, v *uint256.Int) {
		if _, ok := a[prefix+key]; ok {
			*v = a.wei(prefix+key, 0)
		}
	}
	number(first, &st.BalanceA)
	number(second, &st.BalanceB)
	number(first+".in", &st.DepositA)
	number(second+".in", &st.DepositB)
	st.Nonce = a.number(prefix+"no", st.Nonce)
	st.InteractionCount = a.number(prefix+"count", st.InteractionCount)
	if _, ok := a[prefix+"final"]; ok {
		st.IsFinal = a.number(prefix+"final", 0) == 1
	}
	sa, sb := signers(a, prefix+"sign", first, second)
	if sa == "-" && sb == "-" && a.text(prefix+"raw", "") == "" {
		return abi.ChannelState{ChannelId: st.ChannelId}, nil, nil
	}
	digest := vm.ChannelStateDigest(&st, testChainID)
	return st, seal65(digest, sa), seal65(digest, sb)
}

func (s *script) channelCall(from, op string, a args) []byte {
	if op == "openChannel" {
		return s.openChannel(from, a)
	}
	st, sigA, sigB := s.channelState(a, "", abi.ChannelState{})
	switch op {
	case "checkpoint":
		return (&abi.CheckpointCall{State: st, SigA: sigA, SigB: sigB}).Encode()
	case "closeChannel":
		return (&abi.CloseChannelCall{State: st, SigA: sigA, SigB: sigB}).Encode()
	case "disputeChannel":
		return (&abi.DisputeChannelCall{State: st, SigA: sigA, SigB: sigB}).Encode()
	}
	other, otherA, otherB := s.channelState(a, "2.", st)
	return (&abi.ReportDoubleSigningCall{First: st, FirstSigA: sigA, FirstSigB: sigB, Second: other, SecondSigA: otherA, SecondSigB: otherB}).Encode()
}

// learnChannel numbers a channel that has opened.
func (s *script) learnChannel(id common.Hash) {
	if !slices.Contains(s.channels, id) {
		s.channels = append(s.channels, id)
		s.ids[id] = fmt.Sprintf("channel%d", len(s.channels))
	}
}

// TestChannelTypedData: the published types are what the engine hashes, for any wallet.
func TestChannelTypedData(t *testing.T) {
	raw, err := os.ReadFile("../../docs/reference/eip712/channel.json")
	require.NoError(t, err)
	var published struct {
		Domain apitypes.TypedDataDomain `json:"domain"`
		Types  apitypes.Types           `json:"types"`
	}
	require.NoError(t, json.Unmarshal(raw, &published))
	require.Equal(t, abi.Address, common.HexToAddress(published.Domain.VerifyingContract))
	published.Domain.ChainId = math.NewHexOrDecimal256(testChainID)
	digest := func(primary string, message apitypes.TypedDataMessage) common.Hash {
		h, _, err := apitypes.TypedDataAndHash(apitypes.TypedData{Types: published.Types, PrimaryType: primary, Domain: published.Domain, Message: message})
		require.NoError(t, err)
		return common.BytesToHash(h)
	}
	n := func(v uint64) string { return fmt.Sprint(v) }
	terms := abi.ChannelTerms{
		AgentA: common.Address{1}, AgentB: common.Address{2}, DepositA: *uint256.NewInt(3), DepositB: *uint256.NewInt(4), TtlSeconds: 5,
		MaxInteractions: 6, HeartbeatSeconds: 7, Initiator: common.Address{2}, Nonce: 8, ValidUntil: 9,
	}
	require.Equal(t, digest("ChannelTerms", apitypes.TypedDataMessage{
		"agentA": terms.AgentA.Hex(), "agentB": terms.AgentB.Hex(), "depositA": "3", "depositB": "4", "ttlSeconds": n(5), "maxInteractions": n(6),
		"heartbeatSeconds": n(7), "initiator": terms.Initiator.Hex(), "nonce": n(8), "validUntil": n(9),
	}), vm.ChannelTermsDigest(&terms, testChainID))
	for _, final := range []bool{true, false} {
		st := abi.ChannelState{
			ChannelId: common.Hash{1}, Nonce: 2, BalanceA: *uint256.NewInt(3), BalanceB: *uint256.NewInt(4), DepositA: *uint256.NewInt(5),
			DepositB: *uint256.NewInt(6), InteractionCount: 7, IsFinal: final,
		}
		require.Equal(t, digest("ChannelState", apitypes.TypedDataMessage{
			"channelId": st.ChannelId.Hex(), "nonce": n(2), "balanceA": "3", "balanceB": "4", "depositA": "5", "depositB": "6",
			"interactionCount": n(7), "isFinal": final,
		}), vm.ChannelStateDigest(&st, testChainID))
	}
}

// TestChannelID pins the bytes that are hashed.
func TestChannelID(t *testing.T) {
	a, b := common.HexToAddress("0x01"), common.HexToAddress("0x02")
	raw := common.FromHex("0000000000000000000000000000000000000001" + "0000000000000000000000000000000000000002" + "0000000000000007" + "0000000000000003")
	require.Equal(t, crypto.Keccak256Hash(raw), vm.ChannelID(a, b, 7, 3))
}

// checkChannels asserts what holds of channels whatever happened.
func (s *simulator) checkChannels(swept uint32) {
	t := s.t
	live := map[record.Key]common.Hash{} // by the pair's key
	queued, overdue := 0, false
	for k, v := range s.state {
		switch record.Namespace(k[0]) {
		case record.NSChannel:
			c := must(record.DecodeChannel(v))
			var balances, deposits uint256.Int
			require.Equal(t, deposits.Add(&c.DepositA, &c.DepositB).Dec(), balances.Add(&c.BalanceA, &c.BalanceB).Dec(), "a state divides something else")
			require.False(t, c.FundedA.Lt(&c.DepositA) || c.FundedB.Lt(&c.DepositB), "a state divides what nobody paid in")
			require.LessOrEqual(t, c.InteractionCount, c.MaxInteractions)
			require.Negative(t, c.AgentA.Cmp(c.AgentB))
			require.True(t, c.Nonce > c.PriorNonce || c.Nonce == 0 || c.Status == uint8(vm.ChannelClosed))
			if c.Status == uint8(vm.ChannelClosed) {
				continue
			}
			pair := record.ChannelPairKey(c.AgentA, c.AgentB)
			require.Zero(t, live[pair], "a pair has two channels")
			p := must(record.DecodeChannelPair(s.state[pair]))
			live[pair] = p.ChannelId
			require.Equal(t, k, record.ChannelKey(p.ChannelId))
			due := c.ClosesAt
			if c.Status == uint8(vm.ChannelOpen) {
				due = c.ExpiresAt
			}
			require.NotNil(t, s.state[record.DeadlineKey(due, record.DueChannel, p.ChannelId)], "a channel is not queued")
			overdue = overdue || due < s.time
		case record.NSDeadline:
			if record.DueOf(k) == record.DueChannel {
				queued++
			}
		}
	}
	for k, v := range s.state {
		if record.Namespace(k[0]) == record.NSChannelPair {
			require.Equal(t, live[k], must(record.DecodeChannelPair(v)).ChannelId, "a pair names a channel that is closed")
		}
	}
	require.Equal(t, len(live), queued)
	require.False(t, overdue && swept < s.params.SweepsPerBlock, "an overdue channel was not swept")
}

// TestSweepEventsFitOneReceipt: the events of a block's sweeps are in one receipt, which a step of a dispute takes as witness within
// one L1 transaction.
func TestSweepEventsFitOneReceipt(t *testing.T) {
	var most uint256.Int
	most.SetAllOne()
	full := common.Hash(most.Bytes32())
	agent := common.BytesToAddress(full[:])
	for _, l := range []*types.Log{
		(&abi.TimedOutEvent{Id: full, Caller: agent, Callee: agent, RefundedWei: most}).Log(abi.Address),
		(&abi.ChannelClosingEvent{Id: full, AgentA: agent, AgentB: agent, Nonce: 1 << 63, ClosesAt: 1 << 63}).Log(abi.Address),
		(&abi.ChannelClosedEvent{Id: full, AgentA: agent, AgentB: agent, PaidA: most, PaidB: most}).Log(abi.Address),
	} {
		b, err := rlp.EncodeToBytes(l)
		require.NoError(t, err)
		const lengthBytes, frames, transaction = 3, 4 << 10, 128 << 10
		require.Less(t, genesis.MaxSweepsPerBlock*(len(b)+lengthBytes)+frames, transaction)
	}
}
