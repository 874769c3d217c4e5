package manifest_test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"flag"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/agnt2/agnt2/agnt2/manifest"
)

var update = flag.Bool("update", false, "write the golden vectors anew")

// vectorFile is flat enough for the contract tests to read it: every value is hex, every number a 32-byte word.
type vectorFile struct {
	Part     partVector              `json:"part"`
	Seal     sealVector              `json:"seal"`
	Last     sealVector              `json:"last"` // the SEAL that ends part's channel
	Records  map[string]recordVector `json:"records"`
	Txs      txsVector               `json:"txs"`
	RecProof proofVector             `json:"recordProof"` // record 4 of 5: the leaf that moves up unpaired
	TxProof  proofVector             `json:"txProof"`     // transaction 1 of 3
}

type partVector struct {
	Calldata   hexutil.Bytes `json:"calldata"`
	Key        hexutil.Bytes `json:"key"`
	Channel    common.Hash   `json:"channel"` // left-aligned, as Solidity's bytes16
	Number     common.Hash   `json:"number"`
	DataHash   common.Hash   `json:"dataHash"`
	Backend    common.Hash   `json:"backend"`
	Pointer    common.Hash   `json:"pointer"`
	FramesHash common.Hash   `json:"framesHash"`
}

type sealVector struct {
	partVector
	FirstBlock    common.Hash `json:"firstBlock"`
	LastBlock     common.Hash `json:"lastBlock"`
	FirstL1Origin common.Hash `json:"firstL1Origin"`
	RecordsRoot   common.Hash `json:"recordsRoot"`
	L1OriginCheck common.Hash `json:"l1OriginCheck"` // left-aligned, as Solidity's bytes20
	ParentCheck   common.Hash `json:"parentCheck"`
	PreviousRoot  common.Hash `json:"previousRoot"`
	CurrentRoot   common.Hash `json:"currentRoot"`
	Interactions  common.Hash `json:"interactions"`
	Volume        common.Hash `json:"volume"`
}

type recordVector struct {
	Encoded []hexutil.Bytes `json:"encoded"`
	Leaves  []common.Hash   `json:"leaves"`
	Root    common.Hash     `json:"root"`
}

type txsVector struct {
	Txs    []hexutil.Bytes `json:"txs"`
	Hashes []common.Hash   `json:"hashes"`
	Root   common.Hash     `json:"root"`
}

type proofVector struct {
	Index common.Hash   `json:"index"`
	Count common.Hash   `json:"count"`
	Item  hexutil.Bytes `json:"item"`
	Proof []common.Hash `json:"proof"`
	Root  common.Hash   `json:"root"`
}

func word(n uint64) common.Hash { return uint256.NewInt(n).Bytes32() }

func left(b []byte) (h common.Hash) {
	copy(h[:], b)
	return h
}

func name(s string) common.Hash { return crypto.Keccak256Hash([]byte(s)) }

func somePart() manifest.Part {
	return manifest.Part{Frame: manifest.Frame{
		Channel: [16]byte(name("channel").Bytes()[:16]), Number: 0, DataHash: name("data 0"), Backend: 0, Pointer: name("data 0"),
	}}
}

func someSeal() manifest.Seal {
	s := manifest.Seal{
		Frame: manifest.Frame{
			Channel: [16]byte(name("other channel").Bytes()[:16]), Number: 0, DataHash: name("data"), Backend: 7, Pointer: name("pointer"),
		},
		FirstBlock: 1, LastBlock: 5, FirstL1Origin: 990, RecordsRoot: manifest.RecordsRoot(someRecords(5)),
		PreviousRoot: name("previous"), CurrentRoot: name("current"), Interactions: 0x0102030405060708,
		Volume: *uint256.MustFromHex("0x1000000000000000000000000000000000000000000000000000000000000002"),
	}
	copy(s.L1OriginCheck[:], name("origin").Bytes())
	copy(s.ParentCheck[:], name("parent").Bytes())
	return s
}

// lastSeal is frame 1 of somePart's channel, on blocks after someSeal's.
func lastSeal() manifest.Seal {
	s := someSeal()
	s.Channel, s.Number, s.DataHash, s.Pointer, s.Backend = somePart().Channel, 1, name("data 1"), name("data 1"), 0
	s.FirstBlock, s.LastBlock = 6, 5+manifest.MaxSubmissionBlocks
	return s
}

func someTxs(n int) (txs []hexutil.Bytes, hashes []common.Hash) {
	for i := range n {
		txs = append(txs, append([]byte{2}, name("tx "+strconv.Itoa(i)).Bytes()...))
		hashes = append(hashes, crypto.Keccak256Hash(txs[i]))
	}
	return txs, hashes
}

func someRecords(n int) []manifest.BlockRecord {
	records := make([]manifest.BlockRecord, n)
	for i := range records {
		_, hashes := someTxs(i)
		records[i] = manifest.BlockRecord{
			Number: uint64(1 + i), Timestamp: uint64(1_700_000_002 + 2*i), L1Origin: uint64(100 + i/3), TxCount: uint64(i), TxsRoot: manifest.TxsRoot(hashes),
		}
	}
	return records
}

func fold(h common.Hash, f manifest.Frame) common.Hash {
	return crypto.Keccak256Hash(h[:], f.DataHash[:], []byte{f.Backend}, f.Pointer[:])
}

func partVectorOf(c manifest.Commitment, before common.Hash) partVector {
	f := c.FrameRef()
	return partVector{
		Calldata: manifest.Calldata(c), Key: manifest.Key(c), Channel: left(f.Channel[:]), Number: word(uint64(f.Number)),
		DataHash: f.DataHash, Backend: word(uint64(f.Backend)), Pointer: f.Pointer, FramesHash: fold(before, f),
	}
}

func sealVectorOf(s manifest.Seal, before common.Hash) sealVector {
	return sealVector{
		partVector: partVectorOf(s, before), FirstBlock: word(s.FirstBlock), LastBlock: word(s.LastBlock), FirstL1Origin: word(s.FirstL1Origin), RecordsRoot: s.RecordsRoot,
		L1OriginCheck: left(s.L1OriginCheck[:]), ParentCheck: left(s.ParentCheck[:]), PreviousRoot: s.PreviousRoot, CurrentRoot: s.CurrentRoot,
		Interactions: word(s.Interactions), Volume: s.Volume.Bytes32(),
	}
}

func vectors(t testing.TB) vectorFile {
	part := partVectorOf(somePart(), common.Hash{})
	v := vectorFile{Part: part, Seal: sealVectorOf(someSeal(), common.Hash{}), Last: sealVectorOf(lastSeal(), part.FramesHash), Records: map[string]recordVector{}}
	for _, n := range []int{1, 2, 3, 5, 8} {
		r := recordVector{Root: manifest.RecordsRoot(someRecords(n))}
		for _, record := range someRecords(n) {
			r.Encoded = append(r.Encoded, record.Encode())
			r.Leaves = append(r.Leaves, record.Leaf())
		}
		v.Records[strconv.Itoa(n)] = r
	}
	v.Txs.Txs, v.Txs.Hashes = someTxs(3)
	v.Txs.Root = manifest.TxsRootOf(v.Txs.Txs)
	records := someRecords(5)
	proof, err := manifest.ProveRecord(records, 4)
	require.NoError(t, err)
	v.RecProof = proofVector{word(4), word(5), records[4].Encode(), proof, manifest.RecordsRoot(records)}
	proof, err = manifest.ProveTx(v.Txs.Hashes, 1)
	require.NoError(t, err)
	v.TxProof = proofVector{word(1), word(3), v.Txs.Hashes[1][:], proof, v.Txs.Root}
	return v
}

func TestVectors(t *testing.T) {
	path := filepath.Join("testdata", "vectors.json")
	got, err := json.MarshalIndent(vectors(t), "", "  ")
	require.NoError(t, err)
	got = append(got, '\n')
	if *update {
		require.NoError(t, os.WriteFile(path, got, 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(want), string(got), "the wire format changed; if that is meant, run with -update")
}

// The layout of docs/spec/da.md, written out by hand for one commitment of each kind.
func TestLayout(t *testing.T) {
	s := someSeal()
	var want []byte
	want = append(want, 0x01, 0x01, 0xA6, 0x02)
	want = append(want, s.Channel[:]...)
	want = append(want, 0, 0)
	want = append(want, s.DataHash[:]...)
	want = append(want, 7)
	want = append(want, s.Pointer[:]...)
	require.Len(t, want, 4+83)
	want = append(want, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 5)
	want = append(want, 0, 0, 0, 0, 0, 0, 990>>8, 990&0xff)
	want = append(want, s.RecordsRoot[:]...)
	want = append(want, s.L1OriginCheck[:]...)
	want = append(want, s.ParentCheck[:]...)
	want = append(want, s.PreviousRoot[:]...)
	want = append(want, s.CurrentRoot[:]...)
	want = append(want, 1, 2, 3, 4, 5, 6, 7, 8)
	want = append(want, 0x10)
	want = append(want, make([]byte, 30)...)
	want = append(want, 2)
	require.Equal(t, want, manifest.Calldata(s))
	require.Len(t, want, 287)

	p := somePart()
	p.Number = 0x0102
	want = append([]byte{0x01, 0x01, 0xA6, 0x01}, p.Channel[:]...)
	want = append(want, 1, 2)
	want = append(want, p.DataHash[:]...)
	want = append(want, 0)
	want = append(want, p.Pointer[:]...)
	require.Equal(t, want, manifest.Calldata(p))
	require.Len(t, want, 87)
}

func genFrame(t *rapid.T, most uint16) (f manifest.Frame) {
	copy(f.Channel[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "channel"))
	f.Number = rapid.Uint16Max(most).Draw(t, "number")
	f.Backend = rapid.Byte().Draw(t, "backend")
	f.DataHash, f.Pointer = genHash(t), genHash(t)
	return f
}

func genHash(t *rapid.T) common.Hash {
	return common.Hash(rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "hash"))
}

func genCommitment(t *rapid.T) manifest.Commitment {
	if rapid.Bool().Draw(t, "part") {
		return manifest.Part{Frame: genFrame(t, manifest.MaxFrames-2)}
	}
	s := manifest.Seal{Frame: genFrame(t, manifest.MaxFrames-1)}
	s.FirstBlock = rapid.Uint64Range(1, 1<<63).Draw(t, "first")
	s.LastBlock = s.FirstBlock + rapid.Uint64Max(manifest.MaxSubmissionBlocks-1).Draw(t, "more")
	s.FirstL1Origin = rapid.Uint64().Draw(t, "origin")
	s.RecordsRoot, s.PreviousRoot, s.CurrentRoot = genHash(t), genHash(t), genHash(t)
	a, b, v := genHash(t), genHash(t), genHash(t)
	copy(s.L1OriginCheck[:], a[:])
	copy(s.ParentCheck[:], b[:])
	s.Interactions = rapid.Uint64().Draw(t, "interactions")
	s.Volume.SetBytes32(v[:])
	return s
}

func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := genCommitment(t)
		for what, f := range map[string]func() (manifest.Commitment, error){
			"commitment": func() (manifest.Commitment, error) { return manifest.Decode(c.Encode()) },
			"key":        func() (manifest.Commitment, error) { return manifest.DecodeKey(manifest.Key(c)) },
			"calldata":   func() (manifest.Commitment, error) { return manifest.DecodeCalldata(manifest.Calldata(c)) },
		} {
			back, err := f()
			if err != nil || back != c {
				t.Fatalf("%s: %v, %v, want %v", what, back, err, c)
			}
		}
	})
}

func TestStrictness(t *testing.T) {
	for _, c := range []manifest.Commitment{somePart(), someSeal()} {
		good := c.Encode()
		for n := range good {
			_, err := manifest.Decode(good[:n])
			require.Error(t, err, "%s cut to %d bytes", c.Kind(), n)
		}
		_, err := manifest.Decode(append(bytes.Clone(good), 0))
		require.ErrorIs(t, err, manifest.ErrMalformed)
		for _, kind := range []byte{0, 3, 0xff, byte(3 - c.Kind())} {
			bad := bytes.Clone(good)
			bad[1] = kind
			_, err = manifest.Decode(bad)
			require.ErrorIs(t, err, manifest.ErrMalformed)
		}
		for i := range 3 { // version, type, tag
			bad := bytes.Clone(manifest.Calldata(c))
			bad[i] ^= 0x80
			_, err = manifest.DecodeCalldata(bad)
			require.ErrorIs(t, err, manifest.ErrNotCommitment)
		}
	}
	for _, f := range []func([]byte) (manifest.Commitment, error){manifest.Decode, manifest.DecodeKey, manifest.DecodeCalldata} {
		_, err := f(nil)
		require.ErrorIs(t, err, manifest.ErrNotCommitment)
	}
}

// An encoding out of bounds is refused on reading, whoever made it.
func TestBounds(t *testing.T) {
	part := func(n uint16) manifest.Commitment {
		p := somePart()
		p.Number = n
		return p
	}
	seal := func(n uint16, first, last uint64) manifest.Commitment {
		s := someSeal()
		s.Number, s.FirstBlock, s.LastBlock = n, first, last
		return s
	}
	const most = manifest.MaxSubmissionBlocks
	for _, c := range []struct {
		commitment manifest.Commitment
		want       error
	}{
		{part(manifest.MaxFrames - 2), nil},
		{part(manifest.MaxFrames - 1), manifest.ErrFrameNumber},
		{part(1<<16 - 1), manifest.ErrFrameNumber},
		{seal(manifest.MaxFrames-1, 1, 1), nil},
		{seal(manifest.MaxFrames, 1, 1), manifest.ErrFrameNumber},
		{seal(0, 0, 0), manifest.ErrBlockRange},
		{seal(0, 0, 1), manifest.ErrBlockRange},
		{seal(0, 2, 1), manifest.ErrBlockRange},
		{seal(0, 1, most), nil},
		{seal(0, 1, most+1), manifest.ErrBlockRange},
		{seal(0, 1, 1<<64-1), manifest.ErrBlockRange},
		{seal(0, 1<<64-1, 1<<64-1), nil},
	} {
		require.ErrorIs(t, c.commitment.Check(), c.want)
		_, err := manifest.Decode(c.commitment.Encode())
		require.ErrorIs(t, err, c.want)
		if c.want != nil {
			require.ErrorIs(t, err, manifest.ErrMalformed)
		}
	}
	require.Zero(t, manifest.Seal{FirstBlock: 2, LastBlock: 1}.Blocks())
}

// naiveRoot is the tree of the specification by recursion: the left part of a level is its largest power of two.
func naiveRoot(leaves []common.Hash) common.Hash {
	switch len(leaves) {
	case 0:
		return common.Hash{}
	case 1:
		return leaves[0]
	}
	half := 1
	for half*2 < len(leaves) {
		half *= 2
	}
	l, r := naiveRoot(leaves[:half]), naiveRoot(leaves[half:])
	return crypto.Keccak256Hash([]byte{1}, l[:], r[:])
}

func TestRootsAgainstNaiveTree(t *testing.T) {
	require.Equal(t, common.Hash{}, manifest.RecordsRoot(nil))
	require.Equal(t, common.Hash{}, manifest.TxsRoot(nil))
	for n := 1; n <= 70; n++ {
		var leaves []common.Hash
		for _, r := range someRecords(n) {
			leaves = append(leaves, crypto.Keccak256Hash([]byte{0}, r.Encode()))
		}
		require.Equal(t, naiveRoot(leaves), manifest.RecordsRoot(someRecords(n)), n)
		txs, hashes := someTxs(n)
		leaves = leaves[:0]
		for _, h := range hashes {
			leaves = append(leaves, crypto.Keccak256Hash([]byte{0}, h[:]))
		}
		require.Equal(t, naiveRoot(leaves), manifest.TxsRoot(hashes), n)
		require.Equal(t, naiveRoot(leaves), manifest.TxsRootOf(txs), n)
	}
}

// A record is bound to its number by its encoding.
func TestRecordLayout(t *testing.T) {
	r := someRecords(4)[3]
	want := binary.BigEndian.AppendUint64(nil, 4)
	want = binary.BigEndian.AppendUint64(want, 1_700_000_008)
	want = binary.BigEndian.AppendUint64(want, 101)
	want = binary.BigEndian.AppendUint64(want, 3)
	want = append(want, r.TxsRoot[:]...)
	require.Equal(t, want, r.Encode())
	require.Len(t, want, manifest.RecordSize)
}

func TestProofsOfRecords(t *testing.T) {
	for _, n := range []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 16, 17, 31, 33} {
		records := someRecords(n)
		s := someSeal()
		s.FirstBlock, s.LastBlock, s.RecordsRoot = 1, uint64(n), manifest.RecordsRoot(records)
		for i, r := range records {
			proof, err := manifest.ProveRecord(records, i)
			require.NoError(t, err)
			require.NoError(t, manifest.VerifyRecord(s, r, proof), "%d of %d", i, n)

			changed := r
			changed.TxCount++
			require.ErrorIs(t, manifest.VerifyRecord(s, changed, proof), manifest.ErrProof)
			require.ErrorIs(t, manifest.VerifyRecord(s, r, append(bytes2(proof), common.Hash{})), manifest.ErrProof)
			if len(proof) > 0 {
				require.ErrorIs(t, manifest.VerifyRecord(s, r, proof[:len(proof)-1]), manifest.ErrProof)
				bad := bytes2(proof)
				bad[len(bad)-1][0] ^= 1
				require.ErrorIs(t, manifest.VerifyRecord(s, r, bad), manifest.ErrProof)
			}
			// The record at another place, or the same proof for another count of leaves.
			other := r
			other.Number = r.Number%uint64(n) + 1
			if n > 1 {
				require.Error(t, manifest.VerifyRecord(s, other, proof))
			}
			outside := r
			outside.Number = uint64(n) + 1
			require.ErrorIs(t, manifest.VerifyRecord(s, outside, proof), manifest.ErrOutsideRange)
			outside.Number = 0
			require.ErrorIs(t, manifest.VerifyRecord(s, outside, proof), manifest.ErrOutsideRange)
		}
		_, err := manifest.ProveRecord(records, n)
		require.ErrorIs(t, err, manifest.ErrOutsideRange)
		_, err = manifest.ProveRecord(records, -1)
		require.ErrorIs(t, err, manifest.ErrOutsideRange)
	}
}

func bytes2(p []common.Hash) []common.Hash { return append([]common.Hash(nil), p...) }

// For random counts: the proof of each index verifies at that index and at no other.
func TestProofsOfTransactions(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 60 {
		n := 1 + rng.IntN(90)
		_, hashes := someTxs(n)
		r := manifest.BlockRecord{Number: 9, TxCount: uint64(n), TxsRoot: manifest.TxsRoot(hashes)}
		i := rng.IntN(n)
		proof, err := manifest.ProveTx(hashes, i)
		require.NoError(t, err)
		kept, err := manifest.NewTxTree(hashes).Prove(i)
		require.NoError(t, err)
		require.Equal(t, proof, kept)
		_, err = manifest.NewTxTree(hashes).Prove(n)
		require.ErrorIs(t, err, manifest.ErrOutsideRange)
		for j := range n {
			err := manifest.VerifyTx(r, hashes[i], uint64(j), proof)
			require.Equal(t, i == j, err == nil, "transaction %d at %d of %d: %v", i, j, n, err)
		}
		require.ErrorIs(t, manifest.VerifyTx(r, hashes[i], uint64(n), proof), manifest.ErrOutsideRange)
		require.ErrorIs(t, manifest.VerifyTx(manifest.BlockRecord{}, hashes[i], 0, nil), manifest.ErrOutsideRange)
	}
}

// An inner node must not pass as a leaf: its preimage has another tag.
func TestInnerNodeIsNoTransaction(t *testing.T) {
	_, hashes := someTxs(4)
	l0, l1 := manifest.TxLeaf(hashes[0]), manifest.TxLeaf(hashes[1])
	innerNode := crypto.Keccak256Hash([]byte{1}, l0[:], l1[:])
	r := manifest.BlockRecord{TxCount: 2, TxsRoot: manifest.TxsRoot(hashes)}
	proof, err := manifest.ProveTx(hashes, 0)
	require.NoError(t, err)
	require.ErrorIs(t, manifest.VerifyTx(r, innerNode, 0, proof[1:]), manifest.ErrProof)
}

func FuzzCommitment(f *testing.F) {
	f.Add(somePart().Encode())
	f.Add(someSeal().Encode())
	f.Add(lastSeal().Encode())
	f.Add([]byte{})
	f.Add([]byte{0xA6})
	f.Add([]byte{0xA6, 2})
	f.Add(make([]byte, manifest.SealSize))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := manifest.Decode(b)
		if err != nil {
			if c != nil || !errors.Is(err, manifest.ErrMalformed) && !errors.Is(err, manifest.ErrNotCommitment) {
				t.Fatalf("%x: %v, %v", b, c, err)
			}
			return
		}
		if !bytes.Equal(c.Encode(), b) || c.Check() != nil {
			t.Fatalf("%x decodes to %v", b, c)
		}
		if back, err := manifest.DecodeCalldata(manifest.Calldata(c)); err != nil || back != c {
			t.Fatalf("%x: %v, %v", b, back, err)
		}
	})
}
