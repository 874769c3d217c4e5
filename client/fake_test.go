package client

import (
	"context"
	"crypto/ecdsa"
	"errors"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/eth/filters"
	"github.com/ethereum/go-ethereum/rpc"
	"github.com/stretchr/testify/require"

	"github.com/agnt2/agnt2/agnt2/abi"
)

var fakeChainID = big.NewInt(901)

// fakeNode answers the JSON-RPC methods that this package uses, from a chain on which every transaction is mined in a
// block of its own. It knows nonces and the two interaction operations, and fails where a test tells it to.
type fakeNode struct {
	mu       sync.Mutex
	blocks   []common.Hash
	nonces   map[common.Address]uint64
	receipts map[common.Hash]map[string]any
	txs      map[common.Hash]*types.Transaction
	order    []*types.Transaction
	logs     []*types.Log
	subs     map[chan *types.Log]bool
	calls    map[string]int

	// onSend may refuse a transaction; loseAnswer cuts the connection after taking that many transactions.
	onSend func(tx *types.Transaction) error

	// emits are further logs of a transaction.
	emits func(tx *types.Transaction, from common.Address) []*types.Log

	commitments []common.Hash

	loseAnswer int
	holdLogs   bool // logs are kept from subscribers (they are on the chain all the same)
	view       func(data []byte) ([]byte, error)
	estimate   func(data []byte) error

	conns  map[net.Conn]bool
	http   *httptest.Server
	server *rpc.Server
}

type revertData struct{ data []byte }

func (e *revertData) Error() string  { return "execution reverted" }
func (e *revertData) ErrorCode() int { return 3 }
func (e *revertData) ErrorData() any { return hexutil.Encode(e.data) }

// trackingListener remembers connections, hijacked ones included, so that a test can cut them.
type trackingListener struct {
	net.Listener
	n *fakeNode
}

func (l trackingListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err == nil {
		l.n.mu.Lock()
		l.n.conns[c] = true
		l.n.mu.Unlock()
	}
	return c, err
}

func newFakeNode(t *testing.T) *fakeNode {
	n := &fakeNode{
		nonces: map[common.Address]uint64{}, receipts: map[common.Hash]map[string]any{}, txs: map[common.Hash]*types.Transaction{},
		subs: map[chan *types.Log]bool{}, calls: map[string]int{}, conns: map[net.Conn]bool{},
	}
	n.mine(nil)
	server := rpc.NewServer()
	n.server = server
	require.NoError(t, server.RegisterName("eth", &fakeEth{n}))
	ws := server.WebsocketHandler([]string{"*"})
	n.http = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") != "" {
			ws.ServeHTTP(w, r)
			return
		}
		rec := httptest.NewRecorder()
		server.ServeHTTP(rec, r)
		n.mu.Lock()
		lose := n.loseAnswer < 0
		if lose {
			n.loseAnswer = 0
		}
		n.mu.Unlock()
		if lose {
			c, _, err := w.(http.Hijacker).Hijack()
			if err == nil {
				c.Close()
			}
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(rec.Code)
		_, _ = w.Write(rec.Body.Bytes())
	}))
	n.http.Listener = trackingListener{n.http.Listener, n}
	n.http.Start()
	t.Cleanup(func() { n.drop(); n.http.Close(); server.Stop() })
	return n
}

func (n *fakeNode) httpURL() string { return n.http.URL }
func (n *fakeNode) wsURL() string   { return "ws" + n.http.URL[len("http"):] }

// drop cuts every connection.
func (n *fakeNode) drop() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for c := range n.conns {
		c.Close()
		delete(n.conns, c)
	}
}

// mine adds a block with these logs; the caller holds mu unless it is alone.
func (n *fakeNode) mine(logs []*types.Log) (number uint64, hash common.Hash) {
	number = uint64(len(n.blocks))
	hash = crypto.Keccak256Hash([]byte("block"), new(big.Int).SetUint64(number).Bytes())
	n.blocks = append(n.blocks, hash)
	for i, l := range logs {
		l.BlockNumber, l.BlockHash, l.Index = number, hash, uint(i)
		n.logs = append(n.logs, l)
		if !n.holdLogs {
			for ch := range n.subs {
				ch <- l
			}
		}
	}
	return number, hash
}

func (n *fakeNode) emit(logs ...*types.Log) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.mine(logs)
}

func (n *fakeNode) count(method string) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.calls[method]
}

type fakeEth struct{ n *fakeNode }

func (e *fakeEth) enter(method string) *fakeNode {
	e.n.mu.Lock()
	e.n.calls[method]++
	return e.n
}

func (e *fakeEth) ChainId() *hexutil.Big { return (*hexutil.Big)(fakeChainID) }
func (e *fakeEth) BlockNumber() hexutil.Uint64 {
	n := e.enter("blockNumber")
	defer n.mu.Unlock()
	return hexutil.Uint64(len(n.blocks) - 1)
}
func (e *fakeEth) MaxPriorityFeePerGas() *hexutil.Big { return (*hexutil.Big)(big.NewInt(1000)) }
func (e *fakeEth) GetBlockByNumber(number rpc.BlockNumber, full bool) *types.Header {
	return &types.Header{Number: new(big.Int), Difficulty: new(big.Int), BaseFee: big.NewInt(7), Extra: []byte{}}
}
func (e *fakeEth) GetTransactionCount(a common.Address, _ rpc.BlockNumber) hexutil.Uint64 {
	n := e.enter("getTransactionCount")
	defer n.mu.Unlock()
	return hexutil.Uint64(n.nonces[a])
}

type fakeCall struct {
	Data  hexutil.Bytes `json:"data"`
	Input hexutil.Bytes `json:"input"`
}

func (e *fakeEth) EstimateGas(c fakeCall, _ *rpc.BlockNumberOrHash) (hexutil.Uint64, error) {
	if e.n.estimate != nil {
		if err := e.n.estimate(append(c.Data, c.Input...)); err != nil {
			return 0, err
		}
	}
	return 20_000, nil
}

func (e *fakeEth) Call(c fakeCall, _ rpc.BlockNumberOrHash) (hexutil.Bytes, error) {
	return e.n.view(append(c.Data, c.Input...))
}

func (e *fakeEth) SendRawTransaction(raw hexutil.Bytes) (common.Hash, error) {
	n := e.enter("sendRawTransaction")
	defer n.mu.Unlock()
	tx := new(types.Transaction)
	if err := tx.UnmarshalBinary(raw); err != nil {
		return common.Hash{}, err
	}
	from, err := types.Sender(types.LatestSignerForChainID(fakeChainID), tx)
	if err != nil {
		return common.Hash{}, err
	}
	if n.onSend != nil {
		if err := n.onSend(tx); err != nil {
			return common.Hash{}, err
		}
	}
	switch want := n.nonces[from]; {
	case tx.Nonce() < want:
		return common.Hash{}, errors.New("nonce too low")
	case tx.Nonce() > want:
		return common.Hash{}, errors.New("nonce too high: gapped")
	}
	n.nonces[from]++
	n.include(tx, from)
	if n.loseAnswer > 0 {
		n.loseAnswer = -1
	}
	return tx.Hash(), nil
}

func (n *fakeNode) include(tx *types.Transaction, from common.Address) {
	var logs []*types.Log
	if data := tx.Data(); tx.To() != nil && *tx.To() == abi.Address && len(data) >= 4 {
		switch [4]byte(data[:4]) {
		case abi.InvokeSelector:
			c, err := abi.DecodeInvokeCall(data[4:])
			if err == nil {
				ev := abi.InvokedEvent{Id: InteractionID(from, c.Salt), Caller: from, Callee: c.Callee, Capability: c.Capability, ParamsHash: c.ParamsHash,
					Deadline: uint64(time.Now().Unix()) + uint64(c.TtlSeconds), Da: c.Da}
				ev.PaymentWei.SetFromBig(tx.Value())
				logs = append(logs, ev.Log(abi.Address))
			}
		case abi.DiscoverInvokeSelector, abi.CommitSelector, abi.RevealSelector:
			if l := n.market(tx, from); l != nil {
				logs = append(logs, l)
			}
		case abi.GiveFeedbackSelector:
			if l := n.feedback(tx, from); l != nil {
				logs = append(logs, l)
			}
		case abi.ComposeSelector:
			c, err := abi.DecodeComposeCall(data[4:])
			if err == nil {
				ev := abi.ComposedEvent{Id: CompositionID(from, c.Salt), Initiator: from, Atomic: c.Atomic, Count: uint8(len(c.Constituents))}
				ev.TotalWei.SetFromBig(tx.Value())
				logs = append(logs, ev.Log(abi.Address))
			}
		case abi.RespondSelector:
			c, err := abi.DecodeRespondCall(data[4:])
			if err == nil {
				logs = append(logs, (&abi.RespondedEvent{Id: c.Id, Callee: from, Status: c.Status, ResultHash: c.ResultHash, Da: c.Da}).Log(abi.Address))
			}
		}
	}
	if n.emits != nil {
		logs = append(logs, n.emits(tx, from)...)
	}
	for _, l := range logs {
		l.TxHash = tx.Hash()
	}
	number, hash := n.mine(logs)
	if logs == nil {
		logs = []*types.Log{}
	}
	n.txs[tx.Hash()] = tx
	n.order = append(n.order, tx)
	n.receipts[tx.Hash()] = map[string]any{
		"type": hexutil.Uint64(2), "status": hexutil.Uint64(1), "transactionHash": tx.Hash(), "blockHash": hash, "blockNumber": hexutil.Uint64(number),
		"transactionIndex": hexutil.Uint64(0), "gasUsed": hexutil.Uint64(15_000), "cumulativeGasUsed": hexutil.Uint64(15_000),
		"effectiveGasPrice": hexutil.Uint64(1007), "l1Fee": hexutil.Uint64(11), "logsBloom": types.Bloom{}, "logs": logs,
	}
}

func (e *fakeEth) GetTransactionReceipt(hash common.Hash) map[string]any {
	n := e.enter("getTransactionReceipt")
	defer n.mu.Unlock()
	return n.receipts[hash]
}

func (e *fakeEth) GetTransactionByHash(hash common.Hash) (*types.Transaction, error) {
	n := e.enter("getTransactionByHash")
	defer n.mu.Unlock()
	return n.txs[hash], nil
}

func (e *fakeEth) GetLogs(crit filters.FilterCriteria) []*types.Log {
	n := e.enter("getLogs")
	defer n.mu.Unlock()
	out := []*types.Log{}
	for _, l := range n.logs {
		if l.BlockNumber >= crit.FromBlock.Uint64() && l.BlockNumber <= crit.ToBlock.Uint64() && matches(l, crit.Topics) {
			out = append(out, l)
		}
	}
	return out
}

func matches(l *types.Log, topics [][]common.Hash) bool {
	for i, any := range topics {
		if len(any) == 0 {
			continue
		}
		found := false
		for _, t := range any {
			found = found || i < len(l.Topics) && l.Topics[i] == t
		}
		if !found {
			return false
		}
	}
	return true
}

func (e *fakeEth) Logs(ctx context.Context, crit filters.FilterCriteria) (*rpc.Subscription, error) {
	notifier, ok := rpc.NotifierFromContext(ctx)
	if !ok {
		return nil, rpc.ErrNotificationsUnsupported
	}
	sub := notifier.CreateSubscription()
	ch := make(chan *types.Log, 1024)
	n := e.enter("subscribe")
	n.subs[ch] = true
	n.mu.Unlock()
	go func() {
		defer func() { n.mu.Lock(); delete(n.subs, ch); n.mu.Unlock() }()
		for {
			select {
			case <-sub.Err():
				return
			case l := <-ch:
				if matches(l, crit.Topics) {
					_ = notifier.Notify(sub.ID, l)
				}
			}
		}
	}()
	return sub, nil
}

// fakePayloads is a DA server's payload store that can lie.
type fakePayloads struct {
	mu      sync.Mutex
	stored  map[common.Hash][]byte
	corrupt bool
}

func newFakePayloads(t *testing.T) (*fakePayloads, string) {
	p := &fakePayloads{stored: map[common.Hash][]byte{}}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /payload", func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		h := crypto.Keccak256Hash(b)
		p.mu.Lock()
		p.stored[h] = b
		p.mu.Unlock()
		_, _ = io.WriteString(w, `{"hash":"`+h.Hex()+`","length":1,"pointer":{}}`)
	})
	mux.HandleFunc("GET /payload/{hash}", func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		b, ok := p.stored[common.HexToHash(r.PathValue("hash"))]
		if p.corrupt {
			b = append([]byte("x"), b...)
		}
		p.mu.Unlock()
		if !ok {
			http.NotFound(w, r)
			return
		}
		_, _ = w.Write(b)
	})
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return p, s.URL
}

func testKey(t *testing.T, seed string) *ecdsa.PrivateKey {
	k, err := crypto.ToECDSA(crypto.Keccak256([]byte(seed)))
	require.NoError(t, err)
	return k
}

func testContext(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 8*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func dialFake(t *testing.T, rpcURL, daURL string) *Client {
	c, err := Dial(testContext(t), Config{RPC: rpcURL, DAURL: daURL, PollInterval: 10 * time.Millisecond, RequestTimeout: 2 * time.Second})
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c
}
