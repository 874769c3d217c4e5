package batcher

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/ethereum-optimism/optimism/op-service/txmgr"
	"github.com/ethereum-optimism/optimism/op-service/txmgr/metrics"
	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/ethclient"
	"github.com/ethereum/go-ethereum/log"
	"github.com/stretchr/testify/require"

	"github.com/agnt2/agnt2/agnt2/manifest"
	"github.com/agnt2/agnt2/batcher/inboxtest"
)

func h(s string) common.Hash { return crypto.Keccak256Hash([]byte(s)) }

func frame(channel string, number uint16) manifest.Frame {
	id := h(channel)
	return manifest.Frame{Channel: [16]byte(id[:16]), Number: number, DataHash: h("data"), Pointer: h("data")}
}

func part(channel string, number uint16) []byte {
	return manifest.Calldata(manifest.Part{Frame: frame(channel, number)})
}

// seal has no zero bytes where there need not be any: the dearest calldata and the dearest storage.
func seal(channel string, number uint16, first, last uint64) []byte {
	s := manifest.Seal{
		Frame: frame(channel, number), FirstBlock: first, LastBlock: last, RecordsRoot: h("records"),
		PreviousRoot: h("previous"), CurrentRoot: h("current"), Interactions: 1<<64 - 1,
	}
	s.Volume.SetAllOne()
	copy(s.L1OriginCheck[:], h("origin").Bytes())
	copy(s.ParentCheck[:], h("parent").Bytes())
	return manifest.Calldata(s)
}

// The limit must be enough for the real contract's dearest path, with a margin of at least one half.
func TestGasLimitFitsLayerRoot(t *testing.T) {
	l1 := inboxtest.Start(t)
	first := uint64(1)
	for _, c := range []struct {
		what string
		data []byte
	}{
		{"PART that opens a channel in fresh storage", part("a", 0)},
		{"PART that abandons one", part("b", 0)},
		{"next PART", part("b", 1)},
		{"first SEAL, after PARTs", seal("b", 2, first, first+1)},
		{"PART", part("c", 0)},
		{"SEAL that abandons a channel", seal("d", 0, first+2, first+2)},
		{"SEAL of one frame, longest range", seal("e", 0, first+3, first+2+manifest.MaxSubmissionBlocks)},
	} {
		if len(c.data) > len(part("a", 0)) {
			c.data = l1.OnOrigin(c.data)
		}
		limit := GasLimit(c.data)
		r := l1.Receipt(l1.Send(inboxtest.BatcherKey, &l1.Inbox, c.data, 0, limit))
		require.Equal(t, types.ReceiptStatusSuccessful, r.Status, c.what)
		require.NotEmpty(t, r.Logs, c.what)
		t.Logf("%-45s %7d of %7d", c.what, r.GasUsed, limit)
		require.GreaterOrEqual(t, 2*limit, 3*r.GasUsed, c.what)
	}
}

func TestGasLimitCoversTheFloor(t *testing.T) {
	data := make([]byte, 120_000)
	for i := range data {
		data[i] = 1
	}
	// EIP-7623: 40 per non-zero byte, against 16 and the execution.
	require.Equal(t, uint64(21_000+40*len(data)), GasLimit(data))
	require.Equal(t, uint64(21_000+4*3+16*1+executionGas), GasLimit([]byte{0, 0, 0, 1}))
}

// recordingManager notes what reaches the inner manager.
type recordingManager struct {
	txmgr.TxManager
	mu   sync.Mutex
	sent []txmgr.TxCandidate
}

func (r *recordingManager) From() common.Address { return inboxtest.Batcher }

func (r *recordingManager) note(c txmgr.TxCandidate) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sent = append(r.sent, c)
}

func (r *recordingManager) Send(_ context.Context, c txmgr.TxCandidate) (*types.Receipt, error) {
	r.note(c)
	return &types.Receipt{Status: types.ReceiptStatusSuccessful}, nil
}

func (r *recordingManager) SendAsync(_ context.Context, c txmgr.TxCandidate, ch chan txmgr.SendResponse) {
	r.note(c)
	ch <- txmgr.SendResponse{Receipt: &types.Receipt{Status: types.ReceiptStatusSuccessful}}
}

// Without an L1 that answers, the inner manager decides; other recipients and blobs are none of this manager's business.
func TestOnlyTheInboxGetsTheLimit(t *testing.T) {
	dead, err := ethclient.Dial("http://127.0.0.1:1")
	require.NoError(t, err)
	defer dead.Close()
	inbox, other := common.Address{1}, common.Address{2}
	inner := new(recordingManager)
	m := NewInboxTxManager(inner, inbox, dead, log.Root(), func() { t.Error("resync for nothing") })
	data := part("a", 0)
	for _, c := range []struct {
		candidate txmgr.TxCandidate
		want      uint64
	}{
		{txmgr.TxCandidate{To: &inbox, TxData: data, GasLimit: 5}, GasLimit(data)},
		{txmgr.TxCandidate{To: &other, TxData: data, GasLimit: 5}, 5},
		{txmgr.TxCandidate{To: nil, TxData: data}, 0},
	} {
		inner.sent = nil
		_, err := m.Send(context.Background(), c.candidate)
		require.NoError(t, err)
		ch := make(chan txmgr.SendResponse, 1)
		m.SendAsync(context.Background(), c.candidate, ch)
		require.NoError(t, (<-ch).Err)
		require.Len(t, inner.sent, 2)
		for _, got := range inner.sent {
			require.Equal(t, c.want, got.GasLimit)
			require.Equal(t, c.candidate.TxData, got.TxData)
		}
	}
	require.Zero(t, m.inFlight.Load())
}

// manager is OP's own transaction manager on the L1.
func manager(t *testing.T, l1 *inboxtest.L1) txmgr.TxManager {
	cfg := txmgr.NewCLIConfig(l1.URL, txmgr.DefaultBatcherFlagValues)
	cfg.PrivateKey = common.Bytes2Hex(crypto.FromECDSA(inboxtest.BatcherKey))
	cfg.NumConfirmations, cfg.ReceiptQueryInterval = 1, 50*time.Millisecond
	conf, err := txmgr.NewConfig(cfg, log.Root())
	require.NoError(t, err)
	conf.Backend = &PendingBackend{ETHBackend: conf.Backend, Pending: l1.Client, Inbox: l1.Inbox}
	m, err := txmgr.NewSimpleTxManagerFromConfig("test", log.Root(), new(metrics.NoopTxMetrics), conf)
	require.NoError(t, err)
	t.Cleanup(m.Close)
	return m
}

func send(t *testing.T, m *InboxTxManager, data []byte) error {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	ch := make(chan txmgr.SendResponse, 1)
	m.SendAsync(ctx, txmgr.TxCandidate{To: &m.inbox, TxData: data, GasLimit: 1}, ch)
	select {
	case r := <-ch:
		require.Equal(t, r.Err == nil, r.Receipt != nil)
		return r.Err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// What a batcher that was killed does: its last range is on L1 already, and it offers it in another channel.
func TestARangeThatIsOnL1(t *testing.T) {
	l1 := inboxtest.Start(t)
	resyncs := make(chan struct{}, 16)
	m := NewInboxTxManager(manager(t, l1), l1.Inbox, l1.Client, log.Root(), func() { resyncs <- struct{}{} })
	require.NoError(t, send(t, m, l1.OnOrigin(seal("before", 0, 1, 10))))

	began := time.Now()
	require.ErrorIs(t, send(t, m, l1.OnOrigin(seal("after", 0, 8, 12))), ErrRefused)
	require.Less(t, time.Since(began), 10*time.Second, "it must not wait for the inner manager's retries")
	<-resyncs
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	_, err := m.Send(ctx, txmgr.TxCandidate{To: &m.inbox, TxData: l1.OnOrigin(seal("after", 0, 10, 12))})
	require.ErrorIs(t, err, ErrRefused)
	<-resyncs

	// A frame whose predecessor is nowhere.
	require.ErrorIs(t, send(t, m, part("lost", 3)), ErrRefused)
	<-resyncs
	// What may come again is not dropped for it: the range behind the last one, in two frames.
	require.NoError(t, send(t, m, part("next", 0)))
	require.NoError(t, send(t, m, l1.OnOrigin(seal("next", 1, 11, 12))))
	require.Empty(t, resyncs)
	require.Equal(t, uint64(12), lastBlock(t, l1))
}

// While the predecessor is in flight, its successor's refusal says nothing.
func TestAPendingPredecessor(t *testing.T) {
	l1 := inboxtest.Start(t)
	m := NewInboxTxManager(manager(t, l1), l1.Inbox, l1.Client, log.Root(), func() { t.Error("resync for nothing") })
	l1.Automine(false)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	first := make(chan txmgr.SendResponse, 1)
	m.SendAsync(ctx, txmgr.TxCandidate{To: &m.inbox, TxData: part("a", 0)}, first)
	c := txmgr.TxCandidate{To: &m.inbox, TxData: l1.OnOrigin(seal("a", 1, 1, 2)), GasLimit: GasLimit(l1.OnOrigin(seal("a", 1, 1, 2)))}
	require.NoError(t, m.ask(ctx, c))
	for len(first) == 0 { // published by another goroutine
		require.NoError(t, ctx.Err())
		l1.Mine()
		time.Sleep(20 * time.Millisecond)
	}
	require.NoError(t, (<-first).Err)
	l1.Automine(true)
	require.NoError(t, send(t, m, c.TxData))
	require.Equal(t, uint64(2), lastBlock(t, l1))
}

// uncheckedManager publishes what it is given and returns the receipt, as OP's manager does once its own check has passed.
type uncheckedManager struct {
	recordingManager
	l1 *inboxtest.L1
}

func (u *uncheckedManager) Send(_ context.Context, c txmgr.TxCandidate) (*types.Receipt, error) {
	return u.l1.Receipt(u.l1.Send(inboxtest.BatcherKey, c.To, c.TxData, 0, c.GasLimit)), nil
}

func (u *uncheckedManager) SendAsync(ctx context.Context, c txmgr.TxCandidate, ch chan txmgr.SendResponse) {
	r, err := u.Send(ctx, c)
	ch <- txmgr.SendResponse{Receipt: r, Err: err}
}

// To op-batcher every receipt is a success; it would go on behind the gap.
func TestARevertedTransactionIsNoSuccess(t *testing.T) {
	l1 := inboxtest.Start(t)
	m := NewInboxTxManager(&uncheckedManager{l1: l1}, l1.Inbox, l1.Client, log.Root(), func() { t.Error("resync for nothing") })
	require.ErrorIs(t, send(t, m, []byte{1, 1, 0xA6, 9}), ErrReverted)
	_, err := m.Send(context.Background(), txmgr.TxCandidate{To: &m.inbox, TxData: []byte{1, 1, 0xA6, 9}})
	require.ErrorIs(t, err, ErrReverted)
	require.NoError(t, send(t, m, part("a", 0)))
	require.Zero(t, m.inFlight.Load())
}

// scriptedDriver answers Start with its errors in turn.
type scriptedDriver struct {
	stop   error
	starts []error
	calls  []string
}

func (d *scriptedDriver) StopBatchSubmitting(ctx context.Context) error {
	d.calls = append(d.calls, "stop")
	if _, ok := ctx.Deadline(); !ok {
		return errors.New("no deadline")
	}
	return d.stop
}

func (d *scriptedDriver) StartBatchSubmitting() error {
	d.calls = append(d.calls, "start")
	err := d.starts[0]
	d.starts = d.starts[1:]
	return err
}

func TestResync(t *testing.T) {
	running := func() bool { return false }
	d := &scriptedDriver{starts: []error{errors.New("no node"), nil}}
	resync(d, running, log.Root(), time.Millisecond)
	require.Equal(t, []string{"stop", "start", "stop", "start"}, d.calls)

	d = &scriptedDriver{stop: errors.New("not running")} // stopped by an operator: not ours to start
	resync(d, running, log.Root(), time.Millisecond)
	require.Equal(t, []string{"stop"}, d.calls)

	d = new(scriptedDriver)
	resync(d, func() bool { return true }, log.Root(), time.Millisecond)
	require.Empty(t, d.calls)
}

func lastBlock(t *testing.T, l1 *inboxtest.L1) uint64 { return view(t, l1, "lastBlock")[0].(uint64) }

func view(t *testing.T, l1 *inboxtest.L1, method string, args ...any) []any {
	data, err := l1.ABI.Pack(method, args...)
	require.NoError(t, err)
	raw, err := l1.Client.CallContract(context.Background(), ethereum.CallMsg{To: &l1.Inbox, Data: data}, nil)
	require.NoError(t, err)
	out, err := l1.ABI.Unpack(method, raw)
	require.NoError(t, err)
	return out
}
