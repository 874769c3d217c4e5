package machine

import (
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/rlp"
)

// receiptBytes is the consensus encoding of a receipt with its type in front, and its bloom (OP specs, Canyon, for
// deposits).
func receiptBytes(deposit, ok bool, cumulativeGas uint64, logs [][]byte) ([]byte, types.Bloom, error) {
	r := &types.Receipt{Type: types.DynamicFeeTxType, CumulativeGasUsed: cumulativeGas, Logs: make([]*types.Log, len(logs))}
	if deposit {
		nonce, version := uint64(0), types.CanyonDepositReceiptVersion
		r.Type, r.DepositNonce, r.DepositReceiptVersion = types.DepositTxType, &nonce, &version
	}
	if ok {
		r.Status = types.ReceiptStatusSuccessful
	}
	for i, b := range logs {
		r.Logs[i] = new(types.Log)
		if err := rlp.DecodeBytes(b, r.Logs[i]); err != nil {
			return nil, types.Bloom{}, err // never: the machine has encoded it
		}
	}
	r.Bloom = types.CreateBloom(r)
	b, err := r.MarshalBinary()
	return b, r.Bloom, err
}
