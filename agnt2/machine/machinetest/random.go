package machinetest

import (
	"crypto/ecdsa"
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
	p.MaxTtlSeconds, p.StakeCooldownSeconds, p.MaxPendingInvokes, p.SweepsPerBlock, p.MaxCapabilities = 30, 40, 6, 12, 3
	return p
}

// RandomPolicy is in the same spirit.
func RandomPolicy() record.Policy {
	p := genesis.DefaultPolicy()
	p.ChannelWindowSeconds, p.MaxChannelTtlSeconds, p.DoubleSignSlashWei = 4, 18, *uint256.NewInt(40)
	p.Governance, p.DisputeResolver, p.FeeRecipient = crypto.PubkeyToAddress(accountKey(0).PublicKey), crypto.PubkeyToAddress(accountKey(1).PublicKey), common.Address{7}
	p.AgentPassport = crypto.PubkeyToAddress(accountKey(2).PublicKey)
	p.DisputeBondWei, p.DisputeFeeWei, p.DisputeWindowSeconds = *uint256.NewInt(50), *uint256.NewInt(5), 16
	p.RecentSeconds, p.PrunesPerBlock = 4, 6
	p.WeiPerPendingInvoke = *uint256.NewInt(100)
	p.EligibilityScore = 20 // few answer
	p.MinCommitDepositWei, p.CommitWindowSeconds = *uint256.NewInt(20), 8
	return p
}

func accountKey(i int) *ecdsa.PrivateKey {
	return must(crypto.ToECDSA(crypto.Keccak256(binary.BigEndian.AppendUint64([]byte("machinetest"), uint64(i)))))
}

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
	r := &Random{World: w, Generator: &vmtest.Generator{Rnd: w.Rand, ChainID: ChainID, History: &w.History}, Outcomes: map[vm.Outcome]int{}}
	for i := range len(w.Keys) {
		r.AddKey(accountKey(i))
	}
	return r
}

// Fill adds up to n signed transactions and seals the block.
func (r *Random) Fill(b *Builder, n int) *L2Block {
	r.Get, r.Deposits = b.Get, false
	r.World.History.Follow(b.Execution.Machine)
	for range n {
		tx := r.Transaction()
		if tx.Nonce == ^uint64(0) || r.Keys[tx.From] == nil { // malformed, or of an agent without a key of its own
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
	return r.governed(out)
}

// governed adds a receipt with what governance deposits.
func (r *Random) governed(out types.Receipts) types.Receipts {
	if r.Get == nil {
		return out
	}
	rc := &types.Receipt{Type: types.DynamicFeeTxType, Status: 1}
	if n := len(out); n > 0 {
		rc.CumulativeGasUsed = out[n-1].CumulativeGasUsed
	}
	rc.CumulativeGasUsed += 50_000
	var calls [][]byte
	for _, c := range r.Resolutions() {
		calls = append(calls, c.Encode())
	}
	params := abi.SetParamsCall{Params: abi.IRecordsParams(must(record.DecodeParams(r.Get(record.ParamsKey))))}
	policy := abi.SetPolicyCall{Policy: abi.IRecordsPolicy(must(record.DecodePolicy(r.Get(record.PolicyKey))))}
	params.Params.GasTransfer++
	policy.Policy.DisputeBondWei.AddUint64(&policy.Policy.DisputeBondWei, 1)
	for _, c := range append(calls, params.Encode(), policy.Encode()) {
		rc.Logs = append(rc.Logs, r.depositLogOf(r.Accounts[0], abi.Address, 0, 0, c))
	}
	rc.Logs = append(rc.Logs, r.depositLogOf(r.Accounts[2], abi.Address, 0, 0, r.Import().Encode()))
	rc.Bloom = types.CreateBloom(rc)
	return append(out, rc)
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
	return r.depositLogOf(from, to, value, creation, data)
}

func (r *Random) depositLogOf(from, to common.Address, value uint64, creation byte, data []byte) *types.Log {
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
	for i := range n {
		for len(r.L1) < 3+i/L1Time { // no earlier than it is needed: deposits answer what has happened
			r.AddL1(r.indexed(r.Receipts()))
		}
		r.Fill(r.Next(), r.Rnd.IntN(40))
	}
	for len(r.L1) < 3+(n+L1Time-1)/L1Time {
		r.AddL1(r.indexed(r.Receipts()))
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
