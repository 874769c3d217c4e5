// Package batcher is what AGNT2 adds to op-batcher: how transactions to the LayerRoot inbox are sent, and what happens when
// LayerRoot refuses one.
//
// op-batcher gives its transactions the calldata floor as gas limit, which leaves nothing for LayerRoot's code. So the limit
// is computed: what LayerRoot does with a commitment is bounded by the commitment's kind and length.
//
// op-batcher also takes any mined transaction for a success, and sends one that cannot succeed for ever. A batcher that was
// killed after its last SEAL was accepted, and restarted before the node derived it, would offer the same range again and
// hang. It must never go on behind a refused commitment either: LayerRoot would take the next range, and the one in between
// could not be posted any more. So a reverted transaction is a failure, and a commitment that can never be accepted makes
// op-batcher drop its channels and begin again after the safe block.
package batcher

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/big"
	"sync/atomic"
	"time"

	"github.com/ethereum-optimism/optimism/op-service/errutil"
	"github.com/ethereum-optimism/optimism/op-service/txmgr"
	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/log"
	"github.com/ethereum/go-ethereum/params"
	"github.com/ethereum/go-ethereum/rpc"
)

var (
	// ErrRefused: LayerRoot will never accept the commitment; its range or its place in the channel is gone.
	ErrRefused = errors.New("LayerRoot refuses the commitment for good")
	// ErrReverted: the transaction is mined, and LayerRoot has refused it.
	ErrReverted = errors.New("LayerRoot reverted the transaction")
)

// executionGas bounds what LayerRoot spends on one commitment, storage of a submission included, with a margin of more than
// two; a test against the real contract measures it. What is not used is not paid.
const executionGas = 800_000

const (
	// callTimeout bounds the question whether LayerRoot would accept a commitment.
	callTimeout = 10 * time.Second
	// refusalPause is how long a refused send takes, so that op-batcher does not spin until it is stopped.
	refusalPause = 500 * time.Millisecond
	// stopTimeout is how long a running driver has to finish before its transactions are cancelled.
	stopTimeout = time.Second
	// resyncPause is how long the driver stands still, in which nodes derive what L1 has.
	resyncPause = 4 * time.Second
)

// Errors of LayerRoot after which a commitment can never be accepted (ILayerRoot.sol).
var (
	badRange        = selector("BadRange(uint64,uint64,uint64)")
	frameOutOfOrder = selector("FrameOutOfOrder(bytes16,uint16,bytes16,uint16)")
	channelTimedOut = selector("ChannelTimedOut(bytes16,uint64)")
	staleOrigin     = selector("StaleOrigin(bytes20)")
	windowPassed    = selector("SequencingWindowPassed(uint64,uint64)")
)

func selector(signature string) []byte { return crypto.Keccak256([]byte(signature))[:4] }

// InboxTxManager sends transactions to the inbox with their own gas limit, and reports those that LayerRoot refused as
// errors. Everything else it leaves to the inner manager.
type InboxTxManager struct {
	txmgr.TxManager
	inbox  common.Address
	l1     ethereum.PendingContractCaller
	log    log.Logger
	resync func()

	inFlight  atomic.Int64 // sent to the inbox and without a receipt
	resyncing atomic.Bool
}

// NewInboxTxManager wraps inner. l1 answers eth_call on the pending block. resync is called, in a goroutine of its own and never twice at the same
// time, when a commitment was refused for good; it must make the batcher begin again after the safe block.
func NewInboxTxManager(inner txmgr.TxManager, inbox common.Address, l1 ethereum.PendingContractCaller, l log.Logger, resync func()) *InboxTxManager {
	return &InboxTxManager{TxManager: inner, inbox: inbox, l1: l1, log: l, resync: resync}
}

// PendingBackend makes OP's manager try inbox transactions on the pending block. It tries every transaction whose gas limit
// is given on the latest block, where a frame's predecessor that is in flight, and the newest L1 block as an origin, cannot
// be seen: what is going to succeed would wait for the next block.
type PendingBackend struct {
	txmgr.ETHBackend
	Pending ethereum.PendingContractCaller
	Inbox   common.Address
}

func (b *PendingBackend) CallContract(ctx context.Context, msg ethereum.CallMsg, number *big.Int) ([]byte, error) {
	if msg.To != nil && *msg.To == b.Inbox && number == nil {
		return b.Pending.PendingCallContract(ctx, msg)
	}
	return b.ETHBackend.CallContract(ctx, msg, number)
}

// GasLimit of an inbox transaction that carries data.
func GasLimit(data []byte) uint64 {
	zeros := uint64(bytes.Count(data, []byte{0}))
	intrinsic := params.TxGas + zeros*params.TxDataZeroGas + (uint64(len(data))-zeros)*params.TxDataNonZeroGasEIP2028
	limit := intrinsic + executionGas
	if floor, err := core.FloorDataGas(data); err == nil { // EIP-7623
		limit = max(limit, floor)
	}
	return limit
}

func (m *InboxTxManager) toInbox(c txmgr.TxCandidate) bool {
	return c.To != nil && *c.To == m.inbox && len(c.Blobs) == 0
}

// Send implements txmgr.TxManager.
func (m *InboxTxManager) Send(ctx context.Context, c txmgr.TxCandidate) (*types.Receipt, error) {
	if !m.toInbox(c) {
		return m.TxManager.Send(ctx, c)
	}
	c.GasLimit = GasLimit(c.TxData)
	if err := m.check(ctx, c); err != nil {
		return nil, err
	}
	m.inFlight.Add(1)
	defer m.inFlight.Add(-1)
	receipt, err := m.TxManager.Send(ctx, c)
	if err == nil {
		err = reverted(receipt)
	}
	if err != nil {
		return nil, err
	}
	return receipt, nil
}

// SendAsync implements txmgr.TxManager.
func (m *InboxTxManager) SendAsync(ctx context.Context, c txmgr.TxCandidate, ch chan txmgr.SendResponse) {
	if !m.toInbox(c) {
		m.TxManager.SendAsync(ctx, c, ch)
		return
	}
	c.GasLimit = GasLimit(c.TxData)
	if err := m.check(ctx, c); err != nil {
		ch <- txmgr.SendResponse{Err: err}
		return
	}
	m.inFlight.Add(1)
	inner := make(chan txmgr.SendResponse, 1)
	m.TxManager.SendAsync(ctx, c, inner)
	go func() {
		r := <-inner // comes in any case: sending ends with its context
		if r.Err == nil {
			if r.Err = reverted(r.Receipt); r.Err != nil {
				r.Receipt = nil
			}
		}
		m.inFlight.Add(-1)
		ch <- r
	}()
}

// reverted is ErrReverted for the receipt of a transaction that LayerRoot refused. To op-batcher any receipt is a success.
func reverted(r *types.Receipt) error {
	if r != nil && r.Status != types.ReceiptStatusSuccessful {
		return fmt.Errorf("transaction %s: %w", r.TxHash, ErrReverted)
	}
	return nil
}

// check returns ErrRefused for a commitment that can never be accepted, and starts the resync. Anything else is the inner
// manager's: it tries again what may yet succeed.
func (m *InboxTxManager) check(ctx context.Context, c txmgr.TxCandidate) error {
	err := m.ask(ctx, c)
	if err == nil {
		return nil
	}
	if m.resyncing.CompareAndSwap(false, true) {
		m.log.Warn("LayerRoot refuses a commitment; the batcher begins again after the safe block", "err", err)
		go func() {
			defer m.resyncing.Store(false)
			m.resync()
		}()
	}
	select {
	case <-ctx.Done():
	case <-time.After(refusalPause):
	}
	return err
}

func (m *InboxTxManager) ask(ctx context.Context, c txmgr.TxCandidate) error {
	alone := m.inFlight.Load() == 0 // before the call: what it does not see is counted here
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	_, err := m.l1.PendingCallContract(ctx, ethereum.CallMsg{From: m.From(), To: c.To, Gas: c.GasLimit, Value: c.Value, Data: c.TxData})
	var reason rpc.DataError
	if !errors.As(err, &reason) {
		return nil
	}
	text, _ := reason.ErrorData().(string)
	data, decodeErr := hexutil.Decode(text)
	if decodeErr != nil {
		return nil
	}
	switch {
	case bytes.HasPrefix(data, badRange), bytes.HasPrefix(data, channelTimedOut), bytes.HasPrefix(data, staleOrigin),
		bytes.HasPrefix(data, windowPassed):
	case bytes.HasPrefix(data, frameOutOfOrder) && alone: // else its predecessor may be pending
	default:
		return nil
	}
	return fmt.Errorf("%w: %w", ErrRefused, errutil.TryAddRevertReason(err))
}

// Driver is the part of op-batcher's driver that a resync uses.
type Driver interface {
	StartBatchSubmitting() error
	StopBatchSubmitting(ctx context.Context) error
}

// resync stops and starts the driver, which then forgets its channels and continues after the safe block. It tries until it
// succeeds or stopped says that the process ends.
func resync(d Driver, stopped func() bool, l log.Logger, pause time.Duration) {
	for !stopped() {
		ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
		err := d.StopBatchSubmitting(ctx)
		cancel()
		if err != nil { // an operator has stopped it, who will start it again
			l.Warn("The batcher is not running; it is not restarted", "err", err)
			return
		}
		time.Sleep(pause)
		if stopped() {
			return
		}
		if err = d.StartBatchSubmitting(); err == nil {
			return
		}
		l.Error("The batcher did not start; trying again", "err", err)
	}
}
