package vm

import (
	"github.com/ethereum/go-ethereum/common"

	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/agnt2/erc8004"
	"github.com/agnt2/agnt2/agnt2/erc8004/validation"
	"github.com/agnt2/agnt2/agnt2/gas"
	"github.com/agnt2/agnt2/agnt2/record"
)

// ERC-8004's Validation registry: an agent asks a validator to check its work, and the validator answers.

// Micro-steps of validations.
const (
	ValidationArgs Step = 208 + iota
	WriteValidation
	AnswerValidation
)

var validationProgram = map[Step]instruction{
	ValidationArgs:   {"validationArgs", OpensOp | OpensParams | OpensData, 0, stepValidationArgs},
	WriteValidation:  {"writeValidation", OpensBlock | OpensOp | OpensData, 0, stepWriteValidation},
	AnswerValidation: {"answerValidation", OpensBlock | OpensOp | OpensParams | OpensData, 0, stepAnswerValidation},
}

var validationOperations = map[[4]byte]operation{
	abi.ValidationRequestSelector:  op(abi.DecodeValidationRequestCall, false, ValidationArgs),
	abi.ValidationResponseSelector: op(abi.DecodeValidationResponseCall, false, AnswerValidation),
}

const (
	// validationRecords: the request, and counts and entries of two lists.
	validationRecords = 5
	mostResponse      = 100
)

// stepValidationArgs comes twice if the sender is not the agent: then it goes the way of those who act for one, and the standard's
// own calldata says for whom.
func stepValidationArgs(m *Machine, _ State) Step {
	c, o := m.args.(*abi.ValidationRequestCall), &m.Op
	agent, ok := erc8004.Agent(&c.AgentId)
	own, records := ok && agent == o.From, 1
	if own {
		records = validationRecords
	}
	if !m.use(gas.AgentOperation(&m.Params, records)) {
		return m.outOfGas()
	}
	switch {
	case !ok:
		return m.fail(outOfRange("agentId"))
	case c.ValidatorAddress == common.Address{}:
		return m.fail(outOfRange("validatorAddress"))
	case len(c.RequestURI) > maxURI:
		return m.fail(outOfRange("requestURI"))
	}
	if !own {
		o.From, o.Actor, o.Flag = agent, o.From, true
		m.enter(m.data, c)
		return ActAgent
	}
	if !o.Registered {
		return m.notRegistered()
	}
	o.Id, o.Word = c.RequestHash, agentWord(c.ValidatorAddress)
	return WriteValidation
}

func stepWriteValidation(m *Machine, s State) Step {
	c, o := m.args.(*abi.ValidationRequestCall), &m.Op
	k := record.ValidationKey(o.Id)
	if m.get(s, k) != nil {
		return m.fail(&abi.ValidationExists{RequestHash: o.Id})
	}
	m.set(s, k, nil, (&record.Validation{Validator: c.ValidatorAddress, Agent: o.From, LastUpdate: m.Block.Time}).Encode())
	m.emit((&validation.ValidationRequestEvent{
		ValidatorAddress: c.ValidatorAddress, AgentId: c.AgentId, RequestURI: c.RequestURI, RequestHash: c.RequestHash,
	}).Log(abi.ValidationRegistryAddress))
	o.Status = uint8(record.ListAgentValidations)
	return ListCount
}

// stepAnswerValidation: a validator may answer again, the last answer counts.
func stepAnswerValidation(m *Machine, s State) Step {
	c := m.args.(*abi.ValidationResponseCall)
	if !m.use(gas.AgentOperation(&m.Params, 0)) {
		return m.outOfGas()
	}
	switch {
	case c.Response > mostResponse:
		return m.fail(outOfRange("response"))
	case len(c.ResponseURI) > maxURI:
		return m.fail(outOfRange("responseURI"))
	case len(c.Tag) > maxTag:
		return m.fail(outOfRange("tag"))
	}
	k := record.ValidationKey(c.RequestHash)
	old := m.get(s, k)
	if old == nil {
		return m.fail(&abi.ValidationUnknown{RequestHash: c.RequestHash})
	}
	v := decoded(record.DecodeValidation(old))
	if v.Validator != m.Op.From {
		return m.fail(&abi.NotValidator{Sender: m.Op.From, Validator: v.Validator})
	}
	v.Answered, v.Response, v.ResponseHash, v.Tag, v.LastUpdate = true, c.Response, c.ResponseHash, c.Tag, m.Block.Time
	m.set(s, k, old, v.Encode())
	m.emit((&validation.ValidationResponseEvent{
		ValidatorAddress: v.Validator, AgentId: erc8004.AgentID(v.Agent), RequestHash: c.RequestHash, Response: c.Response,
		ResponseURI: c.ResponseURI, ResponseHash: c.ResponseHash, Tag: c.Tag,
	}).Log(abi.ValidationRegistryAddress))
	return TxEnd
}
