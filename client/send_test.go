package client

import (
	"errors"
	"math/big"
	"sync"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/stretchr/testify/require"

	"github.com/agnt2/agnt2/agnt2/abi"
)

func nonces(n *fakeNode) (ns []uint64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, tx := range n.order {
		ns = append(ns, tx.Nonce())
	}
	return ns
}

func consecutive(t *testing.T, ns []uint64, count int) {
	t.Helper()
	require.Len(t, ns, count)
	for i, n := range ns {
		require.EqualValues(t, i, n)
	}
}

func TestConcurrentTransactionsTakeConsecutiveNonces(t *testing.T) {
	node := newFakeNode(t)
	a := dialFake(t, node.httpURL(), "").Account(testKey(t, "a"))
	ctx := testContext(t)
	var wg sync.WaitGroup
	errs := make(chan error, 40)
	for range 40 {
		wg.Go(func() {
			_, err := a.Transfer(ctx, common.Address{1}, big.NewInt(1))
			errs <- err
		})
	}
	wg.Wait()
	close(errs)
	for err := range errs {
		require.NoError(t, err)
	}
	consecutive(t, nonces(node), 40)
	require.Equal(t, 1, node.count("getTransactionCount"), "the nonce is asked for once")
}

func TestRefusedTransactionLeavesNoGap(t *testing.T) {
	node := newFakeNode(t)
	a := dialFake(t, node.httpURL(), "").Account(testKey(t, "a"))
	ctx := testContext(t)
	_, err := a.Transfer(ctx, common.Address{1}, big.NewInt(1))
	require.NoError(t, err)
	node.onSend = func(tx *types.Transaction) error {
		if tx.Value().Int64() == 666 {
			return errors.New("insufficient funds for gas * price + value")
		}
		return nil
	}
	_, err = a.Transfer(ctx, common.Address{1}, big.NewInt(666))
	require.ErrorContains(t, err, "insufficient funds")
	_, err = a.Transfer(ctx, common.Address{1}, big.NewInt(2))
	require.NoError(t, err)
	consecutive(t, nonces(node), 2)
}

func TestNonceUsedElsewhereIsRecovered(t *testing.T) {
	node := newFakeNode(t)
	key := testKey(t, "a")
	ours, theirs := dialFake(t, node.httpURL(), "").Account(key), dialFake(t, node.httpURL(), "").Account(key)
	ctx := testContext(t)
	for range 3 {
		_, err := ours.Transfer(ctx, common.Address{1}, big.NewInt(1))
		require.NoError(t, err)
		_, err = theirs.Transfer(ctx, common.Address{2}, big.NewInt(1))
		require.NoError(t, err)
	}
	consecutive(t, nonces(node), 6)
}

func TestNonceAheadOfThePoolIsRecovered(t *testing.T) {
	node := newFakeNode(t)
	a := dialFake(t, node.httpURL(), "").Account(testKey(t, "a"))
	a.s.next, a.s.known = 7, true // as after a node that lost its pool
	_, err := a.Transfer(testContext(t), common.Address{1}, big.NewInt(1))
	require.NoError(t, err)
	consecutive(t, nonces(node), 1)
}

func TestLostAnswerDoesNotSendTwice(t *testing.T) {
	node := newFakeNode(t)
	a := dialFake(t, node.httpURL(), "").Account(testKey(t, "a"))
	ctx := testContext(t)
	node.mu.Lock()
	node.loseAnswer = 1
	node.mu.Unlock()
	_, err := a.Transfer(ctx, common.Address{1}, big.NewInt(5))
	require.NoError(t, err)
	consecutive(t, nonces(node), 1)
	_, err = a.Transfer(ctx, common.Address{1}, big.NewInt(6))
	require.NoError(t, err)
	consecutive(t, nonces(node), 2)
}

func TestDryRunGivesTypedErrorAndSendsNothing(t *testing.T) {
	node := newFakeNode(t)
	a := dialFake(t, node.httpURL(), "").Account(testKey(t, "a"))
	node.estimate = func([]byte) error { return &revertData{(&abi.AlreadyRegistered{Agent: a.Address()}).Encode()} }
	_, err := a.Register(testContext(t), Registration{Name: "x", StakeWei: big.NewInt(1)})
	var taken *abi.AlreadyRegistered
	require.ErrorAs(t, err, &taken)
	require.Equal(t, a.Address(), taken.Agent)
	var op *OperationError
	require.ErrorAs(t, err, &op)
	require.Equal(t, "register", op.Op)
	require.Zero(t, node.count("sendRawTransaction"))
}

func TestFailedAndVoidReceipts(t *testing.T) {
	node := newFakeNode(t)
	a := dialFake(t, node.httpURL(), "").Account(testKey(t, "a"))
	ctx := testContext(t)
	r, err := a.Heartbeat(ctx)
	require.NoError(t, err)
	require.Equal(t, big.NewInt(15_000*1007+11), Fee(r), "gas and the L1 fee")

	tx := node.order[0]
	node.view = func([]byte) ([]byte, error) {
		return nil, &revertData{(&abi.NotRegistered{Agent: a.Address()}).Encode()}
	}
	failed := *r
	failed.Status = types.ReceiptStatusFailed
	_, err = a.s.judge(ctx, txRequest{op: "heartbeat"}, tx, &failed)
	var missing *abi.NotRegistered
	require.ErrorAs(t, err, &missing)

	failed.GasUsed = 0
	_, err = a.s.judge(ctx, txRequest{op: "heartbeat"}, tx, &failed)
	require.ErrorIs(t, err, ErrVoid)
}

func TestFullPoolIsTriedAgain(t *testing.T) {
	node := newFakeNode(t)
	a := dialFake(t, node.httpURL(), "").Account(testKey(t, "a"))
	tries := 0
	node.onSend = func(*types.Transaction) error {
		if tries++; tries < 3 {
			return errors.New("transaction 0x1: transaction pool is full: send missing nonces first, or try again later")
		}
		return nil
	}
	_, err := a.Transfer(testContext(t), common.Address{1}, big.NewInt(1))
	require.NoError(t, err)
	consecutive(t, nonces(node), 1)
	require.Equal(t, 1, node.count("getTransactionCount"), "a full pool says nothing about the nonce")
}
