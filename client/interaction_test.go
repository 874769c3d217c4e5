package client

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"os"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/agnt2/agnt2/agnt2/abi"
)

// pendingView answers getInteraction with a pending record.
func pendingView(data []byte) ([]byte, error) {
	return (&abi.GetInteractionReturn{Ret0: abi.InteractionView{Status: uint8(InteractionPending)}}).Encode(), nil
}

func TestInvokeServeWait(t *testing.T) {
	for _, transport := range []string{"http", "ws"} {
		t.Run(transport, func(t *testing.T) {
			node := newFakeNode(t)
			node.view = pendingView
			_, da := newFakePayloads(t)
			url := node.httpURL()
			if transport == "ws" {
				url = node.wsURL()
			}
			caller, callee := dialFake(t, url, da).Account(testKey(t, "caller")), dialFake(t, url, da).Account(testKey(t, "callee"))
			ctx := testContext(t)
			serveCtx, stop := context.WithCancel(ctx)
			var running, most atomic.Int32
			ended := make(chan error, 1)
			go func() {
				ended <- callee.Serve(serveCtx, "shout", func(ctx context.Context, params []byte) ([]byte, error) {
					most.Store(max(most.Load(), running.Add(1)))
					defer running.Add(-1)
					switch string(params) {
					case "garbage":
						return nil, fmt.Errorf("%w: not a sentence", ErrParams)
					case "forbidden":
						return nil, ErrReject
					case "boom":
						panic("boom")
					case "fail":
						return nil, errors.New("disk full")
					}
					return []byte(strings.ToUpper(string(params))), nil
				}, ServeOptions{Concurrency: 2})
			}()
			var wg sync.WaitGroup
			for params, want := range map[string]InteractionStatus{
				"hello": InteractionCompleted, "garbage": InteractionParseFailed, "forbidden": InteractionRejected,
				"boom": InteractionErrored, "fail": InteractionErrored,
			} {
				wg.Go(func() {
					i, err := caller.Invoke(ctx, InvokeRequest{Callee: callee.Address(), Capability: "shout", Params: []byte(params), PaymentWei: big.NewInt(9), TTL: time.Minute})
					if !noError(t, err) {
						return
					}
					r, err := i.Wait(ctx)
					if !noError(t, err) {
						return
					}
					if r.Status != want {
						t.Errorf("%s: status %v, want %v", params, r.Status, want)
					}
					if want == InteractionCompleted && string(r.Payload) != "HELLO" {
						t.Errorf("result %q", r.Payload)
					}
					if (r.Err() == nil) != (want == InteractionCompleted) {
						t.Errorf("%s: Err %v", params, r.Err())
					}
				})
			}
			wg.Wait()
			stop()
			require.ErrorIs(t, <-ended, context.Canceled)
			require.LessOrEqual(t, most.Load(), int32(2))
			require.Len(t, node.order, 10, "one INVOKE and one RESPOND each")
		})
	}
}

func noError(t *testing.T, err error) bool {
	if err != nil {
		t.Error(err)
	}
	return err == nil
}

// A RESPOND that happens while the WebSocket is down is found by replay from the INVOKE's block.
func TestWaitReplaysAfterDroppedSubscription(t *testing.T) {
	node := newFakeNode(t)
	store, da := newFakePayloads(t)
	c := dialFake(t, node.wsURL(), da)
	ctx := testContext(t)
	id := common.Hash{42}
	node.emit((&abi.InvokedEvent{Id: id}).Log(abi.Address))
	type outcome struct {
		r   *Result
		err error
	}
	got := make(chan outcome, 1)
	go func() {
		r, err := c.WaitResult(ctx, id)
		got <- outcome{r, err}
	}()
	require.Eventually(t, func() bool { return node.count("subscribe") == 1 }, 3*time.Second, 5*time.Millisecond)

	result := []byte("the answer")
	hash := crypto.Keccak256Hash(result)
	store.mu.Lock()
	store.stored[hash] = result
	store.mu.Unlock()
	node.mu.Lock()
	node.holdLogs = true // as if the connection had died before the event
	node.mine([]*types.Log{(&abi.RespondedEvent{Id: id, ResultHash: hash, PaidWei: *uint256.NewInt(5)}).Log(abi.Address)})
	node.mu.Unlock()
	node.drop()
	o := <-got
	require.NoError(t, o.err)
	require.Equal(t, result, o.r.Payload)
	require.EqualValues(t, 5, o.r.PaidWei.Int64())
}

// A subscription that stays silent does not hide an event.
func TestWaitFindsWhatASubscriptionMisses(t *testing.T) {
	node := newFakeNode(t)
	_, da := newFakePayloads(t)
	c := dialFake(t, node.wsURL(), da)
	id := common.Hash{43}
	node.emit((&abi.InvokedEvent{Id: id}).Log(abi.Address))
	node.holdLogs = true
	got := make(chan *Result, 1)
	go func() {
		r, err := c.WaitResult(testContext(t), id)
		noError(t, err)
		got <- r
	}()
	require.Eventually(t, func() bool { return node.count("subscribe") == 1 }, 3*time.Second, 5*time.Millisecond)
	node.emit((&abi.TimedOutEvent{Id: id, RefundedWei: *uint256.NewInt(8)}).Log(abi.Address))
	r := <-got
	require.NotNil(t, r)
	require.Equal(t, InteractionTimedOut, r.Status)
	require.EqualValues(t, 8, r.RefundedWei.Int64())
}

func TestWaitResultOfUnknownInteraction(t *testing.T) {
	node := newFakeNode(t)
	_, err := dialFake(t, node.httpURL(), "").WaitResult(testContext(t), common.Hash{9})
	var unknown *abi.InteractionUnknown
	require.ErrorAs(t, err, &unknown)
}

func TestWaitRefusesResultThatDoesNotMatchItsHash(t *testing.T) {
	node := newFakeNode(t)
	store, da := newFakePayloads(t)
	c := dialFake(t, node.httpURL(), da)
	id, hash := common.Hash{1}, crypto.Keccak256Hash([]byte("right"))
	store.stored[hash] = []byte("wrong")
	node.emit((&abi.InvokedEvent{Id: id}).Log(abi.Address))
	node.emit((&abi.RespondedEvent{Id: id, ResultHash: hash}).Log(abi.Address))
	r, err := c.WaitResult(testContext(t), id)
	require.ErrorIs(t, err, ErrPayloadHash)
	require.NotNil(t, r)
	require.Nil(t, r.Payload)
	require.Equal(t, InteractionCompleted, r.Status)
}

// The callee rejects params that the store falsifies: nobody pays, nobody is punished.
func TestServeRejectsParamsThatDoNotMatchTheirHash(t *testing.T) {
	node := newFakeNode(t)
	node.view = pendingView
	store, da := newFakePayloads(t)
	c := dialFake(t, node.httpURL(), da)
	caller, callee := c.Account(testKey(t, "caller")), c.Account(testKey(t, "callee"))
	ctx, stop := context.WithCancel(testContext(t))
	defer stop()
	i, err := caller.Invoke(ctx, InvokeRequest{Callee: callee.Address(), Capability: "x", Params: []byte("p"), TTL: 4 * time.Second})
	require.NoError(t, err)
	store.mu.Lock()
	store.corrupt = true
	store.mu.Unlock()
	go func() {
		_ = callee.Serve(ctx, "x", func(context.Context, []byte) ([]byte, error) {
			t.Error("handler called with falsified params")
			return nil, nil
		}, ServeOptions{})
	}()
	r, err := i.Wait(ctx)
	require.NoError(t, err)
	require.Equal(t, InteractionRejected, r.Status)
}

func TestPayloadStore(t *testing.T) {
	store, url := newFakePayloads(t)
	p := NewHTTPPayloads(url, time.Second)
	ctx := testContext(t)
	h, err := p.Put(ctx, []byte("abc"))
	require.NoError(t, err)
	require.Equal(t, crypto.Keccak256Hash([]byte("abc")), h)
	b, err := p.Get(ctx, h)
	require.NoError(t, err)
	require.Equal(t, "abc", string(b))
	_, err = p.Get(ctx, common.Hash{1})
	require.ErrorIs(t, err, ErrPayloadNotFound)
	store.corrupt = true
	_, err = p.Get(ctx, h)
	require.ErrorIs(t, err, ErrPayloadHash)
	_, err = p.Put(ctx, make([]byte, MaxPayloadBytes+1))
	require.ErrorIs(t, err, ErrPayloadTooLarge)
}

func TestDecodeResultReadsEveryStatus(t *testing.T) {
	for status, want := range map[ResponseStatus]InteractionStatus{
		StatusOK: InteractionCompleted, StatusError: InteractionErrored, StatusTimeoutGraceful: InteractionTimedOutGracefully,
		StatusParseFailure: InteractionParseFailed, StatusRejected: InteractionRejected,
	} {
		e := abi.RespondedEvent{Id: common.Hash{7}, Status: uint8(status), Branch: 3, ExecutionMs: 4, PaidWei: *uint256.NewInt(5), RefundedWei: *uint256.NewInt(6)}
		r, err := decodeResult(e.Log(abi.Address))
		require.NoError(t, err)
		require.Equal(t, want, r.Status)
		require.Equal(t, e.Id, r.ID)
		require.EqualValues(t, 3, r.Branch)
		require.EqualValues(t, 5, r.PaidWei.Int64())
		require.EqualValues(t, 6, r.RefundedWei.Int64())
	}
	_, err := decodeResult((&abi.RespondedEvent{Status: 5}).Log(abi.Address))
	require.Error(t, err)
	l := (&abi.TimedOutEvent{}).Log(abi.Address)
	l.Data = l.Data[:31]
	_, err = decodeResult(l)
	require.Error(t, err)
}

// The names and order of the enums are declared once, in IAGNT2.sol.
func TestEnumsAreThoseOfTheInterface(t *testing.T) {
	source, err := os.ReadFile("../packages/contracts-bedrock-fork/src/interfaces/IAGNT2.sol")
	require.NoError(t, err)
	for name, have := range map[string][]string{
		"ResponseStatus": responseNames, "InteractionStatus": interactionNames, "AgentStatus": agentNames, "CapabilityClass": classNames,
		"ChannelStatus":     channelNames,
		"CompositionStatus": compositionNames,
	} {
		m := regexp.MustCompile(`(?s)enum ` + name + ` \{(.*?)\}`).FindSubmatch(source)
		require.NotNil(t, m, name)
		require.Equal(t, strings.FieldsFunc(string(m[1]), func(r rune) bool { return strings.ContainsRune(", \n\t", r) }), have, name)
	}
	require.EqualValues(t, len(responseNames)-1, StatusRejected)
	require.EqualValues(t, len(interactionNames)-1, InteractionReverted)
}

// A restarted callee replays what it answered before, and leaves it alone.
func TestServeLeavesSettledCallsAlone(t *testing.T) {
	node := newFakeNode(t)
	_, da := newFakePayloads(t)
	c := dialFake(t, node.httpURL(), da)
	caller, callee := c.Account(testKey(t, "caller")), c.Account(testKey(t, "callee"))
	ctx, stop := context.WithCancel(testContext(t))
	defer stop()
	var ids []common.Hash
	for range 2 {
		i, err := caller.Invoke(ctx, InvokeRequest{Callee: callee.Address(), Capability: "x", TTL: time.Minute})
		require.NoError(t, err)
		ids = append(ids, i.ID)
	}
	node.view = func(data []byte) ([]byte, error) {
		call, err := abi.DecodeGetInteractionCall(data[4:])
		status := InteractionPending
		if call.Id == ids[0] {
			status = InteractionCompleted
		}
		return (&abi.GetInteractionReturn{Ret0: abi.InteractionView{Status: uint8(status)}}).Encode(), err
	}
	settled := make(chan common.Hash, 4)
	go func() {
		_ = callee.Serve(ctx, "x", func(context.Context, []byte) ([]byte, error) { return []byte("r"), nil }, ServeOptions{
			Concurrency: 1, // in order, so the settled one is first
			OnSettled:   func(call abi.InvokedEvent, _ ResponseStatus, _ *types.Receipt, err error) { settled <- call.Id },
		})
	}()
	require.Equal(t, ids[1], <-settled)
	require.Len(t, node.order, 3, "two INVOKEs, one RESPOND")
}
