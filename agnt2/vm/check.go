package vm

import (
	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/agnt2/gas"
	"github.com/agnt2/agnt2/agnt2/record"
)

// CheckCall reports why a transaction is bound to fail whatever the state: nil if it names an operation and its arguments
// decode. A mempool uses it to refuse what would only cost its sender a fee.
func CheckCall(tx *abi.Transaction) error {
	switch {
	case tx.To == nil:
		return &abi.ContractCreationUnsupported{}
	case *tx.To == abi.MessagePasserAddress:
		if _, why := messageOf(tx.From, tx.Data); why != nil {
			return why
		}
	case *tx.To == abi.Address, registryWrites[*tx.To] != nil:
		if len(tx.Data) < 4 || *tx.To != abi.Address && !isRegistryWrite(*tx.To, tx.Data) {
			return unknownOperation(tx.Data)
		}
		o, ok := operations[[4]byte(tx.Data)]
		if !ok {
			return unknownOperation(tx.Data)
		}
		args, err := o.decode(tx.Data[4:])
		if err != nil {
			return &abi.MalformedCalldata{}
		}
		if !o.payable && !tx.Value.IsZero() {
			return &abi.ValueNotAccepted{}
		}
		if c, ok := args.(*abi.ActForCall); ok {
			if _, _, why := inner(c); why != nil {
				return why
			}
		}
	case *tx.To == abi.IdentityRegistryAddress:
		w, payable, why := registryCall(tx.From, tx.Data)
		switch {
		case why != nil:
			return why
		case !payable && !tx.Value.IsZero():
			return &abi.ValueNotAccepted{}
		case w.from != nil && *w.from != tx.From:
			return &abi.NotAuthorized{Agent: w.agent, Sender: tx.From}
		}
	case len(tx.Data) > 0:
		return &abi.NoCodeAtTarget{Target: *tx.To}
	}
	return nil
}

// Operation is the calldata of the operation that well-formed calldata of the AGNT2 address leads to: itself, or what it executes
// for an agent.
func Operation(data []byte) []byte {
	if len(data) >= 4 && [4]byte(data) == abi.ActForSelector {
		if c, err := abi.DecodeActForCall(data[4:]); err == nil {
			return c.Operation
		}
	}
	return data
}

func unknownOperation(data []byte) error {
	var selector [4]byte
	copy(selector[:], data)
	return &abi.UnknownOperation{Selector: selector}
}

// LeastGas is a lower bound of what a transaction uses, known without any record.
func LeastGas(p *record.Params, tx *abi.Transaction) uint64 {
	return gas.Add(p.GasTransfer, gas.Calldata(p, len(tx.Data)))
}
