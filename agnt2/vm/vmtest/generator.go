// Package vmtest makes random transactions for tests of the transition and of its proofs: most of them sensible, the rest
// hostile in every way that an operation can refuse.
package vmtest

import (
	"bytes"
	"crypto/ecdsa"
	"math/rand/v2"
	"slices"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"

	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/agnt2/record"
	"github.com/agnt2/agnt2/agnt2/vm"
)

// Generator makes transactions between a fixed set of accounts.
type Generator struct {
	Rnd          *rand.Rand
	Accounts     []common.Address
	IDs          []common.Hash           // of interactions, which the caller adds
	Old          []*abi.Transaction      // to be replayed, which the caller adds
	Disputes     []common.Hash           // interactions that were to be judged by a game
	Compositions []common.Hash           // ids, which the generator adds itself
	History      *History                // of what is to be disputed, which the caller keeps; nil: nothing
	Deposits     bool                    // the block still takes deposits
	Get          func(record.Key) []byte // the state in which the next transaction is made

	// Scale is how many times as much the generator remembers as suits small worlds, whose blocks have some 20 transactions.
	Scale int
	// PrunesPerBlock is what governance sets; zero: so few that the bound is met.
	PrunesPerBlock uint32

	ChainID uint64 // of what accounts sign off-chain
	keys    map[common.Address]*ecdsa.PrivateKey
	pairs   [][2]common.Address // that may have channels

	commitments []commitment // the latest
}

func (g *Generator) account(a common.Address) (acc record.Account) {
	if b := g.Get(record.AccountKey(a)); b != nil {
		acc = must(record.DecodeAccount(b))
	}
	return acc
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// remembered is how many of its latest ids a generator chooses among that chooses among n in a small world.
func (g *Generator) remembered(n int) int { return n * max(1, g.Scale) }

// latest are the last n of a list in a small world.
func latest[T any](g *Generator, all []T, n int) []T { return all[max(0, len(all)-g.remembered(n)):] }

// mine reports whether an account is one of the generator's.
func (g *Generator) mine(a common.Address) bool {
	if len(g.keys) == len(g.Accounts) {
		return g.keys[a] != nil
	}
	return slices.Contains(g.Accounts, a)
}

func (g *Generator) chance(n int) bool { return g.Rnd.IntN(n) == 0 }

func (g *Generator) anyone() common.Address { return g.Accounts[g.Rnd.IntN(len(g.Accounts))] }

func (g *Generator) number(n uint64) uint256.Int {
	if g.chance(40) {
		return *new(uint256.Int).SetAllOne()
	}
	return *uint256.NewInt(g.Rnd.Uint64N(n))
}

var capabilities = []string{"a", "b", "c", "d"}

func (g *Generator) capability() string {
	return capabilities[g.Rnd.IntN(len(capabilities))]
}

func (g *Generator) upserts() (out []abi.Capability) {
	for range g.Rnd.IntN(4) {
		out = append(out, abi.Capability{
			Name: g.capability(), PriceWei: g.number(40), Class: uint8(g.Rnd.IntN(4)), LatencyMsP99: g.Rnd.Uint32N(1000),
			InputSchemaHash: common.Hash{byte(g.Rnd.IntN(2))}, CommitRequired: g.chance(8),
		})
	}
	if g.chance(20) {
		out = append(out, abi.Capability{Name: "z", Class: 4})
	}
	return out
}

// Draft is an operation before it becomes a transaction.
type Draft struct {
	From  common.Address
	To    *common.Address
	Value uint256.Int // mostly suits the operation
	Data  []byte
}

// families are the generators of operations, drawn by weight. A family that needs to remember what it made (ids, peers) has
// fields in Generator.
var families = []struct {
	weight int
	draft  func(g *Generator, from common.Address) Draft
}{
	{16, (*Generator).basic},
	{4, (*Generator).channel},
	{4, (*Generator).governance},
	{6, (*Generator).identity},
	{6, (*Generator).market},
	{10, (*Generator).compose},
	{2, (*Generator).passport},
	{5, (*Generator).feedback},
}

func (g *Generator) draft(from common.Address) Draft {
	sum := 0
	for _, f := range families {
		sum += f.weight
	}
	n := 0
	if len(families) > 1 {
		n = g.Rnd.IntN(sum)
	}
	for _, f := range families {
		if n -= f.weight; n < 0 {
			return f.draft(g, from)
		}
	}
	panic("unreachable")
}

// basic is the family of agents, interactions, transfers and junk.
func (g *Generator) basic(from common.Address) Draft {
	to, value, data := g.operation(from)
	if c, err := abi.DecodeRespondCall(tail(data)); err == nil && bytes.HasPrefix(data, abi.RespondSelector[:]) && !g.chance(8) {
		if b := g.Get(record.InteractionKey(c.Id)); b != nil { // mostly from the one who may
			from = must(record.DecodeInteraction(b)).Callee
		}
	}
	if bytes.HasPrefix(data, abi.UpdateCapabilitiesSelector[:]) && !g.chance(8) {
		for range 20 {
			if g.account(from).Roles&vm.RoleAgent == 0 {
				from = g.anyone()
			}
		}
	}
	return Draft{from, to, value, data}
}

func (g *Generator) operation(from common.Address) (to *common.Address, value uint256.Int, data []byte) {
	to = &abi.Address
	switch g.Rnd.IntN(16) {
	case 0:
		c := &abi.RegisterCall{Name: "n", AgentURI: "u"[:g.Rnd.IntN(2)], Capabilities: g.upserts()}
		if g.chance(3) {
			c.Metadata = []abi.MetadataEntry{{Key: "k", Value: []byte{byte(g.Rnd.IntN(3))}}}
		}
		return to, g.number(400), c.Encode()
	case 1:
		c := &abi.UpdateCapabilitiesCall{Upserts: g.upserts()}
		for range g.Rnd.IntN(3) {
			c.Removals = append(c.Removals, vm.CapabilityID(g.capability()))
		}
		return to, value, c.Encode()
	case 2:
		if g.chance(2) {
			return to, value, (&abi.HeartbeatCall{}).Encode()
		}
		if g.chance(3) {
			return to, value, (&abi.DeregisterCall{}).Encode()
		}
		return to, value, (&abi.WithdrawStakeCall{}).Encode()
	case 3:
		return to, g.number(50), (&abi.TopUpStakeCall{}).Encode()
	case 4:
		if g.chance(2) {
			return to, value, (&abi.HeartbeatCall{}).Encode()
		}
		return to, value, (&abi.UpdateAgentCall{Name: "m", Version: "2"}).Encode()
	case 5:
		t := g.anyone()
		if g.chance(8) {
			t = from
		}
		return &t, g.number(1000), nil
	case 6:
		if g.chance(3) {
			return &abi.MessagePasserAddress, g.number(100), nil
		}
		t := g.anyone()
		return &t, g.number(100), []byte{1}[:g.Rnd.IntN(2)]
	case 7:
		junk := make([]byte, g.Rnd.IntN(200))
		for i := range junk {
			junk[i] = byte(g.Rnd.Uint32())
		}
		if g.chance(2) && len(junk) > 4 {
			copy(junk, abi.InvokeSelector[:])
		}
		return to, value, junk
	case 8, 9, 10, 11:
		callee := g.anyone()
		for range 20 {
			if callee == from || g.account(callee).Roles&vm.RoleAgent == 0 {
				callee = g.anyone()
			}
		}
		c := &abi.InvokeCall{
			Salt: common.Hash{byte(g.Rnd.Uint32()), byte(g.Rnd.IntN(3))}, Callee: callee, Capability: vm.CapabilityID(g.capability()),
			TtlSeconds: 1 + uint32(g.Rnd.IntN(30)), MaxPriceWei: g.number(200), Da: abi.DAPointer{LengthBytes: g.Rnd.Uint32N(100)},
		}
		if g.chance(30) {
			c.ParamsHash = common.Hash{1}
		}
		if g.chance(30) {
			c.Da.Backend = 4
		}
		return to, *new(uint256.Int).AddUint64(new(uint256.Int).SetUint64(g.Rnd.Uint64N(70)), 10), c.Encode()
	}
	c := &abi.RespondCall{Id: g.interaction(), Status: uint8(g.Rnd.IntN(5))}
	if g.chance(30) {
		c.Status = 5
	}
	if (c.Status == 0) != g.chance(25) {
		c.ResultHash = common.Hash{7}
	}
	c.Da.ContentHash = c.ResultHash
	if g.chance(20) {
		c.Attestation = make([]byte, 65)
		if g.chance(2) {
			c.Attestation = someSignature
		}
	}
	return to, value, c.Encode()
}

func (g *Generator) interaction() common.Hash {
	if len(g.IDs) == 0 || g.chance(30) {
		return common.Hash{9}
	}
	recent := latest(g, g.IDs, 15)
	return recent[g.Rnd.IntN(len(recent))]
}

// Transaction returns the next transaction, unsigned and without a hash.
func (g *Generator) Transaction() *abi.Transaction {
	if len(g.Old) > 0 && g.chance(6) {
		return g.Old[g.Rnd.IntN(len(g.Old))]
	}
	d := g.draft(g.anyone())
	from, to, value, data := d.From, d.To, d.Value, d.Data
	if to != nil && g.chance(40) {
		to = nil
	}
	tx := &abi.Transaction{
		From: from, To: to, Value: value, Data: data, Nonce: g.account(from).Nonce, GasLimit: 20_000 + g.Rnd.Uint64N(50_000),
		FeeCap: *uint256.NewInt(g.Rnd.Uint64N(30) + 3), TipCap: *uint256.NewInt(g.Rnd.Uint64N(4)), Size: 100 + len(data),
	}
	if tx.FeeCap.Lt(&tx.TipCap) {
		tx.FeeCap = tx.TipCap
	}
	switch {
	case g.chance(25):
		tx.Nonce += g.Rnd.Uint64N(3) - 1
	case g.chance(25):
		tx.GasLimit = g.Rnd.Uint64N(12_000)
	case g.Deposits && g.chance(2):
		tx.Deposit, tx.Mint = true, *uint256.NewInt(g.Rnd.Uint64N(200))
	}
	return tx
}

func tail(b []byte) []byte { return b[min(4, len(b)):] }
