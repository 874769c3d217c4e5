package ethapi

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/ethclient"
	"github.com/ethereum/go-ethereum/rpc"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/agnt2/agnt2/agnt2/abi"
)

// withLogs is a payload whose one transaction emits a heartbeat for each agent.
func withLogs(t testing.TB, x *testAPI, nonce uint64, agents ...common.Address) payload {
	p := payload{txs: []*types.Transaction{x.chain.signed(t, nonce, nil)}, logs: [][]*types.Log{nil}, seed: byte(nonce)}
	for _, a := range agents {
		p.logs[0] = append(p.logs[0], heartbeatLog(a, nonce))
	}
	return p
}

func topicOf(a common.Address) common.Hash { return common.BytesToHash(a[:]) }

func TestGetLogs(t *testing.T) {
	x := newTestAPI(t, func(c *Config) { c.MaxLogBlocks, c.MaxLogResults = 4, 3 })
	b1 := x.chain.extend(withLogs(t, x, 0, alice))
	x.chain.extend(withLogs(t, x, 1, bob, alice))
	x.chain.extend(payload{})
	x.chain.extend(withLogs(t, x, 2, bob))

	logs := func(filter map[string]any) []types.Log {
		t.Helper()
		return get[[]types.Log](t, x, "eth_getLogs", filter)
	}
	require.Len(t, logs(map[string]any{}), 1, "the default is the latest block")
	require.Len(t, logs(map[string]any{"fromBlock": "0x1", "toBlock": "0x2"}), 3)
	require.Len(t, logs(map[string]any{"fromBlock": "0x1", "toBlock": "0x4", "topics": []any{nil, topicOf(alice)}}), 2)
	require.Len(t, logs(map[string]any{"fromBlock": "0x1", "toBlock": "0x4", "topics": []any{abi.HeartbeatTopic, []any{topicOf(bob), common.Hash{1}}}}), 2)
	require.Len(t, logs(map[string]any{"fromBlock": "0x1", "toBlock": "0x3", "topics": []any{abi.HeartbeatTopic, []any{topicOf(bob), nil}}}), 3)
	require.Empty(t, logs(map[string]any{"fromBlock": "0x1", "toBlock": "0x4", "topics": []any{nil, nil, nil}}), "no log has three topics")
	require.Empty(t, logs(map[string]any{"fromBlock": "0x1", "toBlock": "0x4", "address": nobody}))
	require.Len(t, logs(map[string]any{"fromBlock": "0x4", "toBlock": "0x4", "address": []any{nobody, abi.Address}}), 1)
	require.Len(t, logs(map[string]any{"fromBlock": "0x4", "toBlock": "0x9999"}), 1, "the range is cut at the head")
	require.Empty(t, logs(map[string]any{"fromBlock": "0x9", "toBlock": "0x99"}))
	byHash := logs(map[string]any{"blockHash": b1.Hash()})
	require.Len(t, byHash, 1)
	require.Equal(t, b1.Hash(), byHash[0].BlockHash)
	require.JSONEq(t, `[]`, string(get[json.RawMessage](t, x, "eth_getLogs", map[string]any{"blockHash": x.chain.CanonicalHash(0)})))

	fails(t, x, codeInvalidParams, "eth_getLogs", map[string]any{"fromBlock": "0x2", "toBlock": "0x1"})
	require.ErrorContains(t, fails(t, x, codeInvalidParams, "eth_getLogs", map[string]any{"fromBlock": "earliest"}), "limit of 4")
	require.ErrorContains(t, fails(t, x, codeLimitExceeded, "eth_getLogs", map[string]any{"fromBlock": "0x1"}), "more than 3 results")
	require.ErrorContains(t, fails(t, x, codeServer, "eth_getLogs", map[string]any{"blockHash": common.Hash{1}}), "unknown block")
	for _, bad := range []map[string]any{
		{"blockHash": b1.Hash(), "fromBlock": "0x1"}, {"address": 5}, {"address": "0x12"}, {"topics": []any{"0x12"}}, {"topics": make([]any, 5)},
		{"address": make([]common.Address, maxFilterAddresses+1)},
	} {
		fails(t, x, codeInvalidParams, "eth_getLogs", bad)
	}
}

// A bloom never hides a log that matches.
func TestBloomFilterHasNoFalseNegatives(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		addresses := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) common.Address { return common.Address{rapid.Byte().Draw(t, "a") % 4} }), 0, 3)
		hashes := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) common.Hash { return common.Hash{rapid.Byte().Draw(t, "h") % 4} }), 0, 3)
		c := &Criteria{Addresses: addresses.Draw(t, "addresses"), Topics: rapid.SliceOfN(hashes, 0, 3).Draw(t, "topics")}
		r := &types.Receipt{Logs: []*types.Log{{Address: common.Address{rapid.Byte().Draw(t, "address") % 4}, Topics: hashes.Draw(t, "log topics")}}}
		bloom := types.CreateBloom(r)
		if c.matches(r.Logs[0]) && !newBloomFilter(c).passes(&bloom) {
			t.Fatalf("%+v hides %+v", c, r.Logs[0])
		}
	})
}

func TestFilters(t *testing.T) {
	x := newTestAPI(t, nil)
	fork := x.chain.head()
	logFilter := get[string](t, x, "eth_newFilter", map[string]any{"topics": []any{nil, topicOf(alice)}, "fromBlock": "0x0"})
	blockFilter := get[string](t, x, "eth_newBlockFilter")
	poolFilter := get[string](t, x, "eth_newPendingTransactionFilter")
	require.JSONEq(t, `[]`, string(get[json.RawMessage](t, x, "eth_getFilterChanges", logFilter)))
	require.JSONEq(t, `[]`, string(get[json.RawMessage](t, x, "eth_getFilterChanges", blockFilter)))

	a1 := x.chain.extend(withLogs(t, x, 0, alice, bob))
	a2 := x.chain.extend(withLogs(t, x, 1, bob, alice, alice))
	require.Equal(t, []common.Hash{a1.Hash(), a2.Hash()}, poll[common.Hash](t, x, blockFilter, 2))
	logs := poll[types.Log](t, x, logFilter, 3)
	require.Equal(t, []uint64{1, 2, 2}, []uint64{logs[0].BlockNumber, logs[1].BlockNumber, logs[2].BlockNumber})
	require.Len(t, get[[]types.Log](t, x, "eth_getFilterLogs", logFilter), 3)

	// A longer chain takes over at once: three blocks come, two go.
	b1 := x.chain.build(fork, withLogs(t, x, 10, alice))
	b2 := x.chain.build(b1, withLogs(t, x, 11, bob))
	b3 := x.chain.build(b2, withLogs(t, x, 12, alice))
	x.chain.setHead(b3)
	require.Equal(t, []common.Hash{b1.Hash(), b2.Hash(), b3.Hash()}, poll[common.Hash](t, x, blockFilter, 3))
	var story []string
	for _, l := range poll[types.Log](t, x, logFilter, 5) {
		story = append(story, fmt.Sprintf("%v removed=%v log %d", l.BlockHash == a1.Hash() || l.BlockHash == a2.Hash(), l.Removed, l.Index))
	}
	require.Equal(t, []string{"true removed=true log 2", "true removed=true log 1", "true removed=true log 0", "false removed=false log 0",
		"false removed=false log 0"}, story)
	require.False(t, x.chain.Receipts(a1.Hash())[1].Logs[0].Removed, "the backend's logs stay as they are")

	// The head goes back to an ancestor.
	x.chain.setHead(b1)
	require.Equal(t, []common.Hash{b1.Hash()}, poll[common.Hash](t, x, blockFilter, 1))
	require.True(t, poll[types.Log](t, x, logFilter, 1)[0].Removed)

	tx := x.chain.signed(t, 30, nil)
	get[string](t, x, "eth_sendRawTransaction", raw(t, tx))
	require.Equal(t, []common.Hash{tx.Hash()}, poll[common.Hash](t, x, poolFilter, 1))

	require.True(t, get[bool](t, x, "eth_uninstallFilter", logFilter))
	require.False(t, get[bool](t, x, "eth_uninstallFilter", logFilter))
	require.ErrorContains(t, fails(t, x, codeServer, "eth_getFilterChanges", logFilter), "filter not found")
	fails(t, x, codeServer, "eth_getFilterLogs", blockFilter)
	fails(t, x, codeInvalidParams, "eth_newFilter", map[string]any{"blockHash": common.Hash{1}})
}

// poll collects n entries of a filter.
func poll[T any](t testing.TB, x *testAPI, id string, n int) (out []T) {
	t.Helper()
	require.Eventually(t, func() bool {
		out = append(out, get[[]T](t, x, "eth_getFilterChanges", id)...)
		return len(out) >= n
	}, 5*time.Second, time.Millisecond)
	require.Len(t, out, n)
	return out
}

func TestFiltersAreBounded(t *testing.T) {
	x := newTestAPI(t, func(c *Config) { c.MaxFilters, c.MaxLogResults = 2, 3 })
	first := get[string](t, x, "eth_newBlockFilter")
	kept := get[string](t, x, "eth_newFilter", map[string]any{})
	fails(t, x, codeLimitExceeded, "eth_newBlockFilter")
	for i := range uint64(4) {
		x.chain.extend(withLogs(t, x, i, alice))
	}
	require.Eventually(t, func() bool { // both hold more than three entries now
		x.hub.mu.Lock()
		defer x.hub.mu.Unlock()
		return x.hub.filters[rpc.ID(first)].broken && x.hub.filters[rpc.ID(kept)].broken
	}, 5*time.Second, time.Millisecond)
	require.ErrorContains(t, fails(t, x, codeLimitExceeded, "eth_getFilterChanges", first), "missed events")
	require.ErrorContains(t, fails(t, x, codeServer, "eth_getFilterChanges", first), "filter not found")
	get[string](t, x, "eth_newBlockFilter")

	x = newTestAPI(t, func(c *Config) { c.FilterExpiry = 20 * time.Millisecond })
	id := rpc.ID(get[string](t, x, "eth_newBlockFilter"))
	require.Eventually(t, func() bool { _, n := x.hub.counts(); return n == 0 }, 5*time.Second, time.Millisecond)
	fails(t, x, codeServer, "eth_getFilterChanges", id)
}

func TestSubscriptionsOverReorg(t *testing.T) {
	x := newTestAPI(t, nil)
	c, ctx := ethclient.NewClient(x.client), context.Background()
	heads, logs := make(chan *types.Header, 16), make(chan types.Log, 16)
	s1, err := c.SubscribeNewHead(ctx, heads)
	require.NoError(t, err)
	defer s1.Unsubscribe()
	s2, err := c.SubscribeFilterLogs(ctx, ethereum.FilterQuery{Topics: [][]common.Hash{{abi.HeartbeatTopic}}}, logs)
	require.NoError(t, err)

	fork := x.chain.head()
	a1 := x.chain.extend(withLogs(t, x, 0, alice))
	require.Equal(t, a1.Hash(), receive(t, heads).Hash())
	require.Equal(t, a1.Hash(), receive(t, logs).BlockHash)
	b1 := x.chain.build(fork, withLogs(t, x, 1, bob))
	b2 := x.chain.build(b1, withLogs(t, x, 2))
	x.chain.setHead(b2)
	require.Equal(t, b1.Hash(), receive(t, heads).Hash(), "no head is skipped")
	require.Equal(t, b2.Hash(), receive(t, heads).Hash())
	gone := receive(t, logs)
	require.True(t, gone.Removed)
	require.Equal(t, a1.Hash(), gone.BlockHash)
	fresh := receive(t, logs)
	require.False(t, fresh.Removed)
	require.Equal(t, b1.Hash(), fresh.BlockHash)

	s2.Unsubscribe()
	require.Eventually(t, func() bool { n, _ := x.hub.counts(); return n == 1 }, 5*time.Second, time.Millisecond)
	_, err = x.client.EthSubscribe(ctx, make(chan any), "logs", map[string]any{"blockHash": common.Hash{1}})
	require.ErrorContains(t, err, "eth_getLogs")
	_, err = x.client.EthSubscribe(ctx, make(chan any), "transactionReceipts", map[string]any{"transactionHashes": make([]common.Hash, maxReceiptHashes+1)})
	require.ErrorContains(t, err, "at most")
}

func TestSubscriptionsAreBounded(t *testing.T) {
	x := newTestAPI(t, func(c *Config) { c.MaxSubscriptionsPerConnection, c.MaxSubscriptions = 2, 3 })
	subscribe := func(c *rpc.Client) error {
		_, err := c.EthSubscribe(context.Background(), make(chan *types.Header, 8), "newHeads")
		return err
	}
	require.NoError(t, subscribe(x.client))
	require.NoError(t, subscribe(x.client))
	require.ErrorContains(t, subscribe(x.client), "on this connection")
	other := rpc.DialInProc(x.server)
	require.NoError(t, subscribe(other))
	third := rpc.DialInProc(x.server)
	defer third.Close()
	require.ErrorContains(t, subscribe(third), "retry later")
	other.Close() // frees its slot
	require.Eventually(t, func() bool { return subscribe(third) == nil }, 5*time.Second, time.Millisecond)
}

// A jump too long to tell ends log consumers instead of hiding logs from them; heads go on.
func TestLongJump(t *testing.T) {
	x := newTestAPI(t, nil)
	logFilter, blockFilter := get[string](t, x, "eth_newFilter", map[string]any{}), get[string](t, x, "eth_newBlockFilter")
	client := rpc.DialInProc(x.server)
	defer client.Close()
	sub, err := ethclient.NewClient(client).SubscribeFilterLogs(context.Background(), ethereum.FilterQuery{}, make(chan types.Log, 1))
	require.NoError(t, err)
	tip := x.chain.head()
	for range maxHeadStep + 1 {
		tip = x.chain.build(tip, payload{})
	}
	x.chain.setHead(tip)
	require.Equal(t, []common.Hash{tip.Hash()}, poll[common.Hash](t, x, blockFilter, 1))
	require.Eventually(t, func() bool {
		var out any
		err := x.client.Call(&out, "eth_getFilterChanges", logFilter)
		return err != nil && strings.Contains(err.Error(), "missed events")
	}, 5*time.Second, time.Millisecond)
	select {
	case err := <-sub.Err():
		require.Error(t, err, "the connection ends")
	case <-time.After(5 * time.Second):
		require.FailNow(t, "a subscriber that missed logs was not told")
	}
}

// A queue that overflows delays nobody: its subscriber is cut off, and nothing reaches it after the gap.
func TestSlowSubscriber(t *testing.T) {
	x := newTestAPI(t, func(c *Config) { c.SubscriptionQueue = 2 })
	server := httptest.NewServer(x.NewWSHandler(x.server, ServerConfig{Name: "ws"}))
	defer server.Close()
	l, err := x.hub.listen(topicHeads, nil, 2)
	require.NoError(t, err)
	for range 3 {
		l.deliver(change{})
	}
	receive(t, l.lost)
	<-l.ch
	l.deliver(change{heads: []*types.Header{{}}})
	require.Nil(t, (<-l.ch).heads)
	require.Empty(t, l.ch, "nothing follows a gap")

	// Over a socket: the loss closes the connection.
	ws, err := rpc.Dial("ws" + strings.TrimPrefix(server.URL, "http"))
	require.NoError(t, err)
	defer ws.Close()
	got := make(chan *types.Header, 1024)
	sub, err := ws.EthSubscribe(context.Background(), got, "newHeads")
	require.NoError(t, err)
	x.hub.lose(topicHeads)
	select {
	case err := <-sub.Err():
		require.Error(t, err)
	case <-time.After(5 * time.Second):
		require.FailNow(t, "still connected")
	}
}

// Whatever heads do, a consumer that replays removed and new logs holds the canonical chain's logs.
func TestLogsFollowAnyReorg(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		chain := newFakeChain()
		cfg := DefaultConfig()
		x := New(chain, cfg)
		defer x.Close()
		l, err := x.hub.listen(topicLogs, nil, 1000)
		require.NoError(rt, err)
		known := []*types.Block{chain.head()}
		key := func(l *types.Log) string { return fmt.Sprint(l.BlockHash, l.Index) }
		for i := range rapid.IntRange(1, 12).Draw(rt, "steps") {
			parent := known[rapid.IntRange(0, len(known)-1).Draw(rt, "parent")]
			p := payload{seed: byte(i)}
			if rapid.Bool().Draw(rt, "logs") {
				p.txs = []*types.Transaction{chain.signed(t, uint64(i), nil)}
				p.logs = [][]*types.Log{{heartbeatLog(alice, uint64(i)), heartbeatLog(bob, uint64(i))}}
			}
			b := chain.build(parent, p)
			known = append(known, b)
			if rapid.Bool().Draw(rt, "head") {
				chain.setHead(b)
			}
		}
		marker := chain.build(chain.head(), payload{txs: []*types.Transaction{chain.signed(t, 99, nil)}, logs: [][]*types.Log{{heartbeatLog(nobody, 0)}}, seed: 0xff})
		chain.setHead(marker)
		have := map[string]bool{}
		for !have[fmt.Sprint(marker.Hash(), 0)] {
			for _, l := range receive(t, l.ch).logs {
				if l.Removed == !have[key(l)] {
					rt.Fatalf("log %s: removed %v, but held %v", key(l), l.Removed, have[key(l)])
				}
				if l.Removed {
					delete(have, key(l))
				} else {
					have[key(l)] = true
				}
			}
		}
		want := map[string]bool{}
		for n := uint64(0); n <= marker.NumberU64(); n++ {
			for _, r := range chain.Receipts(chain.CanonicalHash(n)) {
				for _, l := range r.Logs {
					want[key(l)] = true
				}
			}
		}
		require.Equal(rt, want, have)
	})
}

func TestClose(t *testing.T) {
	x := New(newFakeChain(), DefaultConfig())
	x.Close()
	x.Close()
	_, err := x.hub.addFilter(topicHeads, Criteria{})
	require.ErrorIs(t, err, errClosed)
	_, err = x.hub.listen(topicHeads, nil, 1)
	require.ErrorIs(t, err, errClosed)
}
