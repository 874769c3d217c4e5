package ethapi

import (
	"context"
	"fmt"
	"maps"
	"math/big"
	"reflect"
	"unicode"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/rpc"
	"github.com/holiman/uint256"

	"github.com/agnt2/agnt2/agnt2/abi/codec"
	"github.com/agnt2/agnt2/agnt2/record"
)

// Names of the status numbers of IAGNT2.sol, by value.
var (
	agentStatus       = []string{"none", "active", "deregistered"}
	interactionStatus = []string{"none", "pending", "completed", "errored", "timedOutGracefully", "parseFailed", "rejected", "timedOut", "tentative", "opened", "reverted"}
)

// statusPruned is an interaction whose record the trie has dropped, though its transactions are known.
const statusPruned = "pruned"

func statusName(names []string, s uint8) string {
	if int(s) < len(names) {
		return names[s]
	}
	return fmt.Sprintf("status%d", s)
}

// AgentInfo is what agnt2_getAgent answers. Amounts are wei, times Unix seconds, the score 1/10000.
type AgentInfo struct {
	Address         common.Address `json:"address"`
	AgentID         common.Hash    `json:"agentId"`
	Status          string         `json:"status"`
	Owner           common.Address `json:"owner"`
	Wallet          common.Address `json:"wallet"`
	Delegated       bool           `json:"delegated"`
	Name            string         `json:"name"`
	Version         string         `json:"version"`
	AgentURI        string         `json:"agentURI"`
	ImageDigest     common.Hash    `json:"imageDigest"`
	RegisteredAt    hexutil.Uint64 `json:"registeredAt"`
	DeregisteredAt  hexutil.Uint64 `json:"deregisteredAt"`
	LastHeartbeat   hexutil.Uint64 `json:"lastHeartbeat"`
	CapabilityCount hexutil.Uint64 `json:"capabilityCount"`
	Nonce           hexutil.Uint64 `json:"nonce"`
	BalanceWei      *hexutil.Big   `json:"balanceWei"`
	StakeWei        *hexutil.Big   `json:"stakeWei"`
	EscrowedWei     *hexutil.Big   `json:"escrowedWei"`
	PendingInvokes  hexutil.Uint64 `json:"pendingInvokes"`
	Score           hexutil.Uint64 `json:"score"`
	Reputation      map[string]any `json:"reputation"`
	BlockNumber     *hexutil.Big   `json:"blockNumber"`
	BlockHash       common.Hash    `json:"blockHash"`
}

// GetAgent implements agnt2_getAgent: identity, economics and reputation of an agent; null if there is none.
func (x *agnt2API) GetAgent(who common.Address, at *rpc.BlockNumberOrHash) (*AgentInfo, error) {
	r, h, err := x.a.records(at)
	if err != nil {
		return nil, err
	}
	if r.Get(record.AgentKey(who)) == nil {
		return nil, nil
	}
	view, err := agentView(r, who)
	if err != nil {
		return nil, err
	}
	acc, err := account(r, who)
	if err != nil {
		return nil, err
	}
	rep, score, err := x.a.reputation(r, who, h.Time)
	if err != nil {
		return nil, err
	}
	return &AgentInfo{
		Address: who, AgentID: common.BytesToHash(who[:]), Status: statusName(agentStatus, view.Status), Owner: view.Owner,
		Wallet: view.Wallet, Delegated: acc.Owner != common.Address{},
		Name: view.Name, Version: view.Version, AgentURI: view.AgentURI, ImageDigest: view.ImageDigest,
		RegisteredAt: hexutil.Uint64(view.RegisteredAt), DeregisteredAt: hexutil.Uint64(view.DeregisteredAt),
		LastHeartbeat: hexutil.Uint64(view.LastHeartbeat), CapabilityCount: hexutil.Uint64(view.CapabilityCount),
		Nonce: hexutil.Uint64(acc.Nonce), BalanceWei: wei(&acc.Balance), StakeWei: wei(&acc.Stake), EscrowedWei: wei(&acc.Escrowed),
		PendingInvokes: hexutil.Uint64(acc.PendingInvokes), Score: hexutil.Uint64(score), Reputation: fields(rep),
		BlockNumber: (*hexutil.Big)(h.Number), BlockHash: h.Hash(),
	}, nil
}

func wei(v *uint256.Int) *hexutil.Big { return (*hexutil.Big)(v.ToBig()) }

// InteractionInfo is what agnt2_getInteraction answers: the record's fields, and the transactions that made them, null
// where there is none. A timed-out interaction was settled by the L1-attributes deposit of its settle block.
type InteractionInfo struct {
	ID            common.Hash     `json:"id"`
	Status        string          `json:"status"`
	Caller        common.Address  `json:"caller"`
	Callee        common.Address  `json:"callee"`
	Capability    common.Hash     `json:"capability"`
	ParamsHash    common.Hash     `json:"paramsHash"`
	ResultHash    common.Hash     `json:"resultHash"`
	PaymentWei    *hexutil.Big    `json:"paymentWei"`
	InvokedAt     hexutil.Uint64  `json:"invokedAt"`
	Deadline      hexutil.Uint64  `json:"deadline"`
	SettledAt     hexutil.Uint64  `json:"settledAt"`
	Branch        hexutil.Uint64  `json:"branch"`
	CompositionID common.Hash     `json:"compositionId"`
	InvokeTx      *common.Hash    `json:"invokeTransaction"`
	InvokeBlock   *hexutil.Uint64 `json:"invokeBlock"`
	SettleTx      *common.Hash    `json:"settleTransaction"`
	SettleBlock   *hexutil.Uint64 `json:"settleBlock"`
	BlockNumber   *hexutil.Big    `json:"blockNumber"`
	BlockHash     common.Hash     `json:"blockHash"`
}

// GetInteraction implements agnt2_getInteraction; null if there is no such interaction. Status "pruned" means that only
// its transactions are known any more.
func (x *agnt2API) GetInteraction(id common.Hash, at *rpc.BlockNumberOrHash) (*InteractionInfo, error) {
	r, h, err := x.a.records(at)
	if err != nil {
		return nil, err
	}
	rec, err := read(r, record.InteractionKey(id), record.DecodeInteraction)
	if err != nil {
		return nil, err
	}
	trace, known := x.a.b.Interaction(id)
	invokeTx, invokeBlock := traced(trace.InvokeTx, trace.InvokeBlock, h)
	settleTx, settleBlock := traced(trace.SettleTx, trace.SettleBlock, h)
	if rec == nil && (!known || invokeTx == nil) {
		return nil, nil
	}
	out := &InteractionInfo{
		ID: id, Status: statusPruned, PaymentWei: new(hexutil.Big), BlockNumber: (*hexutil.Big)(h.Number), BlockHash: h.Hash(),
		InvokeTx: invokeTx, InvokeBlock: invokeBlock, SettleTx: settleTx, SettleBlock: settleBlock,
	}
	if rec != nil {
		if err := settled(r, rec); err != nil {
			return nil, err
		}
		out.Status, out.Caller, out.Callee = statusName(interactionStatus, rec.Status), rec.Caller, rec.Callee
		out.Capability, out.ParamsHash, out.ResultHash = rec.Capability, rec.ParamsHash, rec.ResultHash
		out.PaymentWei, out.InvokedAt, out.Deadline = wei(&rec.PaymentWei), hexutil.Uint64(rec.InvokedAt), hexutil.Uint64(rec.Deadline)
		out.SettledAt, out.Branch, out.CompositionID = hexutil.Uint64(rec.SettledAt), hexutil.Uint64(rec.Branch), rec.CompositionId
	}
	return out, nil
}

// traced hides what had not happened at the block asked for.
func traced(tx common.Hash, block uint64, at *types.Header) (*common.Hash, *hexutil.Uint64) {
	if tx == (common.Hash{}) || block > at.Number.Uint64() {
		return nil, nil
	}
	n := hexutil.Uint64(block)
	return &tx, &n
}

// RecordInfo is what agnt2_getRecord answers. Value and Decoded are null for an absent record.
type RecordInfo struct {
	Key         common.Hash    `json:"key"`
	Namespace   string         `json:"namespace"`
	Value       *hexutil.Bytes `json:"value"`
	Decoded     map[string]any `json:"decoded"`
	BlockNumber *hexutil.Big   `json:"blockNumber"`
	BlockHash   common.Hash    `json:"blockHash"`
}

// GetRecord implements agnt2_getRecord: one record by its trie key, raw and decoded.
func (x *agnt2API) GetRecord(key common.Hash, at *rpc.BlockNumberOrHash) (*RecordInfo, error) {
	r, h, err := x.a.records(at)
	if err != nil {
		return nil, err
	}
	out := &RecordInfo{
		Key: key, Namespace: record.Namespace(key[0]).String(), BlockNumber: (*hexutil.Big)(h.Number), BlockHash: h.Hash(),
	}
	if raw := r.Get(record.Key(key)); raw != nil {
		out.Value = (*hexutil.Bytes)(&raw)
		if out.Decoded, err = decoded(record.Key(key), raw); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// decoders by namespace; the global namespace has one for each key.
var decoders = map[record.Namespace]func([]byte) (any, error){
	record.NSAccount:          decoderOf(record.DecodeAccount),
	record.NSAgent:            decoderOf(record.DecodeAgent),
	record.NSAgentURI:         decoderOf(record.DecodeAgentURI),
	record.NSMetadata:         decoderOf(record.DecodeMetadata),
	record.NSCapability:       decoderOf(record.DecodeCapability),
	record.NSCapabilityDetail: decoderOf(record.DecodeCapabilityDetail),
	record.NSReputation:       decoderOf(record.DecodeReputation),
	record.NSPair:             decoderOf(record.DecodePair),
	record.NSDelegation:       decoderOf(record.DecodeDelegation),
	record.NSSession:          decoderOf(record.DecodeSession),
	record.NSWallet:           decoderOf(record.DecodeWallet),
	record.NSHolding:          decoderOf(record.DecodeHolding),
	record.NSInteraction:      decoderOf(record.DecodeInteraction),
	record.NSDeadline:         decoderOf(record.DecodeDeadline),
	record.NSChannel:          decoderOf(record.DecodeChannel),
	record.NSChannelPair:      decoderOf(record.DecodeChannelPair),
	record.NSDispute:          decoderOf(record.DecodeDispute),
	record.NSIndex:            decoderOf(record.DecodeIndexSlot),
	record.NSIndexCount:       decoderOf(record.DecodeIndexCount),
	record.NSCommitment:       decoderOf(record.DecodeCommitment),
	record.NSComposition:      decoderOf(record.DecodeComposition),
	record.NSConstituent:      decoderOf(record.DecodeConstituent),
	record.NSForeign:          decoderOf(record.DecodeForeign),
	record.NSFeedback:         decoderOf(record.DecodeFeedback),
	record.NSFeedbackCount:    decoderOf(record.DecodeFeedbackCount),
	record.NSRating:           decoderOf(record.DecodeRating),
	record.NSResponseCount:    decoderOf(record.DecodeResponseCount),
	record.NSListCount:        decoderOf(record.DecodeListCount),
	record.NSListEntry:        decoderOf(record.DecodeListEntry),
	record.NSValidation:       decoderOf(record.DecodeValidation),
}

var globalDecoders = map[record.Key]func([]byte) (any, error){
	record.ParamsKey:  decoderOf(record.DecodeParams),
	record.PolicyKey:  decoderOf(record.DecodePolicy),
	record.TotalsKey:  decoderOf(record.DecodeTotals),
	record.L1InfoKey:  decoderOf(record.DecodeL1Info),
	record.HistoryKey: decoderOf(record.DecodeHistory),
}

func decoderOf[T any](decode func([]byte) (T, error)) func([]byte) (any, error) {
	return func(b []byte) (any, error) { return decode(b) }
}

// decoded names a record's fields; nil if the namespace is unknown to this version.
func decoded(key record.Key, raw []byte) (map[string]any, error) {
	decode := globalDecoders[key]
	if decode == nil {
		decode = decoders[record.Namespace(key[0])]
	}
	if decode == nil {
		return nil, nil
	}
	x, err := decodeRecord(key, raw, decode)
	if err != nil {
		return nil, err
	}
	return fields(x), nil
}

// fields shows a record with its fields' names as in IRecords.sol and values as JSON-RPC quantities and bytes.
func fields(rec any) map[string]any {
	v := reflect.ValueOf(rec)
	out := make(map[string]any, v.NumField())
	for i := range v.NumField() {
		name := []rune(v.Type().Field(i).Name)
		name[0] = unicode.ToLower(name[0])
		out[string(name)] = shown(v.Field(i))
	}
	return out
}

func shown(v reflect.Value) any {
	switch x := v.Interface().(type) {
	case uint256.Int:
		return wei(&x)
	case common.Hash, common.Address, string, bool:
		return x
	case codec.Int128: // quantities have no sign
		return x.String()
	case []byte:
		return hexutil.Bytes(x)
	}
	if v.CanUint() {
		return hexutil.Uint64(v.Uint())
	}
	list := make([]any, v.Len()) // the records' only other type is an array
	for i := range list {
		list[i] = shown(v.Index(i))
	}
	return list
}

// ProofInfo is what agnt2_getProof answers. Proof is the canonical encoding that the verifiers take; depth, bitmap,
// siblings and other are the same proof taken apart.
type ProofInfo struct {
	Key         common.Hash    `json:"key"`
	Value       *hexutil.Bytes `json:"value"` // null: the proof shows that the key is absent
	StateRoot   common.Hash    `json:"stateRoot"`
	BlockNumber *hexutil.Big   `json:"blockNumber"`
	BlockHash   common.Hash    `json:"blockHash"`
	Proof       hexutil.Bytes  `json:"proof"`
	Depth       hexutil.Uint64 `json:"depth"`
	Bitmap      common.Hash    `json:"bitmap"`
	Siblings    []common.Hash  `json:"siblings"`
	Other       *OtherLeafInfo `json:"other"`
}

// OtherLeafInfo is the leaf that stands where an absent key's path ends.
type OtherLeafInfo struct {
	Key       common.Hash `json:"key"`
	ValueHash common.Hash `json:"valueHash"`
}

// GetProof implements agnt2_getProof: a record, or its absence, with the Merkle proof against the block's state root.
func (x *agnt2API) GetProof(ctx context.Context, key common.Hash, at *rpc.BlockNumberOrHash) (*ProofInfo, error) {
	h, err := x.a.header(at)
	if err != nil {
		return nil, err
	}
	_, done, err := x.a.bounded(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	value, proof, err := x.a.b.Prove(h, record.Key(key))
	if err != nil {
		return nil, fmt.Errorf("proof at block %d: %w", h.Number, err)
	}
	out := &ProofInfo{
		Key: key, StateRoot: h.Root, BlockNumber: (*hexutil.Big)(h.Number), BlockHash: h.Hash(),
		Proof: proof.Encode(), Depth: hexutil.Uint64(proof.Depth), Bitmap: proof.Bitmap, Siblings: make([]common.Hash, len(proof.Siblings)),
	}
	for i, s := range proof.Siblings {
		out.Siblings[i] = s
	}
	if value != nil {
		out.Value = (*hexutil.Bytes)(&value)
	}
	if o := proof.Other; o != nil {
		out.Other = &OtherLeafInfo{Key: o.Key, ValueHash: o.ValueHash}
	}
	return out, nil
}

// GetParams implements agnt2_getParams: the governance parameters in force at a block.
func (x *agnt2API) GetParams(at *rpc.BlockNumberOrHash) (map[string]any, error) {
	r, _, err := x.a.records(at)
	if err != nil {
		return nil, err
	}
	p, err := readOr(r, record.ParamsKey, record.DecodeParams)
	if err != nil {
		return nil, err
	}
	policy, err := readOr(r, record.PolicyKey, record.DecodePolicy)
	if err != nil {
		return nil, err
	}
	out := fields(p)
	maps.Copy(out, fields(policy))
	return out, nil
}

// RangeStats is what agnt2_getRangeStats answers.
type RangeStats struct {
	Interactions hexutil.Uint64 `json:"interactions"`
	Volume       *hexutil.Big   `json:"volume"` // wei
}

// GetRangeStats implements agnt2_getRangeStats: interactions and volume of the blocks first to last, both included, as
// the difference of the chain's totals. Both ends must be inside the history window.
func (x *agnt2API) GetRangeStats(first, last rpc.BlockNumber) (*RangeStats, error) {
	from, err := x.a.headerByNumber(first)
	if err != nil {
		return nil, err
	}
	to, err := x.a.headerByNumber(last)
	if err != nil {
		return nil, err
	}
	if from.Number.Cmp(to.Number) > 0 {
		return nil, invalidParams("invalid block range: first %d is above last %d", from.Number, to.Number)
	}
	after, err := x.a.totals(to)
	if err != nil {
		return nil, err
	}
	var before record.Totals
	if from.Number.Sign() > 0 {
		parent, err := x.a.headerByNumber(rpc.BlockNumber(from.Number.Uint64() - 1))
		if err != nil {
			return nil, err
		}
		if before, err = x.a.totals(parent); err != nil {
			return nil, err
		}
	}
	if after.Interactions < before.Interactions || after.VolumeWei.Lt(&before.VolumeWei) {
		return nil, &rpcError{code: codeServer, msg: "the chain was reorganised meanwhile: retry"}
	}
	volume := new(big.Int).Sub(after.VolumeWei.ToBig(), before.VolumeWei.ToBig())
	return &RangeStats{Interactions: hexutil.Uint64(after.Interactions - before.Interactions), Volume: (*hexutil.Big)(volume)}, nil
}

func (a *API) totals(h *types.Header) (t record.Totals, err error) {
	r, err := a.recordsOf(h)
	if err != nil {
		return t, err
	}
	return readOr(r, record.TotalsKey, record.DecodeTotals)
}
