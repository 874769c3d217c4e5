package witness

import (
	"bytes"
	"math/big"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/rlp"
	gethtrie "github.com/ethereum/go-ethereum/trie"
	"github.com/stretchr/testify/require"

	"github.com/agnt2/agnt2/agnt2/record"
	"github.com/agnt2/agnt2/agnt2/trie"
	"github.com/agnt2/agnt2/agnt2/withdrawal"
)

// sample is a witness by hand, and its message passer's messages: those before the block and its own. Blocks of an engine
// are tested beside it.
func sample(t testing.TB, before, sent int) (*Block, *withdrawal.Tree, []common.Hash) {
	records := map[record.Key][]byte{
		record.ParamsKey: []byte("params"), record.TotalsKey: []byte("totals"), record.AccountKey(common.Address{1}): {},
		record.DeadlineKey(5, record.DueInteraction, common.Hash{1}): []byte("one"), record.DeadlineKey(7, record.DueInteraction, common.Hash{1}): []byte("two"),
		record.DeadlineKey(7, record.DueInteraction, common.Hash{9}): []byte("three"), record.DeadlineKey(7, record.DueInteraction, common.Hash{11}): []byte("four"),
	}
	full := trie.New()
	for k, v := range records {
		full.Update([]trie.Change{{Key: trie.Key(k), ValueHash: trie.HashRecord(v)}})
	}
	b := &Block{Txs: [][]byte{{1}, {2, 3}}}
	for _, k := range []record.Key{record.AccountKey(common.Address{1}), record.AccountKey(common.Address{2}),
		record.DeadlineKey(5, record.DueInteraction, common.Hash{1}), record.ParamsKey} {
		b.Records = append(b.Records, Record{k, records[k]})
	}
	sortRecords(b.Records)
	var keys []trie.Key
	for _, r := range b.Records {
		keys = append(keys, trie.Key(r.Key))
	}
	b.Multiproof = full.ProveMany(keys, trie.Queue{Prefix: byte(record.NSDeadline), First: 1})

	passer := withdrawal.NewTree()
	message := func(i int) common.Hash { return common.BigToHash(big.NewInt(int64(i))) }
	for i := range before {
		passer.Insert(message(i))
	}
	root := passer.Root()
	var messages []common.Hash
	listed := map[string]bool{}
	for i := range sent {
		m := message(before + i)
		messages = append(messages, m)
		nodes, err := passer.Prove(withdrawal.Slot(m))
		require.NoError(t, err)
		for _, n := range nodes {
			if !listed[string(n)] {
				listed[string(n)] = true
				b.PasserNodes = append(b.PasserNodes, n)
			}
		}
	}
	b.Parent = &types.Header{Number: big.NewInt(6), Difficulty: new(big.Int), BaseFee: big.NewInt(1), Root: full.Root(), WithdrawalsHash: &root}
	b.Header = &types.Header{Number: big.NewInt(7), Difficulty: new(big.Int), BaseFee: big.NewInt(1), ParentHash: b.Parent.Hash(),
		WithdrawalsHash: &root, TxHash: types.DeriveSha(rawList(b.Txs), gethtrie.NewStackTrie(nil))}
	return b, passer, messages
}

func sortRecords(rs []Record) {
	for i := range rs {
		for j := i; j > 0 && bytes.Compare(rs[j-1].Key[:], rs[j].Key[:]) > 0; j-- {
			rs[j-1], rs[j] = rs[j], rs[j-1]
		}
	}
}

func TestRoundTrip(t *testing.T) {
	b, _, _ := sample(t, 100, 5)
	raw, err := b.Encode()
	require.NoError(t, err)
	got, err := Decode(raw)
	require.NoError(t, err)
	require.Equal(t, b.Records, got.Records, "absent and empty records stay apart")
	again, err := got.Encode()
	require.NoError(t, err)
	require.Equal(t, raw, again)
	require.NoError(t, got.Verify())
}

func TestState(t *testing.T) {
	b, _, _ := sample(t, 0, 0)
	s, err := b.Open()
	require.NoError(t, err)
	require.Equal(t, []byte("params"), s.Get(record.ParamsKey))
	require.Nil(t, s.Get(record.AccountKey(common.Address{2})))
	require.NotNil(t, s.Get(record.AccountKey(common.Address{1})))
	require.Panics(t, func() { s.Get(record.TotalsKey) }, "known to the block's state, not to the witness")
	first, ok := s.DeadlineAfter(nil)
	require.True(t, ok)
	require.Equal(t, record.DeadlineKey(5, record.DueInteraction, common.Hash{1}), first)
	second, ok := s.DeadlineAfter(&first)
	require.True(t, ok)
	require.Equal(t, record.DeadlineKey(7, record.DueInteraction, common.Hash{1}), second)
	require.Panics(t, func() { s.DeadlineAfter(&second) }, "one further than the block got is known, no more")
}

// TestPasserRoot: the nodes of the witness are enough to insert the block's messages, for tries of any size.
func TestPasserRoot(t *testing.T) {
	for _, before := range []int{0, 1, 2, 15, 40, 300, 2000} {
		for _, sent := range []int{0, 1, 2, 30} {
			b, passer, messages := sample(t, before, sent)
			require.NoError(t, b.Verify())
			for _, m := range messages {
				passer.Insert(m)
			}
			got, err := b.PasserRoot(messages)
			require.NoError(t, err)
			require.Equal(t, passer.Root(), got, "%d after %d", sent, before)
			if sent > 0 {
				b.PasserNodes = nil
				_, err = b.PasserRoot(messages)
				require.ErrorIs(t, err, ErrMissing)
			}
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	good, _, _ := sample(t, 3, 1)
	for name, spoil := range map[string]func(w *wire){
		"records out of order":  func(w *wire) { w.Records[0], w.Records[1] = w.Records[1], w.Records[0] },
		"record twice":          func(w *wire) { w.Records[1].Key = w.Records[0].Key },
		"absent record's bytes": func(w *wire) { w.Records[0].Present, w.Records[0].Value = false, []byte{1} },
		"no base fee":           func(w *wire) { h := types.CopyHeader(w.Header); h.BaseFee, h.WithdrawalsHash = nil, nil; w.Header = h },
		"no withdrawals root":   func(w *wire) { h := types.CopyHeader(w.Parent); h.WithdrawalsHash = nil; w.Parent = h },
		"huge number": func(w *wire) {
			h := types.CopyHeader(w.Header)
			h.Number = new(big.Int).Lsh(common.Big1, 64)
			w.Header = h
		},
	} {
		w := wire{good.Header, good.Parent, good.Txs, nil, good.Multiproof, good.PasserNodes}
		for _, r := range good.Records {
			w.Records = append(w.Records, wireRecord{r.Key, r.Value != nil, r.Value})
		}
		spoil(&w)
		raw, err := rlp.EncodeToBytes(&w)
		require.NoError(t, err)
		_, err = Decode(raw)
		require.ErrorIs(t, err, ErrEncoding, name)
	}
	raw, err := good.Encode()
	require.NoError(t, err)
	for _, b := range [][]byte{nil, {0xc0}, raw[:len(raw)-1], append(raw[:len(raw):len(raw)], 0)} {
		_, err := Decode(b)
		require.ErrorIs(t, err, ErrEncoding)
	}
}

// FuzzDecode: whatever decodes has one encoding, and is verified and used without a panic other than ErrMissing.
func FuzzDecode(f *testing.F) {
	for _, c := range [][2]int{{0, 0}, {100, 5}} {
		b, _, _ := sample(f, c[0], c[1])
		raw, err := b.Encode()
		require.NoError(f, err)
		f.Add(raw)
		for _, at := range []int{10, 700, len(raw) / 2, len(raw) - 40} {
			hostile := bytes.Clone(raw)
			hostile[at] ^= 0xff
			f.Add(hostile)
		}
	}
	f.Add([]byte{0xfb, 0xff, 0xff, 0xff, 0xff})                             // a list of 4 GB
	f.Add(bytes.Repeat([]byte{0xc1}, 1000))                                 // lists in lists
	f.Add([]byte{0xc6, 0xc0, 0xc0, 0xc0, 0xc0, 0x80, 0xc0})                 // empty headers
	f.Add(append([]byte{0xf9, 0x03, 0xe8}, make([]byte, 1000)...))          // zeros
	f.Add(append([]byte{0xbf}, bytes.Repeat([]byte{0xff}, 8)...))           // a string of 2^64 bytes
	f.Add(append([]byte{0xf8, 0x38, 0xf7}, bytes.Repeat([]byte{1}, 55)...)) // a header of small integers
	f.Fuzz(func(t *testing.T, raw []byte) {
		b, err := Decode(raw)
		if err != nil {
			require.ErrorIs(t, err, ErrEncoding)
			return
		}
		again, err := b.Encode()
		require.NoError(t, err)
		require.Equal(t, raw, again)
		_, _ = b.PasserRoot([]common.Hash{{1}})
		s, err := b.Open()
		if err != nil {
			return
		}
		for _, r := range b.Records {
			s.Get(r.Key)
		}
	})
}
