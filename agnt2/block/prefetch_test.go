package block_test

import (
	"math/big"
	"slices"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/agnt2/block"
	"github.com/agnt2/agnt2/agnt2/record"
	"github.com/agnt2/agnt2/agnt2/vm"
)

// watched notes which records are brought near and which are read.
type watched struct {
	base
	touched, read map[record.Key]bool
}

func (w *watched) Touch(keys []record.Key) {
	for _, k := range keys {
		w.touched[k] = true
	}
}

func (w *watched) AppendRecord(dst []byte, k *record.Key) ([]byte, bool) {
	w.read[*k] = true
	v, ok := w.base[*k]
	return append(dst, v...), ok
}

// TestPrefetch: for INVOKE and RESPOND it foresees every record that they read, and what it foresees changes no result.
func TestPrefetch(t *testing.T) {
	g := testGenesis()
	w := &watched{base: records(g).(base)}
	parent := g.Block().Header()
	k1, err := crypto.ToECDSA(crypto.Keccak256([]byte("caller")))
	require.NoError(t, err)
	k2, err := crypto.ToECDSA(crypto.Keccak256([]byte("callee")))
	require.NoError(t, err)
	addr := append([]common.Address{}, crypto.PubkeyToAddress(k1.PublicKey), crypto.PubkeyToAddress(k2.PublicKey))
	decode := func(tx *types.Transaction) *abi.Transaction {
		d, err := abi.FromEthereum(tx, big.NewInt(901))
		require.NoError(t, err)
		return d
	}
	next := func(txs ...*abi.Transaction) {
		at := attributes()
		at.Timestamp = parent.Time + 1
		h, err := block.NextHeader(g.ChainConfig(), parent, at)
		require.NoError(t, err)
		run := func(prefetch bool) *block.Execution {
			w.touched, w.read = map[record.Key]bool{}, map[record.Key]bool{}
			e := block.NewExecution(901, types.CopyHeader(h), w)
			_, err := e.Apply(decode(l1Attributes(nil)))
			require.NoError(t, err)
			if prefetch {
				e.Prefetch(txs)
			}
			w.read = map[record.Key]bool{}
			for _, tx := range txs {
				r, err := e.Apply(tx)
				require.NoError(t, err)
				require.Equal(t, vm.Succeeded, r.Outcome, "%v", r.Revert)
			}
			return e
		}
		plain, e := run(false), run(true)
		for k := range w.read {
			if !txs[0].Deposit {
				require.True(t, w.touched[k], "%v is read and was not foreseen", k)
			}
		}
		plain.Finish()
		e.Finish()
		require.Equal(t, plain.Overlay.Changes(), e.Overlay.Changes())
		for _, c := range e.Overlay.Changes() {
			w.base[c.Key] = slices.Clone(c.New)
			if c.New == nil {
				delete(w.base, c.Key)
			}
		}
		parent = h
	}
	register := (&abi.RegisterCall{
		Name: "a", Version: "1", AgentURI: "https://a.example",
		Capabilities: []abi.Capability{{Name: "x", Endpoint: "https://a.example/x", PriceWei: *uint256.NewInt(1e9), Class: 1}},
	}).Encode()
	var deposits []*abi.Transaction
	for i, a := range addr {
		deposits = append(deposits, decode(types.NewTx(&types.DepositTx{
			SourceHash: common.Hash{byte(i), 7}, From: a, To: &abi.Address, Mint: new(big.Int).Lsh(common.Big1, 90), Value: big.NewInt(1e16), Gas: 1e6, Data: register,
		})))
	}
	next(deposits...)
	signer := types.LatestSignerForChainID(big.NewInt(901))
	invoke := (&abi.InvokeCall{Salt: common.Hash{5}, Callee: addr[1], Capability: vm.CapabilityID("x"), TtlSeconds: 60, MaxPriceWei: *uint256.NewInt(1e9)}).Encode()
	next(decode(types.MustSignNewTx(k1, signer, &types.DynamicFeeTx{
		ChainID: big.NewInt(901), To: &abi.Address, Value: big.NewInt(1e9), Gas: 100_000, GasFeeCap: big.NewInt(1e12), Data: invoke,
	})))
	respond := (&abi.RespondCall{
		Id: vm.InteractionID(addr[0], common.Hash{5}), ResultHash: common.Hash{6}, Status: uint8(vm.OK), Da: abi.DAPointer{ContentHash: common.Hash{6}},
	}).Encode()
	next(decode(types.MustSignNewTx(k2, signer, &types.DynamicFeeTx{
		ChainID: big.NewInt(901), To: &abi.Address, Gas: 100_000, GasFeeCap: big.NewInt(1e12), Data: respond,
	})))
}
