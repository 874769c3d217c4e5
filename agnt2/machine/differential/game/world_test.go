package game

import (
	"bytes"
	"encoding/binary"
	"maps"
	"math/big"
	"math/rand/v2"
	"slices"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	gethtrie "github.com/ethereum/go-ethereum/trie"
	"github.com/holiman/uint256"

	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/agnt2/block"
	"github.com/agnt2/agnt2/agnt2/machine"
	"github.com/agnt2/agnt2/agnt2/machine/machinetest"
	"github.com/agnt2/agnt2/agnt2/record"
	"github.com/agnt2/agnt2/agnt2/trie"
	"github.com/agnt2/agnt2/agnt2/vm"
	"github.com/agnt2/agnt2/agnt2/withdrawal"
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// world is machinetest's, with the states between its blocks.
type world struct {
	*machinetest.Random
	safe     uint64          // the last block that derives at the proof head
	before   []past          // before[n] is the state before block n
	messages [][]common.Hash // sent by a block
}

// past is a state that the world has had.
type past struct {
	state map[record.Key][]byte
	tree  *trie.Trie
}

var _ vm.Base = past{}

func (p past) Get(k record.Key) []byte { return p.state[k] }

func (p past) DeadlineAfter(after *record.Key) (record.Key, bool) {
	k, ok := p.tree.First([]byte{byte(record.NSDeadline)})
	if after != nil {
		k, ok = p.tree.Next(trie.Key(*after))
	}
	return record.Key(k), ok && k[0] == byte(record.NSDeadline)
}

// newWorld returns a world of random blocks. The last late ones do not derive yet at the proof head. If there are none, some
// blocks are empty because nobody has committed them, and their sequencing window has passed; and if late is negative, as many
// more follow the last commitment.
func newWorld(seed uint64, blocks, late int) *world {
	r := machinetest.NewRandom(seed, 0)
	w := &world{Random: r}
	for len(r.L1) < 3+(blocks+machinetest.L1Time-1)/machinetest.L1Time {
		r.AddL1(w.receipts())
	}
	w.remember()
	committed := min(blocks, blocks+late) // and the late ones
	if late > 0 {
		committed = blocks
	}
	gap := map[uint64]bool{}
	for n := 1; n <= blocks; n++ {
		b := r.Next()
		if late <= 0 && n < committed && r.Rnd.IntN(10) == 0 || n > committed {
			gap[uint64(n)] = true
			b.Seal()
		} else {
			r.Fill(b, 10+r.Rnd.IntN(30))
		}
		w.messages = append(w.messages, b.Execution.Machine.Messages)
		w.remember()
	}
	w.safe = uint64(blocks - max(0, late))
	submit := func(from, until uint64) {
		for from <= until {
			if gap[from] {
				from++
				continue
			}
			to := from
			for last := min(until, from+r.Rnd.Uint64N(6)); to < last && !gap[to+1]; {
				to++
			}
			r.Submit(from, to)
			from = to + 1
		}
	}
	submit(1, min(uint64(committed), w.safe))
	if late > 0 {
		r.Submit(w.safe+1, uint64(blocks)) // one L1 block above the proof head
	} else {
		r.AddL1(nil)
	}
	if late <= 0 { // the sequencing window of every gap passes
		for range machinetest.SeqWindow + 1 {
			r.AddL1(nil)
		}
	}
	for range machinetest.ProofLag - 1 {
		r.AddL1(nil)
	}
	return w
}

// remember notes the state before the next block.
func (w *world) remember() {
	if len(w.before) == 0 {
		w.before, w.messages = []past{{}}, [][]common.Hash{nil}
	}
	p := past{maps.Clone(w.State), trie.New()}
	var cs []trie.Change
	for k, v := range p.state {
		cs = append(cs, trie.Change{Key: trie.Key(k), ValueHash: trie.HashRecord(v)})
	}
	p.tree.Update(cs)
	w.before = append(w.before, p)
}

var configTopic = crypto.Keccak256Hash([]byte("ConfigUpdate(uint256,uint8,bytes)"))

// receipts are machinetest's, with updates of the system configuration among them.
func (w *world) receipts() types.Receipts {
	out := w.Receipts()
	rc := &types.Receipt{Type: types.DynamicFeeTxType, Status: 1, CumulativeGasUsed: 1_000_000}
	for range w.Rnd.IntN(3) {
		rc.Logs = append(rc.Logs, w.configLog())
	}
	rc.Bloom = types.CreateBloom(rc)
	out = append(out, rc)
	index := uint(0)
	for _, rc := range out {
		for _, l := range rc.Logs {
			l.Index = index
			index++
		}
	}
	return out
}

// configLog is an update of the batcher, the fee scalars or the gas limit.
func (w *world) configLog() *types.Log {
	kind := byte(w.Rnd.IntN(3))
	var value []byte
	switch kind {
	case 0:
		value = common.BytesToHash([]byte{0xba, byte(w.Rnd.Uint32()), 1}).Bytes()
	case 1:
		scalar := common.Hash{0: 1}
		binary.BigEndian.PutUint32(scalar[24:], w.Rnd.Uint32N(100))
		binary.BigEndian.PutUint32(scalar[28:], w.Rnd.Uint32N(1000))
		value = append(make([]byte, 32), scalar[:]...)
	case 2:
		value = common.BigToHash(new(big.Int).SetUint64(50_000_000 + w.Rnd.Uint64N(1_000_000))).Bytes()
	}
	data := append(common.BigToHash(big.NewInt(32)).Bytes(), common.BigToHash(big.NewInt(int64(len(value)))).Bytes()...)
	return &types.Log{Address: machinetest.SystemConfig, Topics: []common.Hash{configTopic, {}, {31: kind}}, Data: append(data, value...)}
}

// edited is the output root of a block whose header somebody has changed.
func (w *world) edited(n uint64, edit func(*types.Header)) common.Hash {
	h := types.CopyHeader(w.L2[n].Header)
	edit(h)
	return machine.OutputRoot(h.Root, *h.WithdrawalsHash, h.Hash())
}

// executed is the output root of block n with other transactions, on another state, or with another gas limit; false if that
// makes no block.
func (w *world) executed(n uint64, txs [][]byte, base vm.Base, gasLimit uint64) (root common.Hash, ok bool) {
	defer func() {
		if r := recover(); r != nil { // a state that cannot be
			root, ok = common.Hash{}, false
		}
	}()
	was := w.L2[n].Header
	h := must(block.NextHeader(w.Genesis.ChainConfig(), w.L2[n-1].Header, &block.Attributes{
		Timestamp: was.Time, Random: was.MixDigest, FeeRecipient: was.Coinbase, BeaconRoot: *was.ParentBeaconRoot, GasLimit: gasLimit,
		HasEIP1559Params: true,
	}))
	e := block.NewExecution(machinetest.ChainID, h, base)
	for _, raw := range txs {
		if _, err := e.Apply(must(abi.Decode(raw, big.NewInt(machinetest.ChainID)))); err != nil {
			return common.Hash{}, false
		}
	}
	e.Finish()
	s := must(e.Seal(func() (common.Hash, common.Hash, error) {
		passer := withdrawal.NewTree()
		for _, m := range append(slices.Concat(w.messages[:n]...), e.Machine.Messages...) {
			passer.Insert(m)
		}
		tree := w.before[n].tree.Fork()
		var cs []trie.Change
		for _, c := range e.Overlay.Changes() {
			if c.New == nil {
				cs = append(cs, trie.Change{Key: trie.Key(c.Key), Delete: true})
			} else {
				cs = append(cs, trie.Change{Key: trie.Key(c.Key), ValueHash: trie.HashRecord(c.New)})
			}
		}
		tree.Update(cs)
		return tree.Root(), passer.Root(), nil
	}))
	return machine.OutputRoot(s.Root, *s.WithdrawalsHash, s.Hash()), true
}

// redone is executed with other transactions only.
func (w *world) redone(n uint64, txs [][]byte) (common.Hash, bool) {
	return w.executed(n, txs, w.before[n], w.L2[n].Header.GasLimit)
}

// deposits is the number of the block's deposits, the L1-attributes deposit included.
func (w *world) deposits(n uint64) int {
	for i, raw := range w.L2[n].Witness.Txs {
		if raw[0] != types.DepositTxType {
			return i
		}
	}
	return len(w.L2[n].Witness.Txs)
}

// hiding is a state without an entry of the deadline queue.
type hiding struct {
	past
	key record.Key
}

func (h hiding) DeadlineAfter(after *record.Key) (record.Key, bool) {
	k, ok := h.past.DeadlineAfter(after)
	if ok && k == h.key {
		return h.past.DeadlineAfter(&k)
	}
	return k, ok
}

// again is a state with records of an earlier one, a deadline among them.
type again struct {
	past
	key record.Key
	old map[record.Key][]byte
}

func (a again) Get(k record.Key) []byte {
	if v, ok := a.old[k]; ok {
		return v
	}
	return a.past.Get(k)
}

func (a again) DeadlineAfter(after *record.Key) (record.Key, bool) {
	k, ok := a.past.DeadlineAfter(after)
	if (after == nil || bytes.Compare(a.key[:], after[:]) > 0) && (!ok || bytes.Compare(a.key[:], k[:]) < 0) {
		return a.key, true
	}
	return k, ok
}

// corruption is a way to be wrong about a block. make returns the output root of the corrupted block n, or false if the block has
// nothing that could be corrupted in this way.
type corruption struct {
	name string
	make func(w *world, rnd *rand.Rand, n uint64) (common.Hash, bool)
}

func header(name string, edit func(*types.Header, *rand.Rand)) corruption {
	return corruption{name, func(w *world, rnd *rand.Rand, n uint64) (common.Hash, bool) {
		return w.edited(n, func(h *types.Header) { edit(h, rnd) }), true
	}}
}

func anyHash(rnd *rand.Rand) (h common.Hash) {
	for i := 0; i < 32; i += 8 {
		binary.BigEndian.PutUint64(h[i:], rnd.Uint64())
	}
	return h
}

var corruptions = []corruption{
	header("state root", func(h *types.Header, rnd *rand.Rand) { h.Root = anyHash(rnd) }),
	header("gas used", func(h *types.Header, rnd *rand.Rand) { h.GasUsed += 1 + rnd.Uint64N(100) }),
	header("gas limit", func(h *types.Header, rnd *rand.Rand) { h.GasLimit++ }),
	header("timestamp", func(h *types.Header, rnd *rand.Rand) { h.Time += 1 + rnd.Uint64N(20) }),
	header("number", func(h *types.Header, rnd *rand.Rand) { h.Number = new(big.Int).Add(h.Number, common.Big1) }),
	header("parent", func(h *types.Header, rnd *rand.Rand) { h.ParentHash[rnd.IntN(32)] ^= 1 }),
	header("withdrawals root", func(h *types.Header, rnd *rand.Rand) { x := anyHash(rnd); h.WithdrawalsHash = &x }),
	header("extraData", func(h *types.Header, rnd *rand.Rand) { h.Extra[rnd.IntN(len(h.Extra))] ^= 1 }),
	header("longer extraData", func(h *types.Header, rnd *rand.Rand) { h.Extra = append(h.Extra, 0) }),
	header("mixHash", func(h *types.Header, rnd *rand.Rand) { h.MixDigest[rnd.IntN(32)] ^= 1 }),
	header("beacon root", func(h *types.Header, rnd *rand.Rand) { x := anyHash(rnd); h.ParentBeaconRoot = &x }),
	header("bloom", func(h *types.Header, rnd *rand.Rand) { h.Bloom[rnd.IntN(256)] ^= 1 << rnd.IntN(8) }),
	header("base fee", func(h *types.Header, rnd *rand.Rand) { h.BaseFee = new(big.Int).Add(h.BaseFee, common.Big1) }),
	header("coinbase", func(h *types.Header, rnd *rand.Rand) { h.Coinbase[19] ^= 1 }),
	header("requests hash", func(h *types.Header, rnd *rand.Rand) { x := anyHash(rnd); h.RequestsHash = &x }),
	header("transactions root", func(h *types.Header, rnd *rand.Rand) { h.TxHash = anyHash(rnd) }),
	{"output root", func(w *world, rnd *rand.Rand, n uint64) (common.Hash, bool) { return anyHash(rnd), true }},
	{"output root of another header", func(w *world, rnd *rand.Rand, n uint64) (common.Hash, bool) {
		h := w.L2[n].Header
		return machine.OutputRoot(w.L2[n-1].Header.Root, *h.WithdrawalsHash, h.Hash()), w.L2[n-1].Header.Root != h.Root
	}},
	{"record", func(w *world, rnd *rand.Rand, n uint64) (common.Hash, bool) {
		after := w.before[n+1]
		keys := slices.SortedFunc(maps.Keys(after.state), func(a, b record.Key) int { return bytes.Compare(a[:], b[:]) })
		k := keys[rnd.IntN(len(keys))]
		v := bytes.Clone(after.state[k])
		v[rnd.IntN(len(v))] ^= 1
		tree := after.tree.Fork()
		tree.Update([]trie.Change{{Key: trie.Key(k), ValueHash: trie.HashRecord(v)}})
		return w.edited(n, func(h *types.Header) { h.Root = tree.Root() }), true
	}},
	{"receipt", func(w *world, rnd *rand.Rand, n uint64) (common.Hash, bool) {
		return w.otherReceipts(n, rnd, func(rc *types.Receipt) bool {
			if rnd.IntN(2) == 0 {
				rc.Status ^= 1
			} else {
				rc.CumulativeGasUsed++
			}
			return true
		})
	}},
	{"log", func(w *world, rnd *rand.Rand, n uint64) (common.Hash, bool) {
		return w.otherReceipts(n, rnd, func(rc *types.Receipt) bool {
			if len(rc.Logs) == 0 {
				return false
			}
			i := rnd.IntN(len(rc.Logs))
			switch l := rc.Logs[i]; {
			case rnd.IntN(3) == 0:
				rc.Logs = slices.Delete(rc.Logs, i, i+1)
			case len(l.Data) > 0:
				l.Data[rnd.IntN(len(l.Data))] ^= 1
			default:
				l.Topics[len(l.Topics)-1][31] ^= 1
			}
			rc.Bloom = types.CreateBloom(rc)
			return true
		})
	}},
	{"two transactions swapped", func(w *world, rnd *rand.Rand, n uint64) (common.Hash, bool) {
		txs, first := slices.Clone(w.L2[n].Witness.Txs), w.deposits(n)
		if len(txs)-first < 2 {
			return common.Hash{}, false
		}
		i := first + rnd.IntN(len(txs)-first-1)
		j := i + 1 + rnd.IntN(len(txs)-i-1)
		if bytes.Equal(txs[i], txs[j]) {
			return common.Hash{}, false
		}
		txs[i], txs[j] = txs[j], txs[i]
		return w.redone(n, txs)
	}},
	{"bytes of a transaction", func(w *world, rnd *rand.Rand, n uint64) (common.Hash, bool) {
		txs := slices.Clone(w.L2[n].Witness.Txs)
		i := rnd.IntN(len(txs))
		txs[i] = bytes.Clone(txs[i])
		txs[i][rnd.IntN(len(txs[i]))] ^= 1
		return w.edited(n, func(h *types.Header) { h.TxHash = types.DeriveSha(rawList(txs), gethtrie.NewStackTrie(nil)) }), true
	}},
	{"another transaction", func(w *world, rnd *rand.Rand, n uint64) (common.Hash, bool) {
		txs, first := slices.Clone(w.L2[n].Witness.Txs), w.deposits(n)
		if len(txs) == first {
			return common.Hash{}, false
		}
		i := first + rnd.IntN(len(txs)-first)
		tx := must(abi.Decode(txs[i], big.NewInt(machinetest.ChainID)))
		tx.Value.AddUint64(&tx.Value, 1)
		txs[i] = w.Sign(tx)
		return w.redone(n, txs)
	}},
	{"a transaction left out", func(w *world, rnd *rand.Rand, n uint64) (common.Hash, bool) {
		txs, first := slices.Clone(w.L2[n].Witness.Txs), w.deposits(n)
		if len(txs) == first {
			return common.Hash{}, false
		}
		i := first + rnd.IntN(len(txs)-first)
		return w.redone(n, slices.Delete(txs, i, i+1))
	}},
	{"a transaction that nobody has committed", func(w *world, rnd *rand.Rand, n uint64) (common.Hash, bool) {
		from := w.Accounts[rnd.IntN(len(w.Accounts))]
		a := record.Account{}
		if b := w.before[n+1].state[record.AccountKey(from)]; b != nil {
			a = must(record.DecodeAccount(b))
		}
		tx := &abi.Transaction{From: from, To: &from, Nonce: a.Nonce, GasLimit: 30_000, FeeCap: *uint256.NewInt(30), TipCap: *uint256.NewInt(1)}
		return w.redone(n, append(slices.Clone(w.L2[n].Witness.Txs), w.Sign(tx)))
	}},
	{"a transaction twice", func(w *world, rnd *rand.Rand, n uint64) (common.Hash, bool) {
		txs, first := slices.Clone(w.L2[n].Witness.Txs), w.deposits(n)
		if len(txs) == first {
			return common.Hash{}, false
		}
		return w.redone(n, append(txs, txs[first+rnd.IntN(len(txs)-first)]))
	}},
	{"skipped timeout", func(w *world, rnd *rand.Rand, n uint64) (common.Hash, bool) {
		due := w.swept(n)
		if len(due) == 0 {
			return common.Hash{}, false
		}
		return w.executed(n, w.L2[n].Witness.Txs, hiding{w.before[n], due[rnd.IntN(len(due))]}, w.L2[n].Header.GasLimit)
	}},
	{"repeated timeout", func(w *world, rnd *rand.Rand, n uint64) (common.Hash, bool) {
		for earlier := n - 1; earlier > 0 && earlier+20 > n; earlier-- {
			for _, k := range w.swept(earlier) {
				if record.DueOf(k) != record.DueInteraction {
					continue
				}
				b := w.before[earlier]
				d := must(record.DecodeDeadline(b.state[k]))
				i := record.InteractionKey(d.Id)
				if b.state[i] == nil || must(record.DecodeInteraction(b.state[i])).Constituent != 0 { // of a composition, which holds the payment
					continue
				}
				caller := record.AccountKey(must(record.DecodeInteraction(b.state[i])).Caller)
				// As if it had not been repaid yet: otherwise the transition itself would stop.
				a := must(record.DecodeAccount(w.before[n].state[caller]))
				was := must(record.DecodeAccount(b.state[caller]))
				a.PendingInvokes, a.Escrowed = max(a.PendingInvokes, was.PendingInvokes), *larger(&a.Escrowed, &was.Escrowed)
				base := again{w.before[n], k, map[record.Key][]byte{k: b.state[k], i: b.state[i], caller: a.Encode()}}
				if root, ok := w.executed(n, w.L2[n].Witness.Txs, base, w.L2[n].Header.GasLimit); ok {
					return root, true
				}
			}
		}
		return common.Hash{}, false
	}},
	{"invented deposit", func(w *world, rnd *rand.Rand, n uint64) (common.Hash, bool) {
		a := w.Accounts[rnd.IntN(len(w.Accounts))]
		d := must(types.NewTx(&types.DepositTx{
			SourceHash: anyHash(rnd), From: a, To: &a, Mint: big.NewInt(1_000_000), Value: new(big.Int), Gas: 100_000,
		}).MarshalBinary())
		return w.redone(n, slices.Insert(slices.Clone(w.L2[n].Witness.Txs), w.deposits(n), d))
	}},
	{"dropped deposit", func(w *world, rnd *rand.Rand, n uint64) (common.Hash, bool) {
		count := w.deposits(n) - 1
		if count == 0 {
			return common.Hash{}, false
		}
		i := 1 + rnd.IntN(count)
		return w.redone(n, slices.Delete(slices.Clone(w.L2[n].Witness.Txs), i, i+1))
	}},
	{"config update ignored", func(w *world, rnd *rand.Rand, n uint64) (common.Hash, bool) {
		txs := slices.Clone(w.L2[n].Witness.Txs)
		own := must(abi.Decode(txs[0], big.NewInt(machinetest.ChainID)))
		data := bytes.Clone(own.Data)
		if n > 1 {
			before := must(abi.Decode(w.L2[n-1].Witness.Txs[0], big.NewInt(machinetest.ChainID))).Data
			copy(data[4:12], before[4:12])       // fee scalars
			copy(data[132:164], before[132:164]) // batcher
		}
		limit := w.L2[n-1].Header.GasLimit
		if bytes.Equal(data, own.Data) && limit == w.L2[n].Header.GasLimit {
			return common.Hash{}, false
		}
		txs[0] = must(types.NewTx(&types.DepositTx{
			SourceHash: own.Ethereum().SourceHash(), From: own.From, To: own.To, Value: new(big.Int), Gas: own.GasLimit, Data: data,
		}).MarshalBinary())
		return w.executed(n, txs, w.before[n], limit)
	}},
	{"the block after", func(w *world, rnd *rand.Rand, n uint64) (common.Hash, bool) {
		return w.Output(min(n+1, uint64(len(w.L2)-1))), n+1 < uint64(len(w.L2))
	}},
	{"the block before", func(w *world, rnd *rand.Rand, n uint64) (common.Hash, bool) { return w.Output(n - 1), true }},
}

func larger(a, b *uint256.Int) *uint256.Int {
	if a.Lt(b) {
		return b
	}
	return a
}

type rawList [][]byte

func (l rawList) Len() int                           { return len(l) }
func (l rawList) EncodeIndex(i int, w *bytes.Buffer) { w.Write(l[i]) }

// swept are the deadlines that block n works off.
func (w *world) swept(n uint64) (out []record.Key) {
	for k := range w.before[n].state {
		if k[0] == byte(record.NSDeadline) && record.DeadlineOf(k) < w.L2[n].Header.Time && w.before[n+1].state[k] == nil {
			out = append(out, k)
		}
	}
	slices.SortFunc(out, func(a, b record.Key) int { return bytes.Compare(a[:], b[:]) })
	return out
}

// otherReceipts is the output root of block n with one of its receipts changed.
func (w *world) otherReceipts(n uint64, rnd *rand.Rand, change func(*types.Receipt) bool) (common.Hash, bool) {
	var rs types.Receipts
	for _, rc := range w.L2[n].Receipts {
		c := *rc
		c.Logs = nil
		for _, l := range rc.Logs {
			d := *l
			d.Data, d.Topics = bytes.Clone(l.Data), slices.Clone(l.Topics)
			c.Logs = append(c.Logs, &d)
		}
		rs = append(rs, &c)
	}
	for _, i := range rnd.Perm(len(rs)) {
		if !change(rs[i]) {
			continue
		}
		return w.edited(n, func(h *types.Header) {
			h.ReceiptHash, h.Bloom = types.DeriveSha(rs, gethtrie.NewStackTrie(nil)), types.MergeBloom(rs)
		}), true
	}
	return common.Hash{}, false
}
