// Package engineapi is the engine's side of the Engine API (execution-apis; OP specs, "Engine API"): what the rollup node
// drives the chain with. It is served with JWT authentication only.
//
// The chain is at Isthmus from genesis, so payloads travel through forkchoiceUpdatedV3, newPayloadV4 and getPayloadV4. The
// older versions answer as the specification wants for a fork they do not know.
package engineapi

import (
	"context"
	"errors"
	"fmt"
	"math/big"

	"github.com/ethereum/go-ethereum/beacon/engine"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/log"

	"github.com/agnt2/agnt2/agnt2-engine/builder"
	"github.com/agnt2/agnt2/agnt2-engine/chain"
	"github.com/agnt2/agnt2/agnt2/block"
)

// API is registered as the namespace "engine".
type API struct {
	chain   *chain.Chain
	builder *builder.Builder
	chainID *big.Int
	version string
	log     log.Logger
}

// New returns the API. version names the engine to its client.
func New(c *chain.Chain, b *builder.Builder, version string, l log.Logger) *API {
	return &API{chain: c, builder: b, chainID: c.Config().ChainID, version: version, log: l}
}

var capabilities = []string{
	"engine_forkchoiceUpdatedV1", "engine_forkchoiceUpdatedV2", "engine_forkchoiceUpdatedV3",
	"engine_newPayloadV1", "engine_newPayloadV2", "engine_newPayloadV3", "engine_newPayloadV4",
	"engine_getPayloadV1", "engine_getPayloadV2", "engine_getPayloadV3", "engine_getPayloadV4",
	"engine_getPayloadBodiesByHashV1", "engine_getPayloadBodiesByRangeV1", "engine_getClientVersionV1",
}

// maxBodies is how many payload bodies one request may ask for (execution-apis, Shanghai).
const maxBodies = 1024

// ExchangeCapabilities lists the supported methods.
func (a *API) ExchangeCapabilities(_ []string) []string { return capabilities }

// GetClientVersionV1 names the engine.
func (a *API) GetClientVersionV1(_ engine.ClientVersionV1) []engine.ClientVersionV1 {
	return []engine.ClientVersionV1{{Code: "A2", Name: "agnt2-engine", Version: a.version, Commit: "0x00000000"}}
}

// ForkchoiceUpdatedV1 moves the head. Attributes of that version belong to forks that this chain never had.
func (a *API) ForkchoiceUpdatedV1(ctx context.Context, s engine.ForkchoiceStateV1, attrs *engine.PayloadAttributes) (engine.ForkChoiceResponse, error) {
	if attrs != nil {
		return engine.STATUS_INVALID, engine.UnsupportedFork.With(errors.New("use engine_forkchoiceUpdatedV3"))
	}
	return a.ForkchoiceUpdatedV3(ctx, s, nil)
}

// ForkchoiceUpdatedV2 is V1 on this chain.
func (a *API) ForkchoiceUpdatedV2(ctx context.Context, s engine.ForkchoiceStateV1, attrs *engine.PayloadAttributes) (engine.ForkChoiceResponse, error) {
	return a.ForkchoiceUpdatedV1(ctx, s, attrs)
}

// ForkchoiceUpdatedV3 makes a known block the head, moves the labels and starts a payload if attributes are given. When it
// answers VALID, all of that is on disk.
func (a *API) ForkchoiceUpdatedV3(_ context.Context, s engine.ForkchoiceStateV1, attrs *engine.PayloadAttributes) (engine.ForkChoiceResponse, error) {
	if s.HeadBlockHash == (common.Hash{}) {
		return engine.STATUS_INVALID, nil
	}
	head := a.chain.HeaderByHash(s.HeadBlockHash)
	if head == nil { // before the attributes are looked at, as the specification asks
		a.log.Info("Forkchoice names an unknown head", "hash", s.HeadBlockHash)
		return engine.STATUS_SYNCING, nil
	}
	if err := a.chain.SetLabels(s.HeadBlockHash, s.SafeBlockHash, s.FinalizedBlockHash); err != nil {
		switch {
		case errors.Is(err, chain.ErrNotCanonical), errors.Is(err, chain.ErrUnknownBlock):
			return engine.STATUS_INVALID, engine.InvalidForkChoiceState.With(err)
		case errors.Is(err, chain.ErrUnknownParent):
			return engine.STATUS_SYNCING, nil
		}
		return engine.STATUS_INVALID, engine.GenericServerError.With(err)
	}
	a.builder.HeadChanged(s.HeadBlockHash)
	r := engine.ForkChoiceResponse{PayloadStatus: engine.PayloadStatusV1{Status: engine.VALID, LatestValidHash: &s.HeadBlockHash}}
	if attrs == nil {
		return r, nil
	}
	id, err := a.start(head, attrs)
	if err != nil {
		a.log.Warn("Payload attributes refused", "parent", s.HeadBlockHash, "err", err)
		return r, engine.InvalidPayloadAttributes.With(err)
	}
	r.PayloadID = &id
	return r, nil
}

func (a *API) start(parent *types.Header, p *engine.PayloadAttributes) (id engine.PayloadID, err error) {
	switch {
	case p.Withdrawals == nil || len(p.Withdrawals) > 0:
		return id, errors.New("withdrawals must be an empty list")
	case p.BeaconRoot == nil:
		return id, errors.New("parentBeaconBlockRoot is missing")
	case p.GasLimit == nil:
		return id, errors.New("gasLimit is missing")
	case len(p.EIP1559Params) != 8:
		return id, fmt.Errorf("eip1559Params has %d bytes, want 8", len(p.EIP1559Params))
	case p.MinBaseFee != nil:
		return id, errors.New("minBaseFee belongs to Jovian, which is not active")
	}
	b := &block.Attributes{
		Timestamp: p.Timestamp, Random: p.Random, FeeRecipient: p.SuggestedFeeRecipient, BeaconRoot: *p.BeaconRoot,
		GasLimit: *p.GasLimit, EIP1559Params: [8]byte(p.EIP1559Params), HasEIP1559Params: true,
	}
	forced, err := a.chain.Decode(p.Transactions)
	if err != nil {
		return id, err
	}
	return a.builder.Start(parent, b, forced, p.NoTxPool)
}

// NewPayloadV1 to V3 belong to forks that this chain never had.
func (a *API) NewPayloadV1(_ context.Context, _ engine.ExecutableData) (engine.PayloadStatusV1, error) {
	return oldPayload()
}

func (a *API) NewPayloadV2(_ context.Context, _ engine.ExecutableData) (engine.PayloadStatusV1, error) {
	return oldPayload()
}

func (a *API) NewPayloadV3(_ context.Context, _ engine.ExecutableData, _ []common.Hash, _ *common.Hash) (engine.PayloadStatusV1, error) {
	return oldPayload()
}

func oldPayload() (engine.PayloadStatusV1, error) {
	return engine.PayloadStatusV1{Status: engine.INVALID}, engine.UnsupportedFork.With(errors.New("use engine_newPayloadV4"))
}

// NewPayloadV4 executes a block in full and keeps it.
func (a *API) NewPayloadV4(_ context.Context, p engine.ExecutableData, versionedHashes []common.Hash, beaconRoot *common.Hash, requests []hexutil.Bytes) (engine.PayloadStatusV1, error) {
	switch {
	case p.Withdrawals == nil || len(p.Withdrawals) > 0:
		return engine.PayloadStatusV1{Status: engine.INVALID}, engine.InvalidParams.With(errors.New("withdrawals must be an empty list"))
	case p.WithdrawalsRoot == nil:
		return engine.PayloadStatusV1{Status: engine.INVALID}, engine.InvalidParams.With(errors.New("withdrawalsRoot is missing"))
	case p.ExcessBlobGas == nil || p.BlobGasUsed == nil:
		return engine.PayloadStatusV1{Status: engine.INVALID}, engine.InvalidParams.With(errors.New("blob gas fields are missing"))
	case versionedHashes == nil || len(versionedHashes) > 0:
		return engine.PayloadStatusV1{Status: engine.INVALID}, engine.InvalidParams.With(errors.New("versioned hashes must be an empty list"))
	case beaconRoot == nil:
		return engine.PayloadStatusV1{Status: engine.INVALID}, engine.InvalidParams.With(errors.New("parentBeaconBlockRoot is missing"))
	case requests == nil || len(requests) > 0:
		return engine.PayloadStatusV1{Status: engine.INVALID}, engine.InvalidParams.With(errors.New("execution requests must be an empty list"))
	}
	if a.chain.State().Known(p.BlockHash) { // built here or executed before: the hash covers everything
		return engine.PayloadStatusV1{Status: engine.VALID, LatestValidHash: &p.BlockHash}, nil
	}
	raws := p.Transactions
	p.Transactions = nil // go-ethereum would decode them; their root is set below
	b, err := engine.ExecutableDataToBlockNoHash(p, versionedHashes, beaconRoot, [][]byte{}, a.chain.Config())
	if err != nil {
		return a.invalid(p.ParentHash, err), nil
	}
	h := b.Header()
	h.TxHash = block.TransactionsRoot(raws)
	if got := h.Hash(); got != p.BlockHash {
		return a.invalid(p.ParentHash, fmt.Errorf("block hash mismatch: blockHash is %s, the fields give %s", p.BlockHash, got)), nil
	}
	err = a.chain.Insert(h, raws)
	switch {
	case err == nil:
		return engine.PayloadStatusV1{Status: engine.VALID, LatestValidHash: &p.BlockHash}, nil
	case errors.Is(err, chain.ErrUnknownParent):
		a.log.Info("Payload with an unknown parent", "number", p.Number, "hash", p.BlockHash, "parent", p.ParentHash)
		return engine.PayloadStatusV1{Status: engine.SYNCING}, nil
	case errors.Is(err, chain.ErrInvalid):
		return a.invalid(p.ParentHash, err), nil
	}
	return engine.PayloadStatusV1{Status: engine.INVALID}, engine.GenericServerError.With(err)
}

func (a *API) invalid(parent common.Hash, err error) engine.PayloadStatusV1 {
	a.log.Warn("Invalid payload", "err", err)
	msg := err.Error()
	s := engine.PayloadStatusV1{Status: engine.INVALID, ValidationError: &msg}
	if a.chain.HeaderByHash(parent) != nil {
		s.LatestValidHash = &parent
	}
	return s
}

// GetPayloadV1 to V3 belong to forks that this chain never had.
func (a *API) GetPayloadV1(_ engine.PayloadID) (*engine.ExecutableData, error) { return nil, oldGet() }

func (a *API) GetPayloadV2(_ engine.PayloadID) (*engine.ExecutionPayloadEnvelope, error) {
	return nil, oldGet()
}

func (a *API) GetPayloadV3(_ engine.PayloadID) (*engine.ExecutionPayloadEnvelope, error) {
	return nil, oldGet()
}

func oldGet() error { return engine.UnsupportedFork.With(errors.New("use engine_getPayloadV4")) }

// GetPayloadV4 ends a payload and returns it.
func (a *API) GetPayloadV4(id engine.PayloadID) (*engine.ExecutionPayloadEnvelope, error) {
	x, err := a.builder.Resolve(id)
	switch {
	case errors.Is(err, builder.ErrUnknownPayload):
		return nil, engine.UnknownPayload.With(err)
	case err != nil:
		return nil, engine.GenericServerError.With(err)
	}
	// The transactions are at hand as bytes: go-ethereum would encode them again.
	empty := types.NewBlockWithHeader(x.Header).WithBody(types.Body{Withdrawals: types.Withdrawals{}})
	env := engine.BlockToExecutableData(empty, fees(x), nil, [][]byte{})
	env.ParentBeaconBlockRoot = x.Header.ParentBeaconRoot
	env.ExecutionPayload.Transactions = x.Raws
	return env, nil
}

// fees is the sum of the priority fees.
func fees(x *chain.Executed) *big.Int {
	var tip, gas big.Int
	sum, baseFee := new(big.Int), x.Header.BaseFee
	for _, r := range x.Receipts {
		if r.Type == types.DepositTxType || r.GasUsed == 0 {
			continue
		}
		tip.Sub(r.EffectiveGasPrice, baseFee)
		sum.Add(sum, tip.Mul(&tip, gas.SetUint64(r.GasUsed)))
	}
	return sum
}

// GetPayloadBodiesByHashV1 returns bodies of known blocks, null for others.
func (a *API) GetPayloadBodiesByHashV1(hashes []common.Hash) ([]*engine.ExecutionPayloadBody, error) {
	if len(hashes) > maxBodies {
		return nil, engine.TooLargeRequest.With(fmt.Errorf("%d bodies, at most %d", len(hashes), maxBodies))
	}
	out := make([]*engine.ExecutionPayloadBody, len(hashes))
	for i, h := range hashes {
		out[i] = body(a.chain.Executed(h))
	}
	return out, nil
}

// GetPayloadBodiesByRangeV1 returns bodies of canonical blocks up to the head.
func (a *API) GetPayloadBodiesByRangeV1(start, count hexutil.Uint64) ([]*engine.ExecutionPayloadBody, error) {
	switch {
	case start == 0 || count == 0:
		return nil, engine.InvalidParams.With(fmt.Errorf("start %d, count %d", start, count))
	case count > maxBodies:
		return nil, engine.TooLargeRequest.With(fmt.Errorf("%d bodies, at most %d", count, maxBodies))
	}
	var out []*engine.ExecutionPayloadBody
	for n := uint64(start); n < uint64(start)+uint64(count); n++ {
		h := a.chain.CanonicalHash(n)
		if h == (common.Hash{}) {
			break
		}
		out = append(out, body(a.chain.Executed(h)))
	}
	return out, nil
}

func body(x *chain.Executed) *engine.ExecutionPayloadBody {
	if x == nil {
		return nil
	}
	out := &engine.ExecutionPayloadBody{Withdrawals: []*types.Withdrawal{}, TransactionData: []hexutil.Bytes{}}
	for _, raw := range x.Raws {
		out.TransactionData = append(out.TransactionData, raw)
	}
	return out
}
