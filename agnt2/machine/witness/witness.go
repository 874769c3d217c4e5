// Package witness is a block with all that executing it needs of the state before it, and the proof that it is that
// state: what a prover gets from an engine (agnt2_getBlockWitness) and can check without trusting it.
//
// The package does no I/O. It must never let anything be read from a witness that the parent's header does not commit to.
// Sources: AGNT2 paper App. C and D.4; OP specs, Isthmus, for the message passer's trie.
package witness

import (
	"bytes"
	"errors"
	"fmt"
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/rlp"
	gethtrie "github.com/ethereum/go-ethereum/trie"

	"github.com/agnt2/agnt2/agnt2/record"
	"github.com/agnt2/agnt2/agnt2/trie"
	"github.com/agnt2/agnt2/agnt2/vm"
)

var (
	// ErrEncoding: the bytes are not what Encode makes.
	ErrEncoding = errors.New("witness: malformed")
	// ErrHeader: the headers or the transactions do not fit together.
	ErrHeader = errors.New("witness: block does not fit")
	// ErrRecord: a record is not what the parent's state root says.
	ErrRecord = errors.New("witness: record does not fit the parent's state root")
	// ErrPasser: a node is not part of the message passer's trie at the parent.
	ErrPasser = errors.New("witness: node does not fit the parent's withdrawals root")
	// ErrMissing is what reading beyond the witness panics with.
	ErrMissing = errors.New("witness: not part of it")
)

// MaxBytes bounds an encoded witness. A full block of 20,000 operations takes a tenth of it.
const MaxBytes = 256 << 20

// Record is one record of the state before the block; Value is nil if it is absent there.
type Record struct {
	Key   record.Key
	Value []byte
}

// Block is a block and what it needs. Everything in it is a claim until Open or Verify has accepted it.
type Block struct {
	Header, Parent *types.Header
	Txs            [][]byte // EIP-2718 bytes, in order
	// Records are those that executing the block reads or writes, in strictly ascending order of keys.
	Records []Record
	// Multiproof shows the records against Parent.Root and lets each be updated, inserted and deleted in any order
	// (trie.DecodePartial); and lets the deadline queue's head be shown while it is worked off, one entry further than the
	// block got.
	Multiproof []byte
	// PasserNodes are the RLP nodes of the message passer's trie at the parent that lie on the paths of the slots that the
	// block sets, the root first; none if it sends no message.
	PasserNodes [][]byte
}

// Answer is agnt2_getBlockWitness's: Witness is the encoded Block, the rest says of what.
type Answer struct {
	BlockNumber *hexutil.Big  `json:"blockNumber"`
	BlockHash   common.Hash   `json:"blockHash"`
	ParentHash  common.Hash   `json:"parentHash"`
	StateRoot   common.Hash   `json:"stateRoot"` // the parent's
	Witness     hexutil.Bytes `json:"witness"`
}

// The encoding is the RLP list [header, parent, transactions, [[key, present, value], …], multiproof, nodes].
type wire struct {
	Header, Parent *types.Header
	Txs            [][]byte
	Records        []wireRecord
	Multiproof     []byte
	PasserNodes    [][]byte
}

type wireRecord struct {
	Key     record.Key
	Present bool
	Value   []byte
}

// Encode returns the witness's one encoding.
func (b *Block) Encode() ([]byte, error) {
	w := wire{b.Header, b.Parent, b.Txs, make([]wireRecord, len(b.Records)), b.Multiproof, b.PasserNodes}
	for i, r := range b.Records {
		w.Records[i] = wireRecord{r.Key, r.Value != nil, r.Value}
	}
	raw, err := rlp.EncodeToBytes(&w)
	if err == nil && len(raw) > MaxBytes {
		err = fmt.Errorf("%w: %d bytes, at most %d", ErrEncoding, len(raw), MaxBytes)
	}
	return raw, err
}

// Decode reads an encoded witness. It checks the form only: see Open.
func Decode(raw []byte) (*Block, error) {
	if len(raw) > MaxBytes {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrEncoding, len(raw), MaxBytes)
	}
	var w wire
	if err := rlp.DecodeBytes(raw, &w); err != nil {
		return nil, fmt.Errorf("%w: %v", ErrEncoding, err)
	}
	for _, h := range []*types.Header{w.Header, w.Parent} {
		if err := h.SanityCheck(); err != nil {
			return nil, fmt.Errorf("%w: header: %v", ErrEncoding, err)
		}
		if h.BaseFee == nil || h.WithdrawalsHash == nil {
			return nil, fmt.Errorf("%w: header %v has no base fee or withdrawals root", ErrEncoding, h.Number)
		}
	}
	b := &Block{w.Header, w.Parent, w.Txs, make([]Record, len(w.Records)), w.Multiproof, w.PasserNodes}
	for i, r := range w.Records {
		if i > 0 && bytes.Compare(w.Records[i-1].Key[:], r.Key[:]) >= 0 {
			return nil, fmt.Errorf("%w: record %v after %v", ErrEncoding, r.Key, w.Records[i-1].Key)
		}
		b.Records[i].Key = r.Key
		switch {
		case r.Present:
			b.Records[i].Value = append([]byte{}, r.Value...) // not nil, whatever the decoder makes of no bytes
		case len(r.Value) > 0:
			return nil, fmt.Errorf("%w: absent record %v has %d bytes", ErrEncoding, r.Key, len(r.Value))
		}
	}
	return b, nil
}

// State is the verified state before the block, as far as the witness tells. It is a vm.Base: executing the block on it
// reads no further, and whatever does panics with ErrMissing.
type State struct {
	// Partial is the record trie at the parent. Take snapshots to change it.
	Partial *trie.Partial
	records map[record.Key][]byte
}

var _ vm.Base = (*State)(nil)

// Verify returns nil if the witness is a block on its parent, with that parent's state. It does not execute: whether the
// header is right is what the prover finds out.
func (b *Block) Verify() error {
	_, err := b.Open()
	return err
}

// Open verifies the witness and returns the state before the block.
func (b *Block) Open() (*State, error) {
	if b.Header.ParentHash != b.Parent.Hash() || b.Header.Number.Cmp(new(big.Int).Add(b.Parent.Number, common.Big1)) != 0 {
		return nil, fmt.Errorf("%w: block %v on parent %s, not %v (%s)", ErrHeader, b.Header.Number, b.Header.ParentHash, b.Parent.Number, b.Parent.Hash())
	}
	if got := types.DeriveSha(rawList(b.Txs), gethtrie.NewStackTrie(nil)); got != b.Header.TxHash {
		return nil, fmt.Errorf("%w: transactions hash to %s, not %s", ErrHeader, got, b.Header.TxHash)
	}
	p, err := trie.DecodePartial(b.Parent.Root, b.Multiproof)
	if err != nil {
		return nil, err
	}
	s := &State{Partial: p, records: make(map[record.Key][]byte, len(b.Records))}
	values := make([][]byte, len(b.Records))
	for i := range b.Records {
		values[i] = b.Records[i].Value
	}
	hashes := make([]trie.Hash, len(values))
	trie.HashMany(values, hashes)
	for i, r := range b.Records {
		h, present, err := p.Get(r.Key)
		if err != nil {
			return nil, fmt.Errorf("%w: %v: %w", ErrRecord, r.Key, err)
		}
		if present != (r.Value != nil) || present && h != hashes[i] {
			return nil, fmt.Errorf("%w: %v", ErrRecord, r.Key)
		}
		s.records[r.Key] = r.Value
	}
	return s, b.verifyPasser()
}

// Get implements vm.Base.
func (s *State) Get(k record.Key) []byte {
	v, ok := s.records[k]
	if !ok {
		panic(fmt.Errorf("%w: record %v", ErrMissing, k))
	}
	return v
}

// DeadlineAfter implements vm.Base.
func (s *State) DeadlineAfter(after *record.Key) (record.Key, bool) {
	from := trie.Key{byte(record.NSDeadline)}
	if after != nil {
		from = trie.Key(*after)
		for i := len(from) - 1; i >= 0; i-- { // the key above
			if from[i]++; from[i] != 0 {
				break
			}
		}
	}
	k, _, ok, err := s.Partial.Next(byte(record.NSDeadline), from)
	if err != nil {
		panic(fmt.Errorf("%w: deadline from %x on: %v", ErrMissing, from, err))
	}
	return record.Key(k), ok
}

// rawList derives a transactions root from encoded transactions.
type rawList [][]byte

func (l rawList) Len() int                           { return len(l) }
func (l rawList) EncodeIndex(i int, w *bytes.Buffer) { w.Write(l[i]) }
