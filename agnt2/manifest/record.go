package manifest

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
)

// RecordSize is the length in bytes of an encoded block record.
const RecordSize = 4*8 + 32

var (
	// ErrOutsideRange: a record or transaction index that the committed range or count does not contain.
	ErrOutsideRange = errors.New("outside the committed range")
	// ErrProof: the path does not lead to the root.
	ErrProof = errors.New("inclusion proof does not match the root")
)

// BlockRecord is what a submission says about one L2 block. It names the L1 origin by number only, because the data (a span
// batch) carries numbers and one check: so records depend on the data and on chain constants alone.
type BlockRecord struct {
	Number    uint64      // L2 block number
	Timestamp uint64      // seconds
	L1Origin  uint64      // L1 block number
	TxCount   uint64      // sequenced transactions; deposits are not in the data
	TxsRoot   common.Hash // TxsRoot of their hashes
}

// Encode returns the 64 bytes number ‖ timestamp ‖ l1Origin ‖ txCount ‖ txsRoot.
func (r BlockRecord) Encode() []byte {
	b := make([]byte, 0, RecordSize)
	b = binary.BigEndian.AppendUint64(b, r.Number)
	b = binary.BigEndian.AppendUint64(b, r.Timestamp)
	b = binary.BigEndian.AppendUint64(b, r.L1Origin)
	b = binary.BigEndian.AppendUint64(b, r.TxCount)
	return append(b, r.TxsRoot[:]...)
}

// Leaf is the record's node in the tree of RecordsRoot.
func (r BlockRecord) Leaf() common.Hash { return leaf(r.Encode()) }

// TxLeaf is a transaction's node in the tree of TxsRoot; txHash is keccak256 of the opaque transaction bytes.
func TxLeaf(txHash common.Hash) common.Hash { return leaf(txHash[:]) }

// TxsRoot is the root over transaction hashes in block order, zero for a block without any.
func TxsRoot(txHashes []common.Hash) common.Hash {
	leaves := make([]common.Hash, len(txHashes))
	for i, h := range txHashes {
		leaves[i] = TxLeaf(h)
	}
	return root(leaves)
}

// TxsRootOf hashes opaque transactions and returns their root and count.
func TxsRootOf[T ~[]byte](txs []T) common.Hash {
	hashes := make([]common.Hash, len(txs))
	for i, tx := range txs {
		hashes[i] = crypto.Keccak256Hash(tx)
	}
	return TxsRoot(hashes)
}

// RecordsRoot is the root over a submission's records in block order, zero for none.
func RecordsRoot(records []BlockRecord) common.Hash {
	return root(recordLeaves(records))
}

// ProveRecord returns the siblings, from the leaf up, that lead from records[i] to RecordsRoot(records).
func ProveRecord(records []BlockRecord, i int) ([]common.Hash, error) {
	return prove(recordLeaves(records), i)
}

// ProveTx returns the siblings, from the leaf up, that lead from txHashes[i] to TxsRoot(txHashes).
func ProveTx(txHashes []common.Hash, i int) ([]common.Hash, error) {
	leaves := make([]common.Hash, len(txHashes))
	for j, h := range txHashes {
		leaves[j] = TxLeaf(h)
	}
	return prove(leaves, i)
}

// VerifyRecord checks that the record is the one of its number in the submission.
func VerifyRecord(s Seal, record BlockRecord, proof []common.Hash) error {
	if record.Number < s.FirstBlock || record.Number > s.LastBlock {
		return fmt.Errorf("record of block %d: %w: %d to %d", record.Number, ErrOutsideRange, s.FirstBlock, s.LastBlock)
	}
	if err := verify(s.RecordsRoot, record.Leaf(), record.Number-s.FirstBlock, s.Blocks(), proof); err != nil {
		return fmt.Errorf("record of block %d: %w", record.Number, err)
	}
	return nil
}

// VerifyTx checks that a transaction is the record's at the index.
func VerifyTx(record BlockRecord, txHash common.Hash, index uint64, proof []common.Hash) error {
	if err := verify(record.TxsRoot, TxLeaf(txHash), index, record.TxCount, proof); err != nil {
		return fmt.Errorf("transaction %d of block %d: %w", index, record.Number, err)
	}
	return nil
}

func recordLeaves(records []BlockRecord) []common.Hash {
	leaves := make([]common.Hash, len(records))
	for i, r := range records {
		leaves[i] = r.Leaf()
	}
	return leaves
}
