package machinetest

import (
	"encoding/binary"
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/holiman/uint256"

	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/agnt2/genesis"
	"github.com/agnt2/agnt2/agnt2/record"
	"github.com/agnt2/agnt2/agnt2/vm"
	"github.com/agnt2/agnt2/agnt2/vm/vmtest"
)

// RandomParams are small enough that every limit is met.
func RandomParams() record.Params {
	p := genesis.DefaultParams()
	p.MinStakeWei, p.MinCountedPaymentWei = *uint256.NewInt(100), *uint256.NewInt(10)
	p.MaxTtlSeconds, p.StakeCooldownSeconds, p.MaxPendingInvokes, p.SweepsPerBlock, p.MaxCapabilities = 30, 40, 6, 4, 3
	return p
}

// RandomPolicy is in the same spirit.
func RandomPolicy() record.Policy { return genesis.DefaultPolicy() }

// Random is a world in which blocks are filled by vmtest's generator.
type Random struct {
	*World
	*vmtest.Generator
	Outcomes map[vm.Outcome]int
	deposit  uint64
}

// NewRandom returns a world of 30 accounts and a number of further records.
func NewRandom(seed uint64, further int) *Random {
	w := NewLarge(seed, RandomParams(), 30, further)
	r := &Random{World: w, Generator: &vmtest.Generator{Rnd: w.Rand}, Outcomes: map[vm.Outcome]int{}}
	for i := range len(w.Keys) {
		key := must(crypto.ToECDSA(crypto.Keccak256(binary.BigEndian.AppendUint64([]byte("machinetest"), uint64(i)))))
		r.Accounts = append(r.Accounts, crypto.PubkeyToAddress(key.PublicKey))
	}
	return r
}

// Fill adds up to n signed transactions and seals the block.
func (r *Random) Fill(b *Builder, n int) *L2Block {
	r.Get, r.Deposits = b.Get, false
	for range n {
		tx := r.Transaction()
		if tx.Nonce == ^uint64(0) { // malformed
			continue
		}
		out := b.Send(tx)
		r.Outcomes[out.Outcome]++
		if out.Outcome == vm.Succeeded && len(out.Return) == 32 {
			r.IDs = append(r.IDs, common.BytesToHash(out.Return))
		}
		if r.Rnd.IntN(5) == 0 {
			r.Old = append(r.Old, tx)
		}
	}
	return b.Seal()
}

// Receipts are those of an L1 block with some user deposits among other contracts' logs.
func (r *Random) Receipts() (out types.Receipts) {
	var gas uint64
	for range r.Rnd.IntN(4) {
		gas += 50_000
		rc := &types.Receipt{Type: types.DynamicFeeTxType, Status: 1, CumulativeGasUsed: gas}
		for range r.Rnd.IntN(4) {
			if r.Rnd.IntN(2) == 0 {
				rc.Logs = append(rc.Logs, &types.Log{Address: common.Address{0x77}, Topics: []common.Hash{{1}}, Data: make([]byte, r.Rnd.IntN(300))})
				continue
			}
			rc.Logs = append(rc.Logs, r.depositLog())
		}
		rc.Bloom = types.CreateBloom(rc)
		out = append(out, rc)
	}
	return out
}

var depositTopic = crypto.Keccak256Hash([]byte("TransactionDeposited(address,address,uint256,bytes)"))

func (r *Random) depositLog() *types.Log {
	r.deposit++
	from := r.Accounts[r.Rnd.IntN(len(r.Accounts))]
	to, data, value := r.Accounts[r.Rnd.IntN(len(r.Accounts))], []byte(nil), r.Rnd.Uint64N(500)
	creation := byte(0)
	switch r.Rnd.IntN(5) {
	case 0:
		to, data = abi.Address, (&abi.RegisterCall{Name: "forced"}).Encode()
	case 1:
		creation, to = 1, common.Address{}
	case 2:
		to, data = abi.Address, []byte{1, 2, 3}
	case 3:
		value = 1 << 60 // more than the sender has
	}
	word := func(v uint64) []byte { return common.BigToHash(new(big.Int).SetUint64(v)).Bytes() }
	opaque := append(append(word(r.Rnd.Uint64N(1000)), word(value)...), binary.BigEndian.AppendUint64(nil, 20_000+r.Rnd.Uint64N(200_000))...)
	opaque = append(append(opaque, creation), data...)
	enc := append(append(word(32), word(uint64(len(opaque)))...), opaque...)
	for len(enc)%32 != 0 {
		enc = append(enc, 0)
	}
	return &types.Log{Address: Portal, Topics: []common.Hash{depositTopic, common.BytesToHash(from[:]), common.BytesToHash(to[:]), {}}, Data: enc}
}

// Chain builds a world of n L2 blocks, all of them committed and old enough to be disputed.
func Chain(seed uint64, n int) *Random { return LargeChain(seed, n, 0) }

// LargeChain is Chain over a state with further records.
func LargeChain(seed uint64, n, further int) *Random {
	r := NewRandom(seed, further)
	for len(r.L1) < 3+(n+L1Time-1)/L1Time {
		r.AddL1(r.indexed(r.Receipts()))
	}
	for range n {
		r.Fill(r.Next(), r.Rnd.IntN(40))
	}
	for from := uint64(1); from <= uint64(n); {
		to := min(uint64(n), from+r.Rnd.Uint64N(6))
		r.Submit(from, to)
		from = to + 1
	}
	for range ProofLag {
		r.AddL1(nil)
	}
	return r
}

// indexed sets what op-node reads of logs beside their consensus fields.
func (r *Random) indexed(receipts types.Receipts) types.Receipts {
	n := uint(0)
	for _, rc := range receipts {
		for _, l := range rc.Logs {
			l.Index = n
			n++
		}
	}
	return receipts
}
