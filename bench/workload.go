package bench

import (
	"crypto/ecdsa"
	"encoding/binary"
	"fmt"
	"math/big"
	"math/rand/v2"
	"runtime"
	"sync"
	"syscall"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/params"
	"github.com/holiman/uint256"

	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/agnt2/vm"
)

const (
	chainID   = 901
	minAgents = 100
	// priceWei counts for reputation: every first answer to a caller writes a pair record.
	priceWei = 1e12
	// ttlSeconds is long enough that no interaction of a run times out.
	ttlSeconds = 3600
	// txGas covers both operations.
	txGas      = 40_000
	capability = "text.summarize"
)

var capabilityID = vm.CapabilityID(capability)

// agents are the keys base, base+1, base+2, …: so addresses come from point additions, ten times as fast as
// multiplications.
type agents struct {
	base secp256k1.ModNScalar
	addr []common.Address
}

func newAgents(n int, progress func(done int)) *agents {
	a := &agents{addr: make([]common.Address, n)}
	a.base.SetByteSlice(crypto.Keccak256([]byte("agnt2 bench agents")))
	var done int
	var mu sync.Mutex
	parallel(n, 4096, func(from, to int) {
		k := a.scalar(from)
		var g, p, q secp256k1.JacobianPoint
		secp256k1.ScalarBaseMultNonConst(new(secp256k1.ModNScalar).SetInt(1), &g)
		secp256k1.ScalarBaseMultNonConst(&k, &p)
		for i := from; i < to; i++ {
			p.ToAffine()
			var xy [64]byte
			p.X.PutBytesUnchecked(xy[:32])
			p.Y.PutBytesUnchecked(xy[32:])
			copy(a.addr[i][:], crypto.Keccak256(xy[:])[12:])
			secp256k1.AddNonConst(&p, &g, &q)
			p = q
		}
		if progress != nil {
			mu.Lock()
			done += to - from
			progress(done)
			mu.Unlock()
		}
	})
	return a
}

func (a *agents) scalar(i int) (k secp256k1.ModNScalar) {
	k.SetInt(uint32(i)).Add(&a.base)
	return k
}

// key returns the i-th key, without its public part.
func (a *agents) key(i int) *ecdsa.PrivateKey {
	k := a.scalar(i)
	b := k.Bytes()
	//lint:ignore SA1019 the replacement knows no secp256k1
	return &ecdsa.PrivateKey{D: new(big.Int).SetBytes(b[:]), PublicKey: ecdsa.PublicKey{Curve: crypto.S256()}}
}

// parallel splits 0 … n-1 into chunks and works on them on all processors.
func parallel(n, chunk int, f func(from, to int)) {
	var wg sync.WaitGroup
	next := make(chan int, n/chunk+1)
	for from := 0; from < n; from += chunk {
		next <- from
	}
	close(next)
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for from := range next {
				f(from, min(from+chunk, n))
			}
		})
	}
	wg.Wait()
}

// mode of a workload.
type mode int

const (
	// signed transactions go through the mempool's signature recovery.
	signed mode = iota
	// decoded transactions come with their sender: nobody looks at their signatures.
	decoded
	// attested is signed, and every RESPOND carries a detached attestation: half a recovery more per transaction.
	attested
)

func (m mode) String() string {
	return [...]string{"signatures included", "signatures apart", "signatures + attestations"}[m]
}

func (m mode) file() string { return [...]string{"signed", "decoded", "attested"}[m] }

// recoveries per transaction.
func (m mode) recoveries() float64 { return [...]float64{1, 0, 1.5}[m] }

// plan is one transaction before it is encoded.
type plan struct {
	from, to int // agents: sender, and callee of an INVOKE
	nonce    uint64
	serial   uint64 // of the interaction
	respond  bool
}

// interaction that has been planned.
type interaction struct{ caller, callee int32 }

// stream plans an endless workload: a random caller invokes a random other agent, and each callee responds OK once lag
// further interactions have been opened, so that a RESPOND finds its INVOKE in an earlier block.
type stream struct {
	agents    *agents
	rng       *rand.Rand
	nonce     []uint32
	opened    []interaction
	responded int
	lag       int
}

func newStream(a *agents, lag int) *stream {
	return &stream{agents: a, rng: rand.New(rand.NewPCG(1, uint64(len(a.addr)))), nonce: make([]uint32, len(a.addr)), lag: lag}
}

func (s *stream) plan(n int) []plan {
	out := make([]plan, n)
	for i := range out {
		p := &out[i]
		if p.respond = len(s.opened)-s.responded > s.lag; p.respond {
			p.serial = uint64(s.responded)
			p.from = int(s.opened[s.responded].callee)
			s.responded++
		} else {
			p.serial = uint64(len(s.opened))
			p.from, p.to = s.rng.IntN(len(s.nonce)), s.rng.IntN(len(s.nonce)-1)
			if p.to >= p.from {
				p.to++
			}
			s.opened = append(s.opened, interaction{int32(p.from), int32(p.to)})
		}
		p.nonce = uint64(s.nonce[p.from])
		s.nonce[p.from]++
	}
	return out
}

// takeBack undoes the newest plans: those that were never submitted.
func (s *stream) takeBack(plans []plan) {
	for i := len(plans) - 1; i >= 0; i-- {
		p := &plans[i]
		s.nonce[p.from]--
		if p.respond {
			s.responded--
		} else {
			s.opened = s.opened[:len(s.opened)-1]
		}
	}
}

func salt(serial uint64) (h common.Hash) {
	binary.BigEndian.PutUint64(h[:], serial*0x9e3779b97f4a7c15) // odd: no two serials share one
	binary.BigEndian.PutUint64(h[24:], serial)
	return h
}

func (s *stream) id(serial uint64) common.Hash {
	return vm.InteractionID(s.agents.addr[s.opened[serial].caller], salt(serial))
}

// data is the calldata of a planned transaction.
func (s *stream) data(p *plan, attest bool) []byte {
	content := salt(p.serial)
	content[8] = 1
	if !p.respond {
		content[9] = 1
		return (&abi.InvokeCall{
			Salt: salt(p.serial), Callee: s.agents.addr[p.to], Capability: capabilityID, ParamsHash: content, TtlSeconds: ttlSeconds,
			MaxPriceWei: *uint256.NewInt(priceWei), Da: abi.DAPointer{ContentHash: content, LengthBytes: 300, Backend: 1},
		}).Encode()
	}
	c := &abi.RespondCall{
		Id: s.id(p.serial), ResultHash: content, Status: uint8(vm.OK), ExecutionMs: 12, TimestampMs: 1_700_000_000_000,
		Da: abi.DAPointer{ContentHash: content, LengthBytes: 300, Backend: 1},
	}
	if attest {
		params := content
		params[9] = 1
		d := (&vm.Attestation{
			ID: c.Id, ParamsHash: params, ResultHash: content, Status: c.Status, ExecutionMs: c.ExecutionMs, TimestampMs: c.TimestampMs,
			ImageDigest: imageDigest,
		}).Digest(chainID)
		sig, err := crypto.Sign(d[:], s.agents.key(p.from))
		if err != nil {
			panic(err)
		}
		sig[64] += 27
		c.Attestation = sig
	}
	return c.Encode()
}

// item is a transaction that is ready to be submitted: signed, with its encoding as it comes over RPC, or decoded.
type item struct {
	raw []byte
	tx  *abi.Transaction
}

var (
	signer      = types.LatestSignerForChainID(big.NewInt(chainID))
	imageDigest = crypto.Keccak256Hash([]byte("image"))
)

// encode makes the planned transactions, on all processors.
func (s *stream) encode(plans []plan, m mode) []item {
	out := make([]item, len(plans))
	parallel(len(plans), 256, func(from, to int) {
		for i := from; i < to; i++ {
			out[i] = s.item(&plans[i], m)
		}
	})
	return out
}

// moveOut moves the encodings out of Go's heap, where clients' are too: or the collector, which waits until the heap has grown by so
// many times what is alive, would have little to do.
func moveOut(items []item) (release func(), err error) {
	size := 0
	for i := range items {
		size += len(items[i].raw)
	}
	if size == 0 {
		return func() {}, nil
	}
	outside, err := syscall.Mmap(-1, 0, size, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		return nil, fmt.Errorf("memory for %d bytes of transactions: %w", size, err)
	}
	rest := outside
	for i := range items {
		n := copy(rest, items[i].raw)
		items[i].raw, rest = rest[:n:n], rest[n:]
	}
	return func() { _ = syscall.Munmap(outside) }, nil
}

func (s *stream) item(p *plan, m mode) item {
	value := new(big.Int)
	if !p.respond {
		value.SetUint64(priceWei)
	}
	to := abi.Address
	inner := &types.DynamicFeeTx{
		ChainID: big.NewInt(chainID), Nonce: p.nonce, To: &to, Value: value, Gas: txGas, Data: s.data(p, m == attested),
		GasTipCap: big.NewInt(params.GWei), GasFeeCap: big.NewInt(100 * params.GWei),
	}
	tx := types.MustSignNewTx(s.agents.key(p.from), signer, inner)
	raw, err := tx.MarshalBinary()
	if err != nil {
		panic(err) // just signed: cannot be
	}
	if m != decoded {
		return item{raw: raw}
	}
	t := &abi.Transaction{
		Raw: raw, Hash: tx.Hash(), From: s.agents.addr[p.from], To: tx.To(), Nonce: p.nonce, GasLimit: txGas, Data: tx.Data(),
		Size: len(raw),
	}
	t.Value.SetFromBig(value)
	t.FeeCap.SetFromBig(inner.GasFeeCap)
	t.TipCap.SetFromBig(inner.GasTipCap)
	return item{tx: t}
}
