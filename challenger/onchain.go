package challenger

import (
	"context"
	"errors"
	"fmt"
	"math/big"

	"github.com/ethereum-optimism/optimism/op-challenger/game/fault/contracts"
	"github.com/ethereum-optimism/optimism/op-service/sources/batching"
	"github.com/ethereum-optimism/optimism/op-service/sources/batching/rpcblock"
	"github.com/ethereum-optimism/optimism/packages/contracts-bedrock/snapshots"
	"github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/rpc"
)

// ErrStepDiffers says that L1's verifier does not make of a step what the trace says.
var ErrStepDiffers = errors.New("step on L1 differs from the trace")

// stepCaller plays the game towards the verifier when there is none: an address whose code answers l2BlockNumber().
var stepCaller = common.HexToAddress("0x00000000000000000000000000000000a62c57e9")

// stepContext names the disputed pair of outputs in the oracle of a call that is only simulated.
var stepContext = crypto.Keccak256Hash([]byte("challenger step"))

// Storage slots of OP's PreimageOracle.
const (
	slotLengths = iota
	slotParts
	slotPartOk
)

var stepABI = func() abi.Method {
	b, _ := abi.NewType("bytes", "", nil)
	w, _ := abi.NewType("bytes32", "", nil)
	return abi.NewMethod("step", "step", abi.Function, "nonpayable", false, false, abi.Arguments{{Type: b}, {Type: b}, {Type: w}}, abi.Arguments{{Type: w}})
}()

// StepResult is one step on L1.
type StepResult struct {
	Verifier     common.Address
	StateBytes   int
	WitnessBytes int
	Before       common.Hash // state before the step
	After        common.Hash // state after it, by the trace and by L1
	Gas          uint64      // of the call of step() in a transaction of its own; 0 if L1 does not estimate with overridden state
}

// VerifyStep executes step i of a trace here, if the trace can, and on L1's verifier of the factory's current game, without a transaction: the game's
// local data, and the game if there is none, are put there for the call only.
func (c *Clients) VerifyStep(ctx context.Context, m *Metrics, factory common.Address, gameType uint32, t Trace, in TraceInputs, prover Prover, i uint64) (*StepResult, error) {
	state, witness, err := t.StepData(ctx, i)
	if err != nil {
		return nil, fmt.Errorf("step %d: %w", i, err)
	}
	r := &StepResult{StateBytes: len(state), WitnessBytes: len(witness), Before: prover.AbsolutePrestate()}
	if i > 0 {
		if r.Before, err = t.StateHash(ctx, i-1); err != nil {
			return nil, fmt.Errorf("state before step %d: %w", i, err)
		}
	}
	if h := crypto.Keccak256Hash(state); [31]byte(h[1:]) != [31]byte(r.Before[1:]) {
		return nil, fmt.Errorf("%w: state before step %d hashes to %s, the trace says %s", ErrTrace, i, h, r.Before)
	}
	if r.After, err = t.StateHash(ctx, i); err != nil {
		return nil, fmt.Errorf("state after step %d: %w", i, err)
	}
	if checker, ok := t.(Checker); ok {
		if err := checker.CheckStep(ctx, i); err != nil {
			return nil, err
		}
	}
	oracle, err := c.verifier(ctx, m, factory, gameType, in.Game, r)
	if err != nil {
		return nil, err
	}
	caller, overrides := in.Game, map[common.Address]map[string]any{}
	if caller == (common.Address{}) {
		caller = stepCaller
		overrides[caller] = map[string]any{"code": hexutil.Bytes(answer(in.ClaimedBlock))}
	}
	overrides[oracle] = map[string]any{"stateDiff": localOverrides(caller, in)}
	packed, err := stepABI.Inputs.Pack(state, witness, [32]byte(stepContext))
	if err != nil {
		return nil, err
	}
	call := map[string]any{"from": caller, "to": r.Verifier, "data": hexutil.Bytes(append(append([]byte{}, stepABI.ID...), packed...))}
	var out hexutil.Bytes
	if err := c.Eth.Client().CallContext(ctx, &out, "eth_call", call, "latest", overrides); err != nil {
		var data rpc.DataError
		if errors.As(err, &data) {
			return nil, fmt.Errorf("step %d on verifier %s: %w (%v)", i, r.Verifier, err, data.ErrorData())
		}
		return nil, fmt.Errorf("step %d on verifier %s: %w", i, r.Verifier, err)
	}
	if got := common.BytesToHash(out); len(out) != 32 || got != r.After {
		return nil, fmt.Errorf("%w: step %d is %s, the trace says %s", ErrStepDiffers, i, got, r.After)
	}
	var gas hexutil.Uint64
	if c.Eth.Client().CallContext(ctx, &gas, "eth_estimateGas", call, "latest", overrides) == nil {
		r.Gas = uint64(gas)
	}
	return r, nil
}

// verifier finds the machine of a game, or of the factory's current implementation, and its oracle.
func (c *Clients) verifier(ctx context.Context, m *Metrics, factory common.Address, gameType uint32, game common.Address, r *StepResult) (oracle common.Address, err error) {
	if game == (common.Address{}) {
		out, err := c.Caller.SingleCall(ctx, rpcblock.Latest, batching.NewBoundContract(snapshots.LoadDisputeGameFactoryABI(), factory).Call("gameImpls", gameType))
		if err != nil {
			return oracle, fmt.Errorf("game implementation: %w", err)
		}
		if game = out.GetAddress(0); game == (common.Address{}) {
			return oracle, fmt.Errorf("%w: factory %s has no game of type %d", ErrConfig, factory, gameType)
		}
	}
	g, err := contracts.NewFaultDisputeGameContract(ctx, m, game, c.Caller)
	if err != nil {
		return oracle, fmt.Errorf("game %s: %w", game, err)
	}
	vm, err := g.Vm(ctx)
	if err != nil {
		return oracle, fmt.Errorf("verifier of game %s: %w", game, err)
	}
	r.Verifier = vm.Addr()
	o, err := vm.Oracle(ctx)
	if err != nil {
		return oracle, fmt.Errorf("oracle of verifier %s: %w", r.Verifier, err)
	}
	return o.Addr(), nil
}

// answer is code that returns n to l2BlockNumber() and reverts on everything else.
func answer(n uint64) []byte {
	selector := crypto.Keccak256([]byte("l2BlockNumber()"))[:4]
	code := []byte{0x5f, 0x35, 0x60, 0xe0, 0x1c, 0x63} // PUSH0 CALLDATALOAD PUSH1 224 SHR PUSH4
	code = append(code, selector...)
	code = append(code, 0x14, 0x60, 0x11, 0x57, 0x5f, 0x5f, 0xfd, 0x5b, 0x67) // EQ PUSH1 17 JUMPI PUSH0 PUSH0 REVERT JUMPDEST PUSH8
	code = append(code, common.BigToHash(new(big.Int).SetUint64(n)).Bytes()[24:]...)
	return append(code, 0x5f, 0x52, 0x60, 0x20, 0x5f, 0xf3) // PUSH0 MSTORE PUSH1 32 PUSH0 RETURN
}

// localOverrides are the storage words of the oracle that a game's addLocalData would write, for caller and stepContext.
func localOverrides(caller common.Address, in TraceInputs) map[common.Hash]common.Hash {
	out := map[common.Hash]common.Hash{}
	word := func(n uint64) []byte { return common.BigToHash(new(big.Int).SetUint64(n)).Bytes() }
	for ident, value := range map[uint64]common.Hash{LocalL1Head: in.L1Head, LocalStartingRoot: in.Agreed, LocalDisputedRoot: in.Disputed} {
		name := localData(ident).OracleKey
		key := crypto.Keccak256Hash(name, common.LeftPadBytes(caller[:], 32), stepContext[:])
		key[0] = 1 // PreimageKeyLib: local
		nested := func(slot uint64) common.Hash {
			return crypto.Keccak256Hash(word(LocalDataOffset), crypto.Keccak256(key[:], word(slot)))
		}
		out[crypto.Keccak256Hash(key[:], word(slotLengths))] = common.BytesToHash(word(common.HashLength))
		out[nested(slotParts)] = value
		out[nested(slotPartOk)] = common.Hash{31: 1}
	}
	return out
}
