package vm_test

import (
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/stretchr/testify/require"

	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/agnt2/record"
	"github.com/agnt2/agnt2/agnt2/vm"
)

// The scripts' words for discovery and commit–reveal.

func (s *script) invoke(from string, a args) *abi.InvokeCall {
	salt := a.text("salt", "1")
	c := &abi.InvokeCall{
		Salt: s.hash(salt), Callee: s.address(a.text("callee", "bob")), Capability: s.capability(a.text("cap", "sum")),
		ParamsHash: s.hash(a.text("params", "params")), TtlSeconds: uint32(a.number("ttl", 10)), MaxPriceWei: a.wei("max", 1000),
		SessionId: s.hash(a.text("session", "")), CompositionId: s.hash(a.text("composition", "")),
	}
	c.Da = abi.DAPointer{ContentHash: c.ParamsHash, LengthBytes: uint32(a.number("bytes", 0)), Backend: uint8(a.number("backend", 1))}
	if h := a.text("content", ""); h != "" {
		c.Da.ContentHash = s.hash(h)
	}
	s.id(from + "/" + salt)
	return c
}

func (s *script) market(from, op string, a args) []byte {
	if op == "reclaimSlot" {
		return (&abi.ReclaimSlotCall{Capability: s.capability(a.text("cap", "sum")), Slot: uint32(a.number("slot", 1))}).Encode()
	}
	secret := a.text("secret", "s")
	filter := abi.ProviderFilter{
		MaxLatencyMs: uint32(a.number("latency", 1000)), MinReputation: uint16(a.number("reputation", 0)),
		InputSchemaHash: s.hash(a.text("in", "")), OutputSchemaHash: s.hash(a.text("out", "")),
	}
	i := s.invoke(from, a)
	filter.MaxPriceWei = i.MaxPriceWei
	switch op {
	case "discoverInvoke":
		return (&abi.DiscoverInvokeCall{
			Salt: i.Salt, Capability: i.Capability, ParamsHash: i.ParamsHash, TtlSeconds: i.TtlSeconds, Filter: filter,
			SessionId: i.SessionId, CompositionId: i.CompositionId, Da: i.Da,
		}).Encode()
	case "commit":
		c := vm.CommitmentHash(testChainID, s.address(from), s.hash(secret), i.Encode())
		s.hashes[c] = from + "'s " + secret
		s.ids[vm.CommitmentID(s.address(from), c)] = from + "/" + secret
		return (&abi.CommitCall{Commitment: c}).Encode()
	}
	return (&abi.RevealCall{
		CommitSalt: s.hash(secret), Salt: i.Salt, Callee: i.Callee, Capability: i.Capability, ParamsHash: i.ParamsHash,
		TtlSeconds: i.TtlSeconds, MaxPriceWei: i.MaxPriceWei, SessionId: i.SessionId, CompositionId: i.CompositionId, Da: i.Da,
	}).Encode()
}

// indexSlot names a key of a capability's index.
func indexSlot(k record.Key, capability string) string {
	id := vm.CapabilityID(capability)
	if k == record.IndexCountKey(id) {
		return short(capability)
	}
	for slot := range uint32(50) {
		if k == record.IndexSlotKey(id, slot) {
			return fmt.Sprintf("%s/%d", short(capability), slot)
		}
	}
	return ""
}

// checkDue: what is queued beside interactions is there, and queued for the right time.
func (s *simulator) checkDue(k record.Key, v []byte) {
	id := must(record.DecodeDeadline(v)).Id
	require.Equal(s.t, record.DueCommitment, record.DueOf(k))
	c := must(record.DecodeCommitment(s.state[record.CommitmentKey(id)]))
	require.Equal(s.t, vm.CommitmentID(c.Caller, c.Commitment), id)
	require.Equal(s.t, record.DeadlineKey(c.Deadline, record.DueCommitment, id), k)
}

// checkIndex: slots and capabilities name each other, one to one, and every capability on offer has a slot.
func (s *simulator) checkIndex() {
	t := s.t
	slots, commitments, due := 0, 0, 0
	for k := range s.state {
		switch record.Namespace(k[0]) {
		case record.NSIndex:
			slots++
		case record.NSCommitment:
			commitments++
		case record.NSDeadline:
			if record.DueOf(k) == record.DueCommitment {
				due++
			}
		}
	}
	require.Equal(t, commitments, due, "commitments and deadlines")
	for _, name := range []string{"a", "b", "c", "d"} {
		id := vm.CapabilityID(name)
		var n record.IndexCount
		if b := s.state[record.IndexCountKey(id)]; b != nil {
			n = must(record.DecodeIndexCount(b))
		}
		at := map[common.Address]uint32{}
		for slot := uint32(1); slot <= n.Count; slot++ {
			at[must(record.DecodeIndexSlot(s.state[record.IndexSlotKey(id, slot)])).Agent] = slot
		}
		require.Len(t, at, int(n.Count), "an agent is in the index twice")
		slots -= len(at)
		for _, a := range s.Accounts {
			b := s.state[record.CapabilityKey(a, id)]
			if b == nil {
				require.NotContains(t, at, a)
				continue
			}
			c := must(record.DecodeCapability(b))
			require.Equal(t, at[a], c.Slot)
			if agent := must(record.DecodeAgent(s.state[record.AgentKey(a)])); agent.Epoch == c.Epoch && agent.Status == uint8(vm.Active) {
				require.NotZero(t, c.Slot, "a capability on offer is not in the index")
			}
		}
	}
	require.Zero(t, slots, "slots of no index")
}
