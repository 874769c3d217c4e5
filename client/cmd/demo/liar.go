package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"time"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/ethclient"
	"github.com/ethereum/go-ethereum/rpc"
)

// What the demo calls of OP's contracts.
var (
	gameABI = parseABI(`[
	{"type":"function","name":"rootClaim","stateMutability":"pure","inputs":[],"outputs":[{"type":"bytes32"}]},
	{"type":"function","name":"l2BlockNumber","stateMutability":"pure","inputs":[],"outputs":[{"type":"uint256"}]},
	{"type":"function","name":"startingBlockNumber","stateMutability":"view","inputs":[],"outputs":[{"type":"uint256"}]},
	{"type":"function","name":"splitDepth","stateMutability":"view","inputs":[],"outputs":[{"type":"uint256"}]},
	{"type":"function","name":"maxGameDepth","stateMutability":"view","inputs":[],"outputs":[{"type":"uint256"}]},
	{"type":"function","name":"maxClockDuration","stateMutability":"view","inputs":[],"outputs":[{"type":"uint64"}]},
	{"type":"function","name":"createdAt","stateMutability":"view","inputs":[],"outputs":[{"type":"uint64"}]},
	{"type":"function","name":"gameCreator","stateMutability":"pure","inputs":[],"outputs":[{"type":"address"}]},
	{"type":"function","name":"vm","stateMutability":"view","inputs":[],"outputs":[{"type":"address"}]},
	{"type":"function","name":"status","stateMutability":"view","inputs":[],"outputs":[{"type":"uint8"}]},
	{"type":"function","name":"credit","stateMutability":"view","inputs":[{"type":"address"}],"outputs":[{"type":"uint256"}]},
	{"type":"function","name":"claimDataLen","stateMutability":"view","inputs":[],"outputs":[{"type":"uint256"}]},
	{"type":"function","name":"claimData","stateMutability":"view","inputs":[{"type":"uint256"}],"outputs":[
		{"name":"parentIndex","type":"uint32"},{"name":"counteredBy","type":"address"},{"name":"claimant","type":"address"},
		{"name":"bond","type":"uint128"},{"name":"claim","type":"bytes32"},{"name":"position","type":"uint128"},{"name":"clock","type":"uint128"}]},
	{"type":"function","name":"getRequiredBond","stateMutability":"view","inputs":[{"type":"uint128"}],"outputs":[{"type":"uint256"}]},
	{"type":"function","name":"move","stateMutability":"payable","inputs":[{"name":"disputed","type":"bytes32"},{"name":"on","type":"uint256"},
		{"name":"claim","type":"bytes32"},{"name":"isAttack","type":"bool"}],"outputs":[]},
	{"type":"function","name":"attack","stateMutability":"payable","inputs":[{"name":"disputed","type":"bytes32"},{"name":"on","type":"uint256"},
		{"name":"claim","type":"bytes32"}],"outputs":[]},
	{"type":"function","name":"defend","stateMutability":"payable","inputs":[{"name":"disputed","type":"bytes32"},{"name":"on","type":"uint256"},
		{"name":"claim","type":"bytes32"}],"outputs":[]},
	{"type":"function","name":"step","stateMutability":"nonpayable","inputs":[{"name":"on","type":"uint256"},{"name":"isAttack","type":"bool"},
		{"name":"state","type":"bytes"},{"name":"proof","type":"bytes"}],"outputs":[]},
	{"type":"function","name":"addLocalData","stateMutability":"nonpayable","inputs":[{"name":"ident","type":"uint256"},{"name":"on","type":"uint256"},
		{"name":"offset","type":"uint256"}],"outputs":[]},
	{"type":"function","name":"resolveClaim","stateMutability":"nonpayable","inputs":[{"name":"on","type":"uint256"},{"name":"count","type":"uint256"}],"outputs":[]},
	{"type":"function","name":"resolve","stateMutability":"nonpayable","inputs":[],"outputs":[{"type":"uint8"}]},
	{"type":"function","name":"claimCredit","stateMutability":"nonpayable","inputs":[{"name":"recipient","type":"address"}],"outputs":[]}]`)
	factoryABI = parseABI(`[
	{"type":"function","name":"create","stateMutability":"payable","inputs":[{"type":"uint32"},{"type":"bytes32"},{"type":"bytes"}],"outputs":[{"type":"address"}]},
	{"type":"function","name":"initBonds","stateMutability":"view","inputs":[{"type":"uint32"}],"outputs":[{"type":"uint256"}]},
	{"type":"function","name":"games","stateMutability":"view","inputs":[{"type":"uint32"},{"type":"bytes32"},{"type":"bytes"}],"outputs":[{"type":"address"},{"type":"uint64"}]},
	{"type":"function","name":"gameCount","stateMutability":"view","inputs":[],"outputs":[{"type":"uint256"}]},
	{"type":"function","name":"gameAtIndex","stateMutability":"view","inputs":[{"type":"uint256"}],"outputs":[{"type":"uint32"},{"type":"uint64"},{"type":"address"}]}]`)
	registryABI = parseABI(`[
	{"type":"function","name":"anchors","stateMutability":"view","inputs":[{"type":"uint32"}],"outputs":[{"type":"bytes32"},{"type":"uint256"}]}]`)
)

func parseABI(json string) abi.ABI {
	a, err := abi.JSON(strings.NewReader(json))
	if err != nil {
		panic(err)
	}
	return a
}

// errReverted is a transaction that L1 would refuse or did refuse.
var errReverted = errors.New("reverted")

// chainL1 is L1 as a player of dispute games sees it.
type chainL1 struct {
	c  *ethclient.Client
	id *big.Int
}

func callTo(to common.Address, data []byte) ethereum.CallMsg {
	return ethereum.CallMsg{To: &to, Data: data}
}

// view calls a contract and returns its results.
func (l *chainL1) view(ctx context.Context, a abi.ABI, at common.Address, method string, args ...any) ([]any, error) {
	data, err := a.Pack(method, args...)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", method, err)
	}
	out, err := l.c.CallContract(ctx, callTo(at, data), nil)
	if err != nil {
		return nil, fmt.Errorf("%s of %v: %w", method, at, err)
	}
	v, err := a.Unpack(method, out)
	if err != nil {
		return nil, fmt.Errorf("%s of %v: %w", method, at, err)
	}
	return v, nil
}

func (l *chainL1) number(ctx context.Context, a abi.ABI, at common.Address, method string, args ...any) (uint64, error) {
	v, err := l.view(ctx, a, at, method, args...)
	if err != nil {
		return 0, err
	}
	switch n := v[0].(type) {
	case *big.Int:
		return n.Uint64(), nil
	case uint64:
		return n, nil
	case uint8:
		return uint64(n), nil
	}
	return 0, fmt.Errorf("%s of %v is a %T", method, at, v[0])
}

// send signs, sends and waits for the receipt.
func (l *chainL1) send(ctx context.Context, key *ecdsa.PrivateKey, to common.Address, value *big.Int, data []byte) (*types.Receipt, error) {
	from := crypto.PubkeyToAddress(key.PublicKey)
	gas, err := l.c.EstimateGas(ctx, ethereum.CallMsg{From: from, To: &to, Value: value, Data: data})
	if err != nil {
		var coded rpc.DataError
		if errors.As(err, &coded) || strings.Contains(err.Error(), "revert") {
			return nil, fmt.Errorf("%w: %w", errReverted, err)
		}
		return nil, err
	}
	nonce, err := l.c.PendingNonceAt(ctx, from)
	if err != nil {
		return nil, err
	}
	head, err := l.c.HeaderByNumber(ctx, nil)
	if err != nil {
		return nil, err
	}
	tip := big.NewInt(1e9)
	tx, err := types.SignNewTx(key, types.LatestSignerForChainID(l.id), &types.DynamicFeeTx{
		ChainID: l.id, Nonce: nonce, To: &to, Value: value, Data: data, Gas: gas + gas/4,
		GasTipCap: tip, GasFeeCap: new(big.Int).Add(tip, new(big.Int).Mul(head.BaseFee, big.NewInt(3))),
	})
	if err != nil {
		return nil, err
	}
	if err := l.c.SendTransaction(ctx, tx); err != nil {
		return nil, fmt.Errorf("send %v: %w", tx.Hash(), err)
	}
	for {
		if r, err := l.c.TransactionReceipt(ctx, tx.Hash()); err == nil {
			if r.Status != types.ReceiptStatusSuccessful {
				return r, fmt.Errorf("%w: %v", errReverted, tx.Hash())
			}
			return r, nil
		}
		if err := rest(ctx, 200*time.Millisecond); err != nil {
			return nil, fmt.Errorf("%v is not mined: %w", tx.Hash(), err)
		}
	}
}

// rest waits between two polls.
func rest(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// outputRoots asks a rollup node for output roots.
type outputRoots struct{ c *rpc.Client }

func (o outputRoots) at(ctx context.Context, block uint64) (common.Hash, error) {
	var out struct {
		OutputRoot common.Hash `json:"outputRoot"`
	}
	err := o.c.CallContext(ctx, &out, "optimism_outputAtBlock", hexutil.Uint64(block))
	if err == nil && out.OutputRoot == (common.Hash{}) {
		err = errors.New("empty answer")
	}
	if err != nil {
		return common.Hash{}, fmt.Errorf("output root of block %d: %w", block, err)
	}
	return out.OutputRoot, nil
}

// finalized is the newest L2 block that derives from finalized L1 blocks.
func (o outputRoots) finalized(ctx context.Context) (uint64, error) {
	var s struct {
		Finalized struct {
			Number uint64 `json:"number"`
		} `json:"finalized_l2"`
	}
	err := o.c.CallContext(ctx, &s, "optimism_syncStatus")
	return s.Finalized.Number, err
}

// liar plays a game dishonestly and well: it says the truth about all outputs before block from, and about all micro-steps
// before step; whatever is later it invents. So the dispute narrows down to that block, and to a step near that one.
type liar struct {
	l1      *chainL1
	key     *ecdsa.PrivateKey
	outputs outputRoots
	from    uint64
	step    uint64
}

func (p *liar) address() common.Address { return crypto.PubkeyToAddress(p.key.PublicKey) }

// invented is the output root that the liar claims for a block.
func (p *liar) invented(block uint64) common.Hash {
	return crypto.Keccak256Hash([]byte("a wrong output root"), p.address().Bytes(), new(big.Int).SetUint64(block).Bytes())
}

// claim is one of a game.
type claim struct {
	index       int
	parent      uint32
	counteredBy common.Address
	claimant    common.Address
	bond        *big.Int
	value       common.Hash
	at          position
}

func (l *chainL1) claim(ctx context.Context, game common.Address, i int) (claim, error) {
	v, err := l.view(ctx, gameABI, game, "claimData", big.NewInt(int64(i)))
	if err != nil {
		return claim{}, err
	}
	return claim{
		index: i, parent: v[0].(uint32), counteredBy: v[1].(common.Address), claimant: v[2].(common.Address), bond: v[3].(*big.Int),
		value: v[4].([32]byte), at: position{v[5].(*big.Int)},
	}, nil
}

// answer decides about a claim of the other side.
func (p *liar) answer(f field, c claim) (attack bool) {
	switch d := c.at.depth(); {
	case d == 0 || d == f.split+1:
		return true // the contract lets nobody defend these
	case d <= f.split:
		return f.block(c.at) >= p.from
	}
	return f.step(c.at).Cmp(new(big.Int).SetUint64(p.step)) >= 0
}

// values are what the liar may post at a position, in order of preference; the contract refuses some at the top of the lower
// half.
func (p *liar) values(ctx context.Context, f field, at position) ([]common.Hash, error) {
	if at.depth() <= f.split {
		if b := f.block(at); b >= p.from {
			return []common.Hash{p.invented(b)}, nil
		} else {
			right, err := p.outputs.at(ctx, b)
			return []common.Hash{right}, err
		}
	}
	v := crypto.Keccak256Hash([]byte("a wrong state"), at.Bytes())
	var out []common.Hash
	for _, status := range []byte{1, 0} { // invalid, valid
		v[0] = status
		out = append(out, v)
	}
	return out, nil
}

// respond answers a claim of the other side.
func (p *liar) respond(ctx context.Context, game common.Address, f field, c claim) error {
	attack := p.answer(f, c)
	at := c.at.move(attack)
	values, err := p.values(ctx, f, at)
	if err != nil {
		return err
	}
	bond, err := p.l1.view(ctx, gameABI, game, "getRequiredBond", at.Int)
	if err != nil {
		return err
	}
	for _, v := range values {
		data, err := gameABI.Pack("move", [32]byte(c.value), big.NewInt(int64(c.index)), [32]byte(v), attack)
		if err != nil {
			return err
		}
		_, err = p.l1.send(ctx, p.key, game, bond[0].(*big.Int), data)
		if err == nil || !errors.Is(err, errReverted) || bytes.Equal(v[:], values[len(values)-1][:]) {
			return err
		}
	}
	return nil
}
