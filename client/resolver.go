package client

import (
	"context"
	"errors"
	"fmt"
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/rpc"
)

// What DisputeResolver says of a game that cannot end a dispute (packages/contracts-bedrock-fork/src/interfaces/IDisputeResolver.sol).
var (
	ErrGameNotRegistered = errors.New("not a game of this system's factory")
	ErrGameTypeUnknown   = errors.New("a game of another type")
	ErrGameBlacklisted   = errors.New("the guardian has blacklisted the game")
	ErrGameRetired       = errors.New("the guardian has retired the game")
	// ErrGameInProgress: call again when the game is resolved.
	ErrGameInProgress = errors.New("the game is not resolved")
	// ErrGameNotFinal: the game is resolved; call again when the guardian can no longer blacklist it.
	ErrGameNotFinal = errors.New("the guardian may still blacklist the game")
)

var (
	resolverABI = mustABI(`[{"type":"function","name":"resolve","stateMutability":"nonpayable","inputs":[
		{"name":"target","type":"bytes32"},{"name":"game","type":"address"}],"outputs":[{"name":"upheld","type":"bool"}]},
		{"type":"error","name":"GameNotRegistered","inputs":[{"name":"game","type":"address"}]},
		{"type":"error","name":"GameTypeUnknown","inputs":[{"name":"game","type":"address"},{"name":"gameType","type":"uint32"}]},
		{"type":"error","name":"GameBlacklisted","inputs":[{"name":"game","type":"address"}]},
		{"type":"error","name":"GameRetired","inputs":[{"name":"game","type":"address"},{"name":"createdAt","type":"uint64"},{"name":"retiredUntil","type":"uint64"}]},
		{"type":"error","name":"GameInProgress","inputs":[{"name":"game","type":"address"}]},
		{"type":"error","name":"GameNotFinal","inputs":[{"name":"game","type":"address"},{"name":"finalAt","type":"uint256"}]}]`)
	gameErrors = map[string]error{
		"GameNotRegistered": ErrGameNotRegistered, "GameTypeUnknown": ErrGameTypeUnknown, "GameBlacklisted": ErrGameBlacklisted,
		"GameRetired": ErrGameRetired, "GameInProgress": ErrGameInProgress, "GameNotFinal": ErrGameNotFinal,
	}
)

// ResolveDispute ends a COMPUTATIONAL dispute with the outcome of the game that it names: DisputeResolver, at resolver on L1,
// deposits resolveDispute. Anyone may. WaitDeposit tells what L2 makes of it: the deposit fails there if the dispute names
// another game, or has ended.
func (d *Depositor) ResolveDispute(ctx context.Context, resolver common.Address, interaction common.Hash, game common.Address) (*Deposit, error) {
	data, err := resolverABI.Pack("resolve", interaction, game)
	if err != nil {
		return nil, fmt.Errorf("resolve dispute: %w", err)
	}
	receipt, err := d.s.transact(ctx, txRequest{op: "resolve dispute", to: resolver, value: new(big.Int), data: data})
	if err != nil {
		return nil, gameError(game, err)
	}
	return d.depositIn(receipt)
}

// gameError names the custom error that a call of DisputeResolver ended with.
func gameError(game common.Address, err error) error {
	var de rpc.DataError
	if !errors.As(err, &de) {
		return err
	}
	text, _ := de.ErrorData().(string)
	data, decodeErr := hexutil.Decode(text)
	if decodeErr != nil || len(data) < 4 {
		return err
	}
	e, unknown := resolverABI.ErrorByID([4]byte(data))
	if unknown != nil {
		return err
	}
	return fmt.Errorf("resolve dispute: game %v: %w", game, gameErrors[e.Name])
}

// depositIn finds the deposit that an L1 transaction made.
func (d *Depositor) depositIn(receipt *types.Receipt) (*Deposit, error) {
	for _, l := range receipt.Logs {
		if l.Address != d.l1.portal || len(l.Topics) == 0 || l.Topics[0] != depositTopic {
			continue
		}
		tx, err := DepositFromLog(l)
		if err != nil {
			return nil, fmt.Errorf("deposit: L1 transaction %v: %w", receipt.TxHash, err)
		}
		return &Deposit{L1Receipt: receipt, L2Hash: types.NewTx(tx).Hash()}, nil
	}
	return nil, fmt.Errorf("deposit: L1 transaction %v: %w: TransactionDeposited", receipt.TxHash, ErrUnexpectedReceipt)
}
