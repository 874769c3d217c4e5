package simulation

import (
	"cmp"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	gethabi "github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/common"
	"github.com/stretchr/testify/require"

	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/agnt2/erc8004"
	"github.com/agnt2/agnt2/agnt2/erc8004/feedback"
	"github.com/agnt2/agnt2/agnt2/erc8004/validation"
	"github.com/agnt2/agnt2/agnt2/vm"
)

// operations are the names of what can be called, by address and selector. The ABI lists them, so a new one has to be
// simulated.
var operations = func() map[common.Address]map[string]string {
	out := map[common.Address]map[string]string{}
	for at, source := range map[common.Address]string{
		abi.Address: abi.JSON, abi.IdentityRegistryAddress: erc8004.JSON, abi.ReputationRegistryAddress: feedback.JSON, abi.ValidationRegistryAddress: validation.JSON,
	} {
		parsed := must(gethabi.JSON(strings.NewReader(source)))
		out[at] = map[string]string{}
		for _, m := range parsed.Methods {
			if m.StateMutability == "view" || m.StateMutability == "pure" {
				continue
			}
			name := m.Name
			if at != abi.Address {
				name = "ERC-8004 " + m.Sig // overloaded
			}
			out[at][string(m.ID)] = name
		}
	}
	for _, at := range []common.Address{abi.ReputationRegistryAddress, abi.ValidationRegistryAddress} {
		out[at] = out[abi.Address] // their writes are operations with the standard's own arguments
	}
	return out
}()

// What is no operation of the ABI.
const (
	transfer  = "transfer"
	withdraw  = "withdrawal"
	creation  = "contract creation"
	noCode    = "call without code"
	unknown   = "unknown operation"
	depositOf = "deposited "
	actedFor  = "for an agent: "
)

// namesOf are what a transaction counts as: itself, and what it executes for an agent.
func namesOf(tx *abi.Transaction) (names []string) {
	name := nameOf(tx.To, tx.Data)
	if c, err := abi.DecodeActForCall(tail(tx.Data)); err == nil && name == "actFor" {
		if inner := nameOf(&abi.Address, c.Operation); inner != unknown {
			names = append(names, actedFor+inner)
		}
	}
	if tx.Deposit {
		name = depositOf + name
	}
	return append(names, name)
}

func tail(b []byte) []byte { return b[min(4, len(b)):] }

func nameOf(to *common.Address, data []byte) string {
	switch {
	case to == nil:
		return creation
	case *to == abi.MessagePasserAddress:
		return withdraw
	case operations[*to] != nil:
		if name, ok := operations[*to][string(data[:min(4, len(data))])]; ok {
			return name
		}
		return unknown
	case len(data) > 0:
		return noCode
	}
	return transfer
}

// row is what became of one operation.
type row struct {
	outcomes [3]int
	reverts  map[string]int
}

type table map[string]*row

func (t table) add(tx *abi.Transaction, r *vm.Result) {
	for _, name := range namesOf(tx) {
		x := t[name]
		if x == nil {
			x = &row{reverts: map[string]int{}}
			t[name] = x
		}
		x.outcomes[r.Outcome]++
		if r.Outcome == vm.Failed {
			x.reverts[reflect.TypeOf(r.Revert).Elem().Name()]++
		}
	}
}

func (t table) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%-58s %9s %9s %9s  failures\n", "operation", "succeeded", "failed", "void")
	for _, name := range slices.Sorted(maps.Keys(t)) {
		x := t[name]
		fmt.Fprintf(&b, "%-58s %9d %9d %9d ", name, x.outcomes[vm.Succeeded], x.outcomes[vm.Failed], x.outcomes[vm.Void])
		reasons := slices.SortedFunc(maps.Keys(x.reverts), func(a, b string) int {
			return cmp.Or(x.reverts[b]-x.reverts[a], strings.Compare(a, b))
		})
		for _, r := range reasons {
			fmt.Fprintf(&b, " %s %d", r, x.reverts[r])
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func (t table) count(name string, o vm.Outcome) int {
	if x := t[name]; x != nil {
		return x.outcomes[o]
	}
	return 0
}

// enough operations for the rarest of them to happen: what follows a cooldown cannot in a few blocks.
const enough = 200_000

// check asserts that everything happened often, and failed often too. The least numbers are for a million operations.
func (t table) check(tb testing.TB, done int) {
	if done < enough {
		return
	}
	var rare []string
	atLeast := func(n, least int, format string, args ...any) {
		if least = least * done / 1_000_000; n < least {
			rare = append(rare, fmt.Sprintf(format, args...)+fmt.Sprintf(": %d times, at least %d", n, least))
		}
	}
	for _, at := range []common.Address{abi.Address, abi.IdentityRegistryAddress} {
		for selector, name := range operations[at] {
			atLeast(t.count(name, vm.Succeeded)+t.count(depositOf+name, vm.Succeeded), leastSuccesses(name), "0x%x %s succeeds", selector, name)
			atLeast(t.count(name, vm.Failed)+t.count(depositOf+name, vm.Failed), 5, "0x%x %s fails", selector, name)
		}
	}
	for _, name := range []string{transfer, withdraw, depositOf + transfer, depositOf + "invoke", depositOf + "register", depositOf + "compose", depositOf + withdraw} {
		atLeast(t.count(name, vm.Succeeded), 100, "%s succeeds", name)
	}
	for _, name := range []string{transfer, creation, noCode, unknown, depositOf + transfer, depositOf + creation, depositOf + "invoke", depositOf + "respond"} {
		atLeast(t.count(name, vm.Failed), 20, "%s fails", name)
	}
	require.Empty(tb, rare)
	errors := map[string]bool{}
	for _, x := range t {
		for name := range x.reverts {
			errors[name] = true
		}
	}
	require.GreaterOrEqual(tb, len(errors), 80, "few errors of the ABI ever happen: %v", slices.Sorted(maps.Keys(errors)))
}

// leastSuccesses of an operation in a million operations: what a governance has to decide does not happen as often.
func leastSuccesses(name string) int {
	switch name {
	case "setParams", "setPolicy", "withdrawFees":
		return 50
	}
	return 200
}
