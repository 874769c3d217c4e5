package client

import (
	"errors"
	"math/big"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/agnt2/vm"
)

// market adds what the fake node logs for discovery and commit–reveal.
func (n *fakeNode) market(tx *types.Transaction, from common.Address) *types.Log {
	data := tx.Data()
	switch [4]byte(data[:4]) {
	case abi.DiscoverInvokeSelector:
		if c, err := abi.DecodeDiscoverInvokeCall(data[4:]); err == nil {
			return (&abi.InvokedEvent{Id: InteractionID(from, c.Salt), Caller: from, Callee: common.Address{9}, ParamsHash: c.ParamsHash, Da: c.Da}).Log(abi.Address)
		}
	case abi.CommitSelector:
		if c, err := abi.DecodeCommitCall(data[4:]); err == nil {
			n.commitments = append(n.commitments, c.Commitment)
			return (&abi.CommittedEvent{Caller: from, Commitment: c.Commitment, RevealableFrom: uint64(len(n.blocks)) + 2, Deadline: 1 << 40}).Log(abi.Address)
		}
	case abi.RevealSelector:
		c, err := abi.DecodeRevealCall(data[4:])
		if err != nil {
			return nil
		}
		invoke := append(abi.InvokeSelector[:], data[36:]...)
		for _, known := range n.commitments {
			if known == vm.CommitmentHash(fakeChainID.Uint64(), from, c.CommitSalt, invoke) {
				if c.MaxPriceWei.IsZero() {
					return (&abi.RevealRefundedEvent{Id: InteractionID(from, c.Salt), Caller: from, Callee: c.Callee}).Log(abi.Address)
				}
				return (&abi.InvokedEvent{Id: InteractionID(from, c.Salt), Caller: from, Callee: c.Callee, ParamsHash: c.ParamsHash, Da: c.Da}).Log(abi.Address)
			}
		}
	}
	return nil
}

func TestDiscoverReadsEveryPage(t *testing.T) {
	node := newFakeNode(t)
	var asked []abi.DiscoverQuery
	node.view = func(data []byte) ([]byte, error) {
		c, err := abi.DecodeDiscoverCall(data[4:])
		if err != nil {
			return nil, err
		}
		asked = append(asked, c.Query)
		if c.Query.Slot == 0 {
			return (&abi.DiscoverReturn{Providers: []abi.Provider{{Agent: common.Address{1}, Points: 5}, {Agent: common.Address{2}, Points: 3}}, Next: 8}).Encode(), nil
		}
		return (&abi.DiscoverReturn{Providers: []abi.Provider{{Agent: common.Address{3}, Points: 4}}}).Encode(), nil
	}
	c := dialFake(t, node.httpURL(), "")
	ps, err := c.Discover(testContext(t), Query{Capability: "shout", MinPriceWei: big.NewInt(2), Terms: Terms{
		MaxPriceWei: big.NewInt(7), MaxLatency: 1500 * time.Millisecond, MinReputation: 4, InputSchema: common.Hash{1}, OutputSchema: common.Hash{2},
	}})
	require.NoError(t, err)
	require.Equal(t, []common.Address{{1}, {3}, {2}}, []common.Address{ps[0].Agent, ps[1].Agent, ps[2].Agent}, "best first over both pages")
	want := abi.DiscoverQuery{
		Capability: CapabilityID("shout"), MinPriceWei: *uint256.NewInt(2), MaxPriceWei: *uint256.NewInt(7), MaxLatencyMs: 1500, MinReputation: 4,
		InputSchemaHash: common.Hash{1}, OutputSchemaHash: common.Hash{2},
	}
	next := want
	next.Slot = 8
	require.Equal(t, []abi.DiscoverQuery{want, next}, asked)
	_, err = c.Discover(testContext(t), Query{Terms: Terms{MaxLatency: -1 * time.Second}})
	require.Error(t, err)
	_, err = c.Discover(testContext(t), Query{Terms: Terms{MaxPriceWei: big.NewInt(-1)}})
	require.Error(t, err)
}

func TestDiscoverInvoke(t *testing.T) {
	node := newFakeNode(t)
	payloads, da := newFakePayloads(t)
	a := dialFake(t, node.httpURL(), da).Account(testKey(t, "caller"))
	i, err := a.DiscoverInvoke(testContext(t), InvokeRequest{Capability: "shout", Params: []byte("hello"), PaymentWei: big.NewInt(9), TTL: time.Minute},
		Terms{MaxPriceWei: big.NewInt(8), MaxLatency: time.Second, MinReputation: 3, InputSchema: common.Hash{1}})
	require.NoError(t, err)
	require.Equal(t, common.Address{9}, i.Event.Callee)
	require.NotNil(t, payloads)
	tx := node.order[0]
	require.EqualValues(t, 9, tx.Value().Uint64())
	c, err := abi.DecodeDiscoverInvokeCall(tx.Data()[4:])
	require.NoError(t, err)
	require.Equal(t, abi.ProviderFilter{MaxPriceWei: *uint256.NewInt(8), MaxLatencyMs: 1000, MinReputation: 3, InputSchemaHash: common.Hash{1}}, c.Filter)
	require.Equal(t, c.ParamsHash, c.Da.ContentHash)
	require.EqualValues(t, 60, c.TtlSeconds)
}

// A reveal waits for its block, opens what was committed to, and knows when the callee did not take it.
func TestCommitReveal(t *testing.T) {
	node := newFakeNode(t)
	_, da := newFakePayloads(t)
	a := dialFake(t, node.httpURL(), da).Account(testKey(t, "caller"))
	ctx := testContext(t)
	for _, price := range []int64{5, 0} {
		r := InvokeRequest{Callee: common.Address{4}, Capability: "bid", Params: []byte("secret"), PaymentWei: big.NewInt(5), MaxPriceWei: big.NewInt(price), TTL: time.Minute}
		c, err := a.Commit(ctx, r, big.NewInt(30))
		require.NoError(t, err)
		require.EqualValues(t, 30, node.order[len(node.order)-1].Value().Uint64())
		sent := len(node.order)
		go func() {
			for range 3 {
				time.Sleep(20 * time.Millisecond)
				node.emit((&abi.HeartbeatEvent{}).Log(abi.Address)) // another block
			}
		}()
		i, err := a.Reveal(ctx, c)
		require.Len(t, node.order, sent+1)
		if price == 0 {
			require.ErrorIs(t, err, ErrRefused)
			continue
		}
		require.NoError(t, err)
		require.Equal(t, common.Address{4}, i.Event.Callee)
		head := uint64(len(node.blocks)) - 1
		require.GreaterOrEqual(t, head, c.RevealableFrom)
		c.Salt[0]++
		_, err = a.Reveal(ctx, c)
		require.True(t, errors.Is(err, ErrUnexpectedReceipt), "the fake node says nothing to a reveal of nothing: %v", err)
	}
}
