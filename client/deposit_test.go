package client

import (
	"math/big"
	"testing"

	"github.com/ethereum-optimism/optimism/op-node/rollup/derive"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/agnt2/withdrawal"
)

// The L2 hash of a deposit is what op-node derives.
func TestDepositFromLogIsWhatNodesDerive(t *testing.T) {
	portal, to := common.Address{9}, common.Address{8}
	for name, tx := range map[string]*types.DepositTx{
		"transfer":       {From: common.Address{1}, To: &to, Mint: big.NewInt(5), Value: big.NewInt(5), Gas: 100_000},
		"no mint":        {From: common.Address{1}, To: &to, Value: new(big.Int), Gas: 21_000, Data: []byte{1, 2, 3}},
		"creation":       {From: common.Address{1}, Mint: big.NewInt(1e18), Value: big.NewInt(3), Gas: 1 << 40, Data: make([]byte, 65)},
		"multiple of 32": {From: common.Address{1}, To: &to, Value: new(big.Int), Gas: 1, Data: make([]byte, 23)},
	} {
		t.Run(name, func(t *testing.T) {
			l, err := derive.MarshalDepositLogEvent(portal, tx)
			require.NoError(t, err)
			l.BlockHash, l.Index = common.Hash{4}, 77
			want, err := derive.UnmarshalDepositLogEvent(l)
			require.NoError(t, err)
			got, err := DepositFromLog(l)
			require.NoError(t, err)
			require.Equal(t, types.NewTx(want).Hash(), types.NewTx(got).Hash())
			l.Index++
			other, err := DepositFromLog(l)
			require.NoError(t, err)
			require.NotEqual(t, types.NewTx(want).Hash(), types.NewTx(other).Hash())
			for cut := range len(l.Data) {
				short := *l
				short.Data = l.Data[:cut]
				_, _ = DepositFromLog(&short) // must not panic
			}
		})
	}
	_, err := DepositFromLog(&types.Log{Topics: []common.Hash{depositTopic, {}, {}, {31: 1}}, Data: make([]byte, 200)})
	require.ErrorIs(t, err, ErrDepositLog)
}

func TestWithdrawalLogAndProof(t *testing.T) {
	m := withdrawal.Message{Nonce: 6, Sender: common.Address{1}, Target: common.Address{2}, Value: *uint256.NewInt(1e15), GasLimit: *uint256.NewInt(50_000), Data: []byte("hi")}
	nonce := m.EncodedNonce()
	data, err := passerABI.Events["MessagePassed"].Inputs.NonIndexed().Pack(m.Value.ToBig(), m.GasLimit.ToBig(), m.Data, m.Hash())
	require.NoError(t, err)
	l := &types.Log{Address: abi.MessagePasserAddress, Data: data, Topics: []common.Hash{
		passerABI.Events["MessagePassed"].ID, nonce.Bytes32(), common.BytesToHash(m.Sender[:]), common.BytesToHash(m.Target[:]),
	}}
	w, err := withdrawalFromLog(l)
	require.NoError(t, err)
	require.Equal(t, m.Hash(), w.Hash)
	require.Equal(t, "hi", string(w.Data))
	l.Topics[3] = common.Hash{31: 9}
	_, err = withdrawalFromLog(l)
	require.ErrorIs(t, err, ErrUnexpectedReceipt, "a hash that is not of the fields")

	tree := withdrawal.NewTree()
	for n := range uint64(9) {
		other := m
		other.Nonce = n
		tree.Insert(other.Hash())
	}
	root, slot := tree.Root(), withdrawal.Slot(m.Hash())
	nodes, err := tree.Prove(slot)
	require.NoError(t, err)
	p := &WithdrawalProof{Block: &types.Header{WithdrawalsHash: &root}, StorageRoot: root, Slot: slot, StorageProof: nodes}
	require.NoError(t, p.Verify())
	p.Slot = withdrawal.Slot(common.Hash{1})
	require.ErrorIs(t, p.Verify(), ErrWithdrawalProof, "another slot")
	p.Slot = slot
	p.StorageProof[0][5] ^= 1
	require.ErrorIs(t, p.Verify(), ErrWithdrawalProof, "a changed node")
	p.StorageRoot = common.Hash{1}
	require.ErrorIs(t, p.Verify(), ErrWithdrawalProof, "another root")
}
