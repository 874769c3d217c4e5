package e2e

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum"
	gethabi "github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/ethclient"
	"github.com/stretchr/testify/require"

	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/agnt2/vm"
	"github.com/agnt2/agnt2/client"
	"github.com/agnt2/agnt2/devnet"
)

var gamesABI = func() gethabi.ABI {
	a, err := gethabi.JSON(strings.NewReader(`[
	{"type":"function","name":"create","stateMutability":"payable","inputs":[{"name":"t","type":"uint32"},{"name":"root","type":"bytes32"},{"name":"extra","type":"bytes"}],"outputs":[{"type":"address"}]},
	{"type":"function","name":"games","stateMutability":"view","inputs":[{"name":"t","type":"uint32"},{"name":"root","type":"bytes32"},{"name":"extra","type":"bytes"}],"outputs":[{"type":"address"},{"type":"uint64"}]},
	{"type":"function","name":"initBonds","stateMutability":"view","inputs":[{"name":"t","type":"uint32"}],"outputs":[{"type":"uint256"}]},
	{"type":"function","name":"gameCount","stateMutability":"view","inputs":[],"outputs":[{"type":"uint256"}]},
	{"type":"function","name":"gameAtIndex","stateMutability":"view","inputs":[{"name":"i","type":"uint256"}],"outputs":[{"type":"uint32"},{"type":"uint64"},{"type":"address"}]},
	{"type":"function","name":"gameCreator","stateMutability":"view","inputs":[],"outputs":[{"type":"address"}]},
	{"type":"function","name":"status","stateMutability":"view","inputs":[],"outputs":[{"type":"uint8"}]},
	{"type":"function","name":"anchors","stateMutability":"view","inputs":[{"name":"t","type":"uint32"}],"outputs":[{"type":"bytes32"},{"type":"uint256"}]}]`))
	if err != nil {
		panic(err)
	}
	return a
}()

// resolution is what testResolver needs of the devnet.
type resolution struct {
	t        *testing.T
	d        *devnet.Devnet
	l1       *ethclient.Client
	c        *client.Client
	anyone   *client.Depositor
	resolver common.Address
	gameType uint32
}

// testResolver disputes two calls, names a game that stands and one that falls, and has L1 end the disputes when these are over.
func testResolver(t *testing.T, d *devnet.Devnet) {
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Minute)
	defer cancel()
	e := d.Endpoints()
	c, err := client.Dial(ctx, client.Config{RPC: e.Engine, DAURL: e.DA})
	require.NoError(t, err)
	defer c.Close()
	l1, err := client.DialL1(ctx, client.Config{RPC: e.L1}, d.Addresses()["OptimismPortalProxy"])
	require.NoError(t, err)
	defer l1.Close()
	key := devnet.AccountOf(devnet.Agent1).Key
	r := &resolution{
		t: t, d: d, l1: dial(t, e.L1), c: c, anyone: l1.Depositor(key), resolver: d.Addresses()["DisputeResolver"], gameType: d.Config().Intent.Game.Type,
	}
	seller := c.Account(key)
	_, err = seller.Register(ctx, client.Registration{Name: "judged", StakeWei: big.NewInt(2e16), Capabilities: []abi.Capability{{Name: "judged.call"}}})
	require.NoError(t, err)
	buyerKey, err := crypto.GenerateKey()
	require.NoError(t, err)
	buyer := c.Account(buyerKey)
	_, err = seller.Transfer(ctx, buyer.Address(), ether(1))
	require.NoError(t, err)

	bond := big.NewInt(2e15)
	dispute := func(game common.Address) common.Hash {
		call, err := buyer.Invoke(ctx, client.InvokeRequest{Callee: seller.Address(), Capability: "judged.call", Params: []byte(game.Hex()), PaymentWei: big.NewInt(1e9), TTL: time.Minute})
		require.NoError(t, err)
		_, err = seller.Respond(ctx, client.Response{ID: call.ID, Result: []byte("answer")})
		require.NoError(t, err)
		_, err = buyer.Dispute(ctx, client.DisputeRequest{Interaction: call.ID, Game: game, Evidence: []byte("evidence"), BondWei: bond})
		require.NoError(t, err)
		return call.ID
	}
	stands, falls := r.proposal(ctx), r.lie(ctx)
	rejected, upheld := dispute(stands), dispute(falls)

	_, err = r.anyone.ResolveDispute(ctx, r.resolver, upheld, falls)
	require.ErrorIs(t, err, client.ErrGameInProgress)
	_, err = r.anyone.ResolveDispute(ctx, r.resolver, upheld, seller.Address())
	require.ErrorIs(t, err, client.ErrGameNotRegistered)

	lost := func(a common.Address) uint64 {
		v, err := c.Reputation(ctx, a)
		require.NoError(t, err)
		return v.DisputesLost
	}
	balance := func(a common.Address) *big.Int {
		b, err := c.Balance(ctx, a)
		require.NoError(t, err)
		return b
	}
	before := balance(seller.Address())
	r.resolve(ctx, rejected, stands, vm.DisputeRejected)
	require.Equal(t, bond, new(big.Int).Sub(balance(seller.Address()), before), "the agent gets the bond")
	require.Equal(t, uint64(1), lost(buyer.Address()))

	// A game that is over ends no dispute that waits for another: L1 cannot know that, L2 does.
	deposit, err := r.anyone.ResolveDispute(ctx, r.resolver, upheld, stands)
	require.NoError(t, err)
	_, err = c.WaitDeposit(ctx, deposit)
	var failed *client.OperationError
	require.ErrorAs(t, err, &failed)

	before = balance(buyer.Address())
	r.resolve(ctx, upheld, falls, vm.DisputeUpheld)
	require.Equal(t, bond, new(big.Int).Sub(balance(buyer.Address()), before), "the claimant gets it back")
	require.Zero(t, lost(seller.Address()), "that a root was wrong is not the agent's fault")
}

// resolve calls DisputeResolver until the game is over, and checks what L2 makes of it.
func (r *resolution) resolve(ctx context.Context, id common.Hash, game common.Address, want vm.DisputeOutcome) {
	t := r.t
	var deposit *client.Deposit
	eventually(t, 10*time.Minute, fmt.Sprintf("game %v ends", game), func(context.Context) (err error) {
		deposit, err = r.anyone.ResolveDispute(ctx, r.resolver, id, game)
		return err
	})
	receipt, err := r.c.WaitDeposit(ctx, deposit)
	require.NoError(t, err)
	require.NotEmpty(t, receipt.Logs)
	d, err := r.c.DisputeOf(ctx, id)
	require.NoError(t, err)
	require.Equal(t, uint8(want), d.Outcome)
	require.Equal(t, game, d.Game)
}

// proposal is the newest game of the devnet's proposer that nobody has resolved.
func (r *resolution) proposal(ctx context.Context) (game common.Address) {
	factory := r.d.Addresses()["DisputeGameFactoryProxy"]
	eventually(r.t, 2*time.Minute, "a proposal is open", func(context.Context) error {
		n := r.view(ctx, factory, "gameCount")[0].(*big.Int)
		if n.Sign() == 0 {
			return errors.New("no game")
		}
		at := r.view(ctx, factory, "gameAtIndex", n.Sub(n, common.Big1))[2].(common.Address)
		if r.view(ctx, at, "gameCreator")[0] != devnet.AccountOf(devnet.Proposer).Address || r.view(ctx, at, "status")[0] != uint8(0) {
			return errors.New("the newest game is no open one of the proposer")
		}
		game = at
		return nil
	})
	return game
}

// lie proposes a wrong output root, and then says nothing more: the challenger wins when this side's clock has run out.
func (r *resolution) lie(ctx context.Context) common.Address {
	t, factory := r.t, r.d.Addresses()["DisputeGameFactoryProxy"]
	var block uint64
	eventually(t, 2*time.Minute, "a block above the anchor is final", func(ctx context.Context) error {
		s := r.d.Status(ctx)
		if s.Sequencer == nil {
			return errors.New("no node")
		}
		anchor := r.view(ctx, r.d.Addresses()["AnchorStateRegistryProxy"], "anchors", r.gameType)[1].(*big.Int)
		if block = s.Sequencer.Finalized.Number; block <= anchor.Uint64()+1 {
			return fmt.Errorf("block %d is final, the anchor is at %v", block, anchor)
		}
		return nil
	})
	root, extra := [32]byte(crypto.Keccak256([]byte("a lie"))), common.BigToHash(new(big.Int).SetUint64(block)).Bytes()
	bond := r.view(ctx, factory, "initBonds", r.gameType)[0].(*big.Int)
	data, err := gamesABI.Pack("create", r.gameType, root, extra)
	require.NoError(t, err)
	from := devnet.AccountOf(devnet.Agent1)
	gas, err := r.l1.EstimateGas(ctx, ethereum.CallMsg{From: from.Address, To: &factory, Value: bond, Data: data})
	require.NoError(t, err)
	nonce, err := r.l1.PendingNonceAt(ctx, from.Address)
	require.NoError(t, err)
	id, err := r.l1.ChainID(ctx)
	require.NoError(t, err)
	tx := types.MustSignNewTx(from.Key, types.LatestSignerForChainID(id), &types.DynamicFeeTx{
		ChainID: id, Nonce: nonce, To: &factory, Value: bond, Data: data, Gas: gas + gas/5, GasTipCap: big.NewInt(1e9), GasFeeCap: big.NewInt(100e9),
	})
	require.NoError(t, r.l1.SendTransaction(ctx, tx))
	eventually(t, time.Minute, "the lie is on L1", func(ctx context.Context) error {
		receipt, err := r.l1.TransactionReceipt(ctx, tx.Hash())
		if err == nil && receipt.Status != types.ReceiptStatusSuccessful {
			t.Fatal("the factory refused the game")
		}
		return err
	})
	return r.view(ctx, factory, "games", r.gameType, root, extra)[0].(common.Address)
}

func (r *resolution) view(ctx context.Context, at common.Address, method string, args ...any) []any {
	data, err := gamesABI.Pack(method, args...)
	require.NoError(r.t, err)
	out, err := r.l1.CallContract(ctx, ethereum.CallMsg{To: &at, Data: data}, nil)
	require.NoError(r.t, err)
	values, err := gamesABI.Unpack(method, out)
	require.NoError(r.t, err)
	return values
}
