// Package inboxtest runs an L1 with the real LayerRoot for the tests of what talks to it. Only tests use it.
//
// It skips a test, with a message, where npm has not installed anvil or forge has not compiled the contracts yet.
package inboxtest

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"encoding/json"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/ethclient"
	"github.com/stretchr/testify/require"

	"github.com/agnt2/agnt2/internal/anvil"
)

const (
	startTimeout = 20 * time.Second
	callTimeout  = 10 * time.Second
	bondWei      = 1_000_000
)

// Keys that anvil funds, publicly known.
var (
	BatcherKey = key("ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80")
	OtherKey   = key("59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d")
)

func key(s string) *ecdsa.PrivateKey {
	k, err := crypto.HexToECDSA(s)
	if err != nil {
		panic(err)
	}
	return k
}

// Batcher is the address that LayerRoot accepts commitments from.
var Batcher = crypto.PubkeyToAddress(BatcherKey.PublicKey)

// L1 is an anvil with LayerRoot, a SystemConfig that names Batcher, and Batcher's bond in place.
type L1 struct {
	URL     string
	Client  *ethclient.Client
	ChainID *big.Int
	Inbox   common.Address
	ABI     abi.ABI     // LayerRoot's
	Origin  common.Hash // a recent block, that L2 blocks may have as their origin
	t       testing.TB
}

// Start runs an L1 until the test ends.
func Start(t testing.TB) *L1 {
	root := repository(t)
	out := filepath.Join(root, "packages", "contracts-bedrock-fork", "out")
	layerRootABI, layerRoot := artifact(t, filepath.Join(out, "LayerRoot.sol", "LayerRoot.json"))
	configABI, config := artifact(t, filepath.Join(out, "LayerRoot.t.sol", "SystemConfigFake.json"))

	l := &L1{ABI: layerRootABI, t: t}
	l.URL, _ = anvil.Start(t, root, "--hardfork", "prague")
	var err error
	l.Client, err = ethclient.Dial(l.URL)
	require.NoError(t, err)
	t.Cleanup(l.Client.Close)
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	l.ChainID, err = l.Client.ChainID(ctx)
	require.NoError(t, err)

	systemConfig := l.deploy(config)
	set, err := configABI.Pack("set", Batcher)
	require.NoError(t, err)
	l.must(l.Send(BatcherKey, &systemConfig, set, 0, 200_000))
	args, err := layerRootABI.Pack("", systemConfig, big.NewInt(bondWei), uint64(5), uint64(5), uint64(50))
	require.NoError(t, err)
	l.Inbox = l.deploy(append(layerRoot, args...))
	deposit, err := layerRootABI.Pack("depositBond")
	require.NoError(t, err)
	l.Origin = l.must(l.Send(BatcherKey, &l.Inbox, deposit, bondWei, 200_000)).BlockHash
	l.Mine() // BLOCKHASH does not know the block that eth_call runs in
	return l
}

// OnOrigin returns a SEAL's calldata with the hash of a recent block of this L1 as its origin, as LayerRoot wants it.
func (l *L1) OnOrigin(seal []byte) []byte {
	const firstL1Origin, l1OriginCheck = 103, 143 // offsets in calldata, docs/spec/da.md
	out := bytes.Clone(seal)
	clear(out[firstL1Origin : firstL1Origin+8]) // a window of 50 blocks is not over on a young L1
	copy(out[l1OriginCheck:l1OriginCheck+20], l.Origin[:])
	return out
}

func (l *L1) deploy(code []byte) common.Address {
	r := l.must(l.Send(BatcherKey, nil, code, 0, 6_000_000))
	return r.ContractAddress
}

func (l *L1) must(tx common.Hash) *types.Receipt {
	r := l.Receipt(tx)
	require.Equal(l.t, types.ReceiptStatusSuccessful, r.Status, "set-up transaction failed")
	return r
}

// Send signs and publishes a transaction, to a contract creation if to is nil.
func (l *L1) Send(from *ecdsa.PrivateKey, to *common.Address, data []byte, wei int64, gas uint64) common.Hash {
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	nonce, err := l.Client.PendingNonceAt(ctx, crypto.PubkeyToAddress(from.PublicKey))
	require.NoError(l.t, err)
	tx, err := types.SignNewTx(from, types.LatestSignerForChainID(l.ChainID), &types.DynamicFeeTx{
		ChainID: l.ChainID, Nonce: nonce, GasTipCap: big.NewInt(1e9), GasFeeCap: big.NewInt(1e11), Gas: gas, To: to, Value: big.NewInt(wei), Data: data,
	})
	require.NoError(l.t, err)
	require.NoError(l.t, l.Client.SendTransaction(ctx, tx))
	return tx.Hash()
}

// Receipt waits for a transaction to be mined.
func (l *L1) Receipt(tx common.Hash) *types.Receipt {
	for deadline := time.Now().Add(callTimeout); ; time.Sleep(10 * time.Millisecond) {
		ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
		r, err := l.Client.TransactionReceipt(ctx, tx)
		cancel()
		if err == nil {
			return r
		}
		if time.Now().After(deadline) {
			l.t.Fatalf("transaction %s: %v", tx, err)
		}
	}
}

// Automine makes every transaction a block of its own, or none until Mine.
func (l *L1) Automine(on bool) { l.call("evm_setAutomine", on) }

// Mine makes a block of what is pending.
func (l *L1) Mine() { l.call("evm_mine") }

// MineEvery makes a block every so many seconds.
func (l *L1) MineEvery(seconds int) { l.call("evm_setIntervalMining", seconds) }

func (l *L1) call(method string, args ...any) {
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	require.NoError(l.t, l.Client.Client().CallContext(ctx, nil, method, args...))
}

func artifact(t testing.TB, path string) (abi.ABI, []byte) {
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Skip("the contracts are not compiled (forge build): ", err)
	}
	var a struct {
		ABI      json.RawMessage `json:"abi"`
		Bytecode struct {
			Object hexutil.Bytes `json:"object"`
		} `json:"bytecode"`
	}
	require.NoError(t, json.Unmarshal(raw, &a), path)
	parsed, err := abi.JSON(bytes.NewReader(a.ABI))
	require.NoError(t, err, path)
	return parsed, a.Bytecode.Object
}

// repository is the folder of go.mod, above the test's.
func repository(t testing.TB) string {
	dir, err := os.Getwd()
	require.NoError(t, err)
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			t.Fatal(fmt.Errorf("no go.mod above the test"))
		}
		dir = parent
	}
}
