// Package bounds says which governance parameters a chain can live with. Genesis and setParams and setPolicy refuse the
// others; docs/spec/parameters.md has the table. It does no I/O.
package bounds

import "github.com/agnt2/agnt2/agnt2/record"

// MaxSweepsPerBlock bounds the timeouts of one block: all their events land in one receipt, which one step of a dispute has
// to take as witness within an L1 transaction (128 KiB).
const MaxSweepsPerBlock = 500

// MaxPrunesPerBlock bounds what moves into the history in one block: it is work that no gas pays for, some microseconds each.
const MaxPrunesPerBlock = 100_000

// maxScore is the largest reputation score.
const maxScore = 10_000

// Params returns the name of the first parameter that is out of range, empty if there is none.
func Params(p *record.Params) string {
	switch {
	case p.MinTtlSeconds == 0:
		return "minTtlSeconds"
	case p.MaxTtlSeconds < p.MinTtlSeconds:
		return "maxTtlSeconds"
	case p.SweepsPerBlock == 0 || p.SweepsPerBlock > MaxSweepsPerBlock: // with 0 nothing would ever time out
		return "sweepsPerBlock"
	// A receipt without gas stands for a void transaction.
	case p.GasTransfer == 0:
		return "gasTransfer"
	case p.GasAgentOperation == 0:
		return "gasAgentOperation"
	case p.GasInvokeBase == 0:
		return "gasInvokeBase"
	case p.GasRespond == 0:
		return "gasRespond"
	case p.GasWithdrawal == 0:
		return "gasWithdrawal"
	}
	return ""
}

// Policy is Params for the other record.
func Policy(p *record.Policy) string {
	switch {
	case p.EligibilityScore > maxScore:
		return "eligibilityScore"
	case p.GasCompose == 0:
		return "gasCompose"
	case p.GasChannel == 0:
		return "gasChannel"
	case p.GasDispute == 0:
		return "gasDispute"
	case p.DisputeBondWei.Lt(&p.DisputeFeeWei):
		return "disputeFeeWei"
	case p.GasDiscover == 0:
		return "gasDiscover"
	case p.PrunesPerBlock == 0 || p.PrunesPerBlock > MaxPrunesPerBlock: // with 0 the state would grow for ever
		return "prunesPerBlock"
	}
	return ""
}
