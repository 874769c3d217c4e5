package engine_test

import (
	"math/big"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/params"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	engine "github.com/agnt2/agnt2/agnt2-engine"
	"github.com/agnt2/agnt2/agnt2-engine/enginetest"
	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/agnt2/genesis"
	"github.com/agnt2/agnt2/agnt2/record"
	"github.com/agnt2/agnt2/agnt2/vm"
)

const chainID = 901

func newNode(t testing.TB, g *genesis.Genesis, dir string) *engine.Node {
	n, err := engine.New(engine.Config{Genesis: g, DataDir: dir, CacheBytes: 32 << 20, HistoryBlocks: 64, AgentIndex: true})
	require.NoError(t, err)
	return n
}

func start(t testing.TB, accounts int) *enginetest.Driver {
	n := newNode(t, enginetest.Genesis(accounts), t.TempDir())
	t.Cleanup(func() { n.Close() })
	return enginetest.New(n)
}

func ether(n int64) *big.Int { return new(big.Int).Mul(big.NewInt(n), big.NewInt(params.Ether)) }

func register(price uint64) []byte {
	return (&abi.RegisterCall{Name: "summarizer", Version: "1", Capabilities: []abi.Capability{{
		Name: "text.summarize", PriceWei: *uint256.NewInt(price), LatencyMsP99: 500, Class: 2,
	}}}).Encode()
}

func invoke(salt byte, callee common.Address, ttl uint32) []byte {
	params := crypto.Keccak256Hash([]byte("params"))
	return (&abi.InvokeCall{
		Salt: common.Hash{salt}, Callee: callee, Capability: vm.CapabilityID("text.summarize"), ParamsHash: params, TtlSeconds: ttl,
		MaxPriceWei: *uint256.NewInt(params2), Da: abi.DAPointer{ContentHash: params, LengthBytes: 6, Backend: 1},
	}).Encode()
}

const params2 = 1e18

func respond(id common.Hash, status vm.ResponseStatus) []byte {
	c := &abi.RespondCall{Id: id, Status: uint8(status), ExecutionMs: 5}
	if status == vm.OK {
		c.ResultHash = crypto.Keccak256Hash([]byte("result"))
		c.Da = abi.DAPointer{ContentHash: c.ResultHash, LengthBytes: 6, Backend: 1}
	}
	return c.Encode()
}

type world struct {
	*enginetest.Driver
	t      testing.TB
	nonces map[int]uint64
}

func (w *world) tx(from int, to common.Address, value *big.Int, data []byte) *types.Transaction {
	n := w.nonces[from]
	w.nonces[from]++
	return enginetest.Sign(enginetest.Key(from), chainID, n, &to, value, 1_000_000, data)
}

func (w *world) op(from int, value *big.Int, data []byte) *types.Transaction {
	return w.tx(from, abi.Address, value, data)
}

func (w *world) block(txs ...*types.Transaction) types.Receipts {
	b, err := w.Block(txs...)
	require.NoError(w.t, err)
	return w.Node.Chain().Receipts(b.Hash())
}

func (w *world) get(k record.Key) []byte {
	v, err := w.Node.Chain().State().View(w.Head().Hash())
	require.NoError(w.t, err)
	return v.Get(k)
}

func (w *world) account(i int) (a record.Account) {
	if b := w.get(record.AccountKey(enginetest.Address(i))); b != nil {
		var err error
		a, err = record.DecodeAccount(b)
		require.NoError(w.t, err)
	}
	return a
}

func newWorld(t testing.TB, accounts int) *world {
	return &world{Driver: start(t, accounts), t: t, nonces: map[int]uint64{}}
}

func TestInvokeRespond(t *testing.T) {
	w := newWorld(t, 2)
	price := uint64(1e15)
	r := w.block(w.op(0, ether(1), register(price)))
	require.Equal(t, uint64(1), r[1].Status)
	callee := enginetest.Address(0)
	before := w.account(1)
	r = w.block(w.op(1, new(big.Int).SetUint64(price), invoke(1, callee, 60)))
	require.Equal(t, uint64(1), r[1].Status)
	ev, err := abi.DecodeInvokedEvent(r[1].Logs[0])
	require.NoError(t, err)
	require.Equal(t, vm.InteractionID(enginetest.Address(1), common.Hash{1}), ev.Id)
	mid := w.account(1)
	require.Equal(t, uint32(1), mid.PendingInvokes)
	require.Equal(t, price, mid.Escrowed.Uint64())
	fee := new(big.Int).Mul(r[1].EffectiveGasPrice, new(big.Int).SetUint64(r[1].GasUsed))
	want := new(big.Int).Sub(before.Balance.ToBig(), fee)
	want.Sub(want, new(big.Int).SetUint64(price))
	require.Equal(t, want, mid.Balance.ToBig())

	calleeBefore := w.account(0)
	r = w.block(w.op(0, nil, respond(ev.Id, vm.OK)))
	require.Equal(t, uint64(1), r[1].Status)
	fee = new(big.Int).Mul(r[1].EffectiveGasPrice, new(big.Int).SetUint64(r[1].GasUsed))
	want = new(big.Int).Add(calleeBefore.Balance.ToBig(), new(big.Int).SetUint64(price))
	after := w.account(0)
	require.Equal(t, want.Sub(want, fee), after.Balance.ToBig())
	after = w.account(1)
	require.Zero(t, after.PendingInvokes)
	require.True(t, after.Escrowed.IsZero())
	// a duplicate response is a failure without effect
	r = w.block(w.op(0, nil, respond(ev.Id, vm.OK)))
	require.Zero(t, r[1].Status)
	require.NotZero(t, r[1].GasUsed)
}

func TestTimeoutIsSwept(t *testing.T) {
	w := newWorld(t, 2)
	w.block(w.op(0, ether(1), register(5)))
	w.block(w.op(1, big.NewInt(5), invoke(1, enginetest.Address(0), 2)))
	id := vm.InteractionID(enginetest.Address(1), common.Hash{1})
	w.block()
	r := w.block()
	require.Empty(t, r[0].Logs, "deadline is inclusive")
	r = w.block()
	require.Len(t, r[0].Logs, 1)
	ev, err := abi.DecodeTimedOutEvent(r[0].Logs[0])
	require.NoError(t, err)
	require.Equal(t, id, ev.Id)
	a := w.account(1)
	require.Zero(t, a.PendingInvokes)
	rep, err := record.DecodeReputation(w.get(record.ReputationKey(enginetest.Address(0))))
	require.NoError(t, err)
	require.Equal(t, uint64(1), rep.Timeouts)
	require.Equal(t, uint64(4), rep.PenaltyUnits)
	require.Empty(t, w.block()[0].Logs)
}
