package chain_test

import (
	"encoding/binary"
	"errors"
	"math/big"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/stretchr/testify/require"

	"github.com/agnt2/agnt2/agnt2-engine/chain"
	"github.com/agnt2/agnt2/agnt2-engine/enginetest"
	"github.com/agnt2/agnt2/agnt2-engine/state"
	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/agnt2/block"
	"github.com/agnt2/agnt2/agnt2/record"
	"github.com/agnt2/agnt2/agnt2/trie"
)

type quiet struct{}

func (quiet) Infof(string, ...any)      {}
func (quiet) Errorf(string, ...any)     {}
func (quiet) Fatalf(f string, a ...any) { panic(f) }

// chainOn opens a chain on a file system whose memory tables are small, so that flushes and compactions run too.
func chainOn(fs vfs.FS) (*pebble.DB, *chain.Chain, error) {
	db, err := pebble.Open("db", &pebble.Options{FS: fs, Logger: quiet{}, MemTableSize: 64 << 10, L0CompactionThreshold: 2})
	if err != nil {
		return nil, nil, err
	}
	c, err := chain.Open(db, enginetest.Genesis(4), chain.Options{
		FS: fs, Dir: "data", IndexMemory: 20, CacheBytes: 32 << 20, HistoryBlocks: 8, AgentIndex: true,
	})
	if err != nil {
		db.Close()
		return nil, nil, err
	}
	return db, c, nil
}

// build executes a block of random deposits on a known parent.
func build(t testing.TB, c *chain.Chain, parent *types.Header, rnd *rand.Rand) *types.Block {
	data := make([]byte, abi.L1AttributesDataLength)
	copy(data, abi.L1AttributesSelector[:])
	binary.BigEndian.PutUint64(data[28:], parent.Number.Uint64())
	l1 := abi.L1BlockAddress
	txs := types.Transactions{types.NewTx(&types.DepositTx{From: abi.L1AttributesDepositor, To: &l1, Value: new(big.Int), Data: data})}
	for range rnd.IntN(12) {
		to := common.Address{byte(rnd.IntN(30)), 1}
		if rnd.IntN(5) == 0 {
			to = abi.MessagePasserAddress
		}
		txs = append(txs, types.NewTx(&types.DepositTx{
			SourceHash: common.Hash{byte(rnd.Uint32()), byte(rnd.Uint32()), byte(rnd.Uint32())}, From: enginetest.Address(rnd.IntN(4)), To: &to,
			Mint: big.NewInt(int64(rnd.IntN(9))), Value: big.NewInt(int64(rnd.IntN(50))), Gas: 100_000,
		}))
	}
	h, err := block.NextHeader(c.Config(), parent, &block.Attributes{
		Timestamp: parent.Time + 1 + uint64(rnd.IntN(3)), GasLimit: 30_000_000, HasEIP1559Params: true,
	})
	require.NoError(t, err)
	view, err := c.State().View(parent.Hash())
	require.NoError(t, err)
	e := block.NewExecution(c.Config().ChainID.Uint64(), h, view)
	decoded, err := c.Decode(enginetest.Encode(txs))
	require.NoError(t, err)
	for _, tx := range decoded {
		_, err := e.Apply(tx)
		require.NoError(t, err)
	}
	x, err := c.Seal(e)
	require.NoError(t, err)
	return x.Block()
}

// consistent checks a chain against itself after a restart: opening has compared the records with the state root already.
func consistent(t testing.TB, c *chain.Chain) {
	h := c.Head()
	require.Equal(t, h.Hash(), c.State().Head().Hash)
	require.Equal(t, h.Hash(), c.CanonicalHash(h.Number.Uint64()))
	require.Zero(t, c.CanonicalHash(h.Number.Uint64()+1), "a block above the head is canonical")
	for n := h.Number.Uint64(); n > 0; n-- {
		x := c.Executed(c.CanonicalHash(n))
		require.NotNil(t, x, "block %d", n)
		require.Equal(t, c.CanonicalHash(n-1), x.Block().ParentHash())
		require.Len(t, x.Receipts, len(x.Block().Transactions()))
		for i, tx := range x.Block().Transactions() {
			l, ok := c.Transaction(tx.Hash())
			require.True(t, ok)
			require.True(t, l.Block == x.Block().Hash() && l.Index == uint64(i) || l.Number < n || l.Number > n, "transaction %s", tx.Hash())
		}
	}
	for n := h.Number.Uint64(); ; n-- { // the history, as far as it goes
		v, err := c.State().View(c.CanonicalHash(n))
		if errors.Is(err, state.ErrPruned) {
			break
		}
		require.NoError(t, err)
		for i := range 4 {
			k := record.AccountKey(enginetest.Address(i))
			value, p, err := v.Prove(k)
			require.NoError(t, err)
			require.NoError(t, trie.VerifyInclusion(c.HeaderByHash(c.CanonicalHash(n)).Root, k, trie.HashRecord(value), p), "block %d", n)
		}
		if n == 0 {
			break
		}
	}
	v, err := c.State().View(h.Hash())
	require.NoError(t, err)
	p, err := v.Passer()
	require.NoError(t, err)
	require.Equal(t, *h.WithdrawalsHash, p.Root())
	require.NotNil(t, v.Get(record.ParamsKey))
	require.LessOrEqual(t, c.Finalized().Number.Uint64(), c.Safe().Number.Uint64())
	require.LessOrEqual(t, c.Safe().Number.Uint64(), h.Number.Uint64())
	require.Equal(t, c.Safe().Hash(), c.CanonicalHash(c.Safe().Number.Uint64()))
}

type labels struct{ head, safe, finalized common.Hash }

func labelsOf(c *chain.Chain) labels {
	return labels{c.Head().Hash(), c.Safe().Hash(), c.Finalized().Hash()}
}

// step makes a random change of head: forward mostly, sometimes to a sibling branch, with labels that follow.
func step(t testing.TB, c *chain.Chain, rnd *rand.Rand) labels {
	parent := c.Head()
	if back := rnd.IntN(6); rnd.IntN(4) == 0 {
		for ; back > 0 && parent.Number.Uint64() > c.Safe().Number.Uint64(); back-- {
			parent = c.HeaderByHash(parent.ParentHash)
		}
	}
	to := labels{parent.Hash(), c.Safe().Hash(), c.Finalized().Hash()}
	for range 1 + rnd.IntN(3) {
		parent = build(t, c, parent, rnd).Header()
		to.head = parent.Hash()
	}
	if n := parent.Number.Uint64(); n > 6 && rnd.IntN(3) == 0 {
		for h := parent; ; h = c.HeaderByHash(h.ParentHash) {
			if h.Number.Uint64() == max(n-5, c.Safe().Number.Uint64()) {
				to.safe = h.Hash()
			}
			if h.Number.Uint64() == max(min(n-6, c.Safe().Number.Uint64()), c.Finalized().Number.Uint64()) {
				to.finalized = h.Hash()
				break
			}
		}
	}
	return to
}

// TestCrash cuts the power at random moments, during adoptions above all: what was acknowledged is there after a restart,
// or what was being acknowledged; never anything else.
func TestCrash(t *testing.T) {
	survived, lost := 0, 0
	for seed := range uint64(4) {
		rnd := rand.New(rand.NewPCG(seed, 3))
		fs := vfs.NewCrashableMem()
		var acknowledged, next labels
		for life := range 6 {
			// A clone is the disk as it would be if the machine died at that write.
			var mu sync.Mutex
			var crashed *vfs.MemFS
			armed, countdown := false, 0
			cut := errorfs.InjectorFunc(func(op errorfs.Op) error {
				if op.Kind.ReadOrWrite() == errorfs.OpIsRead {
					return nil
				}
				mu.Lock()
				defer mu.Unlock()
				if armed && crashed == nil {
					if countdown--; countdown < 0 {
						crashed = fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: rnd.IntN(101), RNG: rand.New(rand.NewPCG(seed, uint64(life)))})
					}
				}
				return nil
			})
			db, c, err := chainOn(errorfs.Wrap(fs, cut))
			require.NoError(t, err, "seed %d, life %d", seed, life)
			if life > 0 {
				if labelsOf(c) == next {
					survived++
				} else {
					lost++
				}
				require.Contains(t, []labels{acknowledged, next}, labelsOf(c), "seed %d, life %d: the head was never acknowledged", seed, life)
			}
			consistent(t, c)
			acknowledged = labelsOf(c)
			for range 4 + rnd.IntN(20) {
				next = step(t, c, rnd)
				require.NoError(t, c.SetLabels(next.head, next.safe, next.finalized))
				acknowledged = next
				if rnd.IntN(3) == 0 { // labels alone: this prunes
					next.safe = next.head
					require.NoError(t, c.SetLabels(next.head, next.safe, next.finalized))
					acknowledged = next
				}
			}
			next = step(t, c, rnd)
			mu.Lock()
			armed, countdown = true, rnd.IntN(24)
			mu.Unlock()
			require.NoError(t, c.SetLabels(next.head, next.safe, next.finalized))
			mu.Lock()
			armed = false
			if crashed == nil { // the power went right after the answer
				crashed = fs.CrashClone(vfs.CrashCloneCfg{})
				acknowledged = next
			}
			mu.Unlock()
			require.NoError(t, c.Close())
			require.NoError(t, db.Close())
			fs = crashed
		}
	}
	t.Logf("the interrupted adoption survived %d times, was lost %d times", survived, lost)
	require.NotZero(t, survived)
	require.NotZero(t, lost, "no adoption was interrupted")
}

// TestRefusedLabels: a forkchoice that is refused moves nothing, in memory or on disk.
func TestRefusedLabels(t *testing.T) {
	fs := vfs.NewMem()
	db, c, err := chainOn(fs)
	require.NoError(t, err)
	rnd := rand.New(rand.NewPCG(1, 1))
	to := step(t, c, rnd)
	require.NoError(t, c.SetLabels(to.head, to.safe, to.finalized))
	before := labelsOf(c)
	require.ErrorIs(t, c.SetLabels(crypto.Keccak256Hash([]byte("unknown")), common.Hash{}, common.Hash{}), chain.ErrUnknownBlock)
	require.ErrorIs(t, c.SetLabels(to.head, crypto.Keccak256Hash([]byte("unknown")), common.Hash{}), chain.ErrUnknownBlock)
	require.Equal(t, before, labelsOf(c))
	require.NoError(t, c.Close())
	require.NoError(t, db.Close())
	db, c, err = chainOn(fs)
	require.NoError(t, err)
	require.Equal(t, before, labelsOf(c))
	consistent(t, c)
	require.NoError(t, db.Close())
}

// TestOtherFormat: a directory that an engine with another layout has written is refused, and left as it was.
func TestOtherFormat(t *testing.T) {
	fs := vfs.NewMem()
	db, c, err := chainOn(fs)
	require.NoError(t, err)
	require.NoError(t, c.Close())
	require.NoError(t, db.Set([]byte("Lformat"), []byte("1"), pebble.Sync))
	require.NoError(t, db.Close())
	_, _, err = chainOn(fs)
	require.ErrorIs(t, err, chain.ErrOtherFormat)
}

// TestIndicesAreMadeAgain: without its indices, or with those of another branch, the chain finds every transaction again.
func TestIndicesAreMadeAgain(t *testing.T) {
	fs := vfs.NewMem()
	db, c, err := chainOn(fs)
	require.NoError(t, err)
	rnd := rand.New(rand.NewPCG(2, 2))
	for range 20 {
		to := step(t, c, rnd)
		require.NoError(t, c.SetLabels(to.head, to.safe, to.finalized))
	}
	consistent(t, c)
	require.NoError(t, c.Close())
	require.NoError(t, db.Close())
	require.NoError(t, fs.RemoveAll("data/hashes"))
	require.NoError(t, fs.RemoveAll("data/changes"))
	db, c, err = chainOn(fs)
	require.NoError(t, err)
	consistent(t, c)
	require.NoError(t, c.Close())
	require.NoError(t, db.Close())
}
