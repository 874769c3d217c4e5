package ethapi

import (
	"errors"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/rpc"

	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/agnt2/record"
	"github.com/agnt2/agnt2/agnt2/vm"
)

// Compositions: views of what a composition's masks say of its constituents. Results of an atomic one are shown once it is
// committed and not before, in whatever view.

var (
	compositionStatus = []string{"none", "active", "committed", "reverted", "settled"}
	constituentStatus = []string{"waiting", "pending", "done", "skipped", "failed", "settled"}
)

// Values of IAGNT2.ConstituentStatus.
const (
	constituentWaiting uint8 = iota
	constituentPending
	constituentDone
	constituentSkipped
	constituentFailed
	constituentSettled
)

func fateOf(c *record.Composition, i uint8) uint8 {
	bit := uint32(1) << i
	reverted := c.Status == uint8(vm.CompositionReverted)
	switch {
	case c.Skipped&bit != 0:
		return constituentSkipped
	case c.Failed&bit != 0, reverted:
		return constituentFailed
	case c.Paid&bit != 0, !c.Atomic && c.Done&bit != 0: // where nothing is atomic, answers are paid at once
		return constituentSettled
	case c.Done&bit != 0:
		return constituentDone
	case c.Active&bit != 0:
		return constituentPending
	}
	return constituentWaiting
}

// compositionView returns the composition as IAGNT2.getComposition does: status None and zeros if there is none.
func compositionView(r Records, id common.Hash) (out abi.CompositionView, err error) {
	c, err := read(r, record.CompositionKey(id), record.DecodeComposition)
	if c == nil || err != nil {
		return out, err
	}
	out = abi.CompositionView{
		Status: c.Status, Initiator: c.Initiator, Atomic: c.Atomic, CreatedAt: c.CreatedAt, Deadline: c.Deadline, SettledAt: c.SettledAt,
		EscrowWei: c.EscrowWei, OwedWei: c.OwedWei, Culprit: c.Culprit,
	}
	hidden := c.Atomic && c.Status != uint8(vm.CompositionCommitted)
	for i := range c.Count {
		x, err := readOr(r, record.ConstituentKey(id, i), record.DecodeConstituent)
		if err != nil {
			return out, err
		}
		edges := c.Edges[i]
		v := abi.ConstituentView{
			Status: fateOf(c, i), Callee: x.Callee, Capability: x.Capability, Template: x.Template, PaymentWei: x.PaymentWei,
			TtlSeconds: x.TtlSeconds, DependsOn: x.DependsOn, Guard: uint8(edges >> 25 & 3), GuardOn: uint8(edges >> 20 & 31),
			GuardBranch: uint16(edges >> 32), LoopFrom: x.LoopFrom, MaxIterations: x.MaxIterations, LoopBranch: x.LoopBranch,
			Iteration: x.Iteration, InteractionId: x.InteractionId,
		}
		if !hidden {
			v.ResultHash, v.Branch = x.ResultHash, c.Branches[i]
		}
		out.Constituents = append(out.Constituents, v)
	}
	return out, nil
}

func getComposition(v *reading, c *abi.GetCompositionCall) ([]byte, error) {
	r, err := v.records()
	if err != nil {
		return nil, err
	}
	out, err := compositionView(r, c.Id)
	if err != nil {
		return nil, err
	}
	return (&abi.GetCompositionReturn{Ret0: out}).Encode(), nil
}

func compositionID(_ *reading, c *abi.CompositionIdCall) ([]byte, error) {
	id := vm.CompositionID(c.Initiator, c.Salt)
	return id[:], nil
}

// settled gives an interaction of an atomic composition the status that the composition's amounts to, and hides what is
// tentative.
func settled(r Records, x *record.Interaction) error {
	tentative := x.Status == uint8(vm.Pending) || x.Status == uint8(vm.Tentative) || x.Status == uint8(vm.Opened)
	if x.Constituent&0x80 == 0 || !tentative {
		return nil
	}
	c, err := readOr(r, record.CompositionKey(x.CompositionId), record.DecodeComposition)
	if err != nil {
		return err
	}
	switch {
	case c.Status == uint8(vm.CompositionReverted):
		x.Status = uint8(vm.Reverted)
	case x.Status != uint8(vm.Opened):
	case c.Status == uint8(vm.CompositionCommitted):
		x.Status = uint8(vm.Completed)
		return nil
	default:
		x.Status = uint8(vm.Tentative)
	}
	x.ResultHash, x.Branch = common.Hash{}, 0
	return nil
}

// CompositionInfo is what agnt2_getComposition answers. Amounts are wei, times Unix seconds.
type CompositionInfo struct {
	ID           common.Hash       `json:"id"`
	Status       string            `json:"status"`
	Initiator    common.Address    `json:"initiator"`
	Atomic       bool              `json:"atomic"`
	CreatedAt    hexutil.Uint64    `json:"createdAt"`
	Deadline     hexutil.Uint64    `json:"deadline"`
	SettledAt    hexutil.Uint64    `json:"settledAt"`
	EscrowWei    *hexutil.Big      `json:"escrowWei"`
	OwedWei      *hexutil.Big      `json:"owedWei"`
	Culprit      common.Address    `json:"culprit"`
	Constituents []ConstituentInfo `json:"constituents"`
	BlockNumber  *hexutil.Big      `json:"blockNumber"`
	BlockHash    common.Hash       `json:"blockHash"`
}

// ConstituentInfo is one call of a composition. Guard is "", "equals" or "differs".
type ConstituentInfo struct {
	Status        string         `json:"status"`
	Callee        common.Address `json:"callee"`
	Capability    common.Hash    `json:"capability"`
	Template      common.Hash    `json:"template"`
	PaymentWei    *hexutil.Big   `json:"paymentWei"`
	TTLSeconds    hexutil.Uint64 `json:"ttlSeconds"`
	DependsOn     []int          `json:"dependsOn"`
	Guard         string         `json:"guard"`
	GuardOn       hexutil.Uint64 `json:"guardOn"`
	GuardBranch   hexutil.Uint64 `json:"guardBranch"`
	LoopFrom      hexutil.Uint64 `json:"loopFrom"`
	MaxIterations hexutil.Uint64 `json:"maxIterations"`
	LoopBranch    hexutil.Uint64 `json:"loopBranch"`
	Iteration     hexutil.Uint64 `json:"iteration"`
	InteractionID common.Hash    `json:"interactionId"`
	ResultHash    common.Hash    `json:"resultHash"`
	Branch        hexutil.Uint64 `json:"branch"`
}

var guardNames = []string{"", "equals", "differs"}

// GetComposition implements agnt2_getComposition: a composition with its constituents; null if there is none. Status "pruned" means
// that only the interactions of its constituents are known any more, from the history.
func (x *agnt2API) GetComposition(id common.Hash, at *rpc.BlockNumberOrHash) (*CompositionInfo, error) {
	r, h, err := x.a.records(at)
	if err != nil {
		return nil, err
	}
	c, err := compositionView(r, id)
	if err != nil {
		return nil, err
	}
	if c.Status == uint8(vm.NoComposition) {
		return x.prunedComposition(r, h, id)
	}
	out := &CompositionInfo{
		ID: id, Status: statusName(compositionStatus, c.Status), Initiator: c.Initiator, Atomic: c.Atomic, CreatedAt: hexutil.Uint64(c.CreatedAt),
		Deadline: hexutil.Uint64(c.Deadline), SettledAt: hexutil.Uint64(c.SettledAt), EscrowWei: wei(&c.EscrowWei), OwedWei: wei(&c.OwedWei),
		Culprit: c.Culprit, BlockNumber: (*hexutil.Big)(h.Number), BlockHash: h.Hash(),
	}
	for i := range c.Constituents {
		v := &c.Constituents[i]
		info := ConstituentInfo{
			Status: statusName(constituentStatus, v.Status), Callee: v.Callee, Capability: v.Capability, Template: v.Template,
			PaymentWei: wei(&v.PaymentWei), TTLSeconds: hexutil.Uint64(v.TtlSeconds), DependsOn: []int{}, Guard: statusName(guardNames, v.Guard),
			GuardOn: hexutil.Uint64(v.GuardOn), GuardBranch: hexutil.Uint64(v.GuardBranch), LoopFrom: hexutil.Uint64(v.LoopFrom),
			MaxIterations: hexutil.Uint64(v.MaxIterations), LoopBranch: hexutil.Uint64(v.LoopBranch), Iteration: hexutil.Uint64(v.Iteration),
			InteractionID: v.InteractionId, ResultHash: v.ResultHash, Branch: hexutil.Uint64(v.Branch),
		}
		for j := range i {
			if v.DependsOn>>j&1 != 0 {
				info.DependsOn = append(info.DependsOn, j)
			}
		}
		out.Constituents = append(out.Constituents, info)
	}
	return out, nil
}

// prunedComposition puts together what the history says of a composition that has left the state; nil if it never called anybody, or
// too long ago. A constituent that was not called is all zeros.
func (x *agnt2API) prunedComposition(r Records, h *types.Header, id common.Hash) (*CompositionInfo, error) {
	peaks, err := readOr(r, record.HistoryKey, record.DecodeHistory)
	if err != nil || peaks.Count == 0 {
		return nil, err
	}
	out := &CompositionInfo{
		ID: id, Status: statusPruned, EscrowWei: new(hexutil.Big), OwedWei: new(hexutil.Big), BlockNumber: (*hexutil.Big)(h.Number), BlockHash: h.Hash(),
	}
	called := 0
	for index := range uint8(vm.MaxConstituents) {
		info := ConstituentInfo{Status: statusPruned, PaymentWei: new(hexutil.Big), DependsOn: []int{}}
		for iteration := range uint8(vm.MaxLoopIterations) {
			call := vm.ConstituentID(id, index, iteration+1)
			_, value, err := x.a.b.Pruned(call, peaks.Count)
			if errors.Is(err, ErrNotInHistory) {
				break
			}
			if err != nil {
				return nil, err
			}
			i, err := decodeRecord(record.InteractionKey(call), value, record.DecodeInteraction)
			if err != nil {
				return nil, err
			}
			info.Status = statusName(constituentStatus, constituentFailed)
			if i.Status == uint8(vm.Completed) {
				info.Status = statusName(constituentStatus, constituentSettled)
			}
			info.Callee, info.Capability, info.PaymentWei = i.Callee, i.Capability, wei(&i.PaymentWei)
			info.Iteration, info.InteractionID, info.ResultHash, info.Branch = hexutil.Uint64(iteration+1), call, i.ResultHash, hexutil.Uint64(i.Branch)
			out.Initiator, out.Atomic = i.Caller, i.Constituent&0x80 != 0
			called = int(index) + 1
		}
		out.Constituents = append(out.Constituents, info)
	}
	if out.Constituents = out.Constituents[:called]; called == 0 {
		return nil, nil
	}
	return out, nil
}
