package bench

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ethereum/go-ethereum/crypto"
)

// boundWindow is how long each of the two parts of the bound is measured.
const boundWindow = time.Second

// Bound is how many secp256k1 public keys this machine recovers per second.
type Bound struct {
	All float64 `json:"allCores"`
	One float64 `json:"oneCore"`
}

// bound recovers what the engine recovers, by the same call (crypto.Ecrecover, agnt2/abi), over hashes that are computed
// beforehand: nothing but that, so that no engine which makes this call can be above it.
type bound struct {
	hashes [][]byte
	sigs   [][]byte
}

// boundSignatures is how many different signatures are cycled through.
const boundSignatures = 1024

func newBound() *bound {
	b := new(bound)
	keys := newAgents(boundSignatures, nil)
	for i := range boundSignatures {
		h := crypto.Keccak256([]byte{byte(i), byte(i >> 8)})
		sig, err := crypto.Sign(h, keys.key(i))
		if err != nil {
			panic(err) // a valid key and 32 bytes: cannot be
		}
		b.hashes, b.sigs = append(b.hashes, h), append(b.sigs, sig)
	}
	return b
}

// measure takes twice the window.
func (b *bound) measure(window time.Duration) Bound {
	runtime.GC() // what an earlier row left behind is not the curve's
	return Bound{All: b.rate(runtime.GOMAXPROCS(0), window), One: b.rate(1, window)}
}

// cpuMicros is the processor time of one recovery on one thread, which other work on the machine disturbs less than the rate.
func (b *bound) cpuMicros(window time.Duration) (micros float64) {
	_ = alone(func() error {
		n, began, cpu := 0, time.Now(), cpuTime()
		for ; n&63 != 0 || time.Since(began) < window; n++ {
			if _, err := crypto.Ecrecover(b.hashes[n%boundSignatures], b.sigs[n%boundSignatures]); err != nil {
				panic(err)
			}
		}
		micros = (cpuTime() - cpu).Seconds() * 1e6 / float64(n)
		return nil
	})
	return micros
}

func (b *bound) rate(workers int, window time.Duration) float64 {
	var total atomic.Int64
	var wg sync.WaitGroup
	began := time.Now()
	for w := range workers {
		wg.Go(func() {
			for i := w; ; i++ {
				if i&63 == 0 && time.Since(began) >= window {
					return
				}
				if _, err := crypto.Ecrecover(b.hashes[i%boundSignatures], b.sigs[i%boundSignatures]); err != nil {
					panic(err)
				}
				total.Add(1)
			}
		})
	}
	wg.Wait()
	return float64(total.Load()) / time.Since(began).Seconds()
}
