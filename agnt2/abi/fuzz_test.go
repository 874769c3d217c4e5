package abi_test

import (
	"bytes"
	"testing"

	"github.com/ethereum/go-ethereum/common"

	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/agnt2/abi/codec"
)

// fuzzDecode: what decodes encodes to the same bytes; nothing panics.
func fuzzDecode(f *testing.F, name string, seeds ...encoder) {
	d := calls[name]
	f.Add([]byte{})
	f.Add(d.zero.Encode()[4:])
	for _, s := range seeds {
		f.Add(s.Encode()[4:])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		v, err := d.decode(b)
		if err == nil && !bytes.Equal(v.Encode()[4:], b) {
			t.Fatalf("%x decodes and encodes to %x", b, v.Encode()[4:])
		}
	})
}

var (
	seedCapability = abi.Capability{Name: "text.summarize", Endpoint: "https://agent.example/very/long/path/that/needs/two/words", Class: 2, CommitRequired: true}
	seedRegister   = &abi.RegisterCall{
		Name: "agent", Version: "1", AgentURI: "ipfs://agent", Capabilities: []abi.Capability{seedCapability, {Name: "b"}},
		Metadata: []abi.MetadataEntry{{Key: "k", Value: []byte("v")}},
	}
)

func FuzzDecodeDispute(f *testing.F) {
	fuzzDecode(f, "dispute", &abi.DisputeCall{Kind: 1, Game: common.Address{1}})
}
func FuzzDecodeSetParams(f *testing.F)      { fuzzDecode(f, "setParams", &abi.SetParamsCall{}) }
func FuzzDecodeSetPolicy(f *testing.F)      { fuzzDecode(f, "setPolicy", &abi.SetPolicyCall{}) }
func FuzzDecodeDeregister(f *testing.F)     { fuzzDecode(f, "deregister") }
func FuzzDecodeGetAgent(f *testing.F)       { fuzzDecode(f, "getAgent") }
func FuzzDecodeGetCapability(f *testing.F)  { fuzzDecode(f, "getCapability") }
func FuzzDecodeGetInteraction(f *testing.F) { fuzzDecode(f, "getInteraction") }
func FuzzDecodeGetReputation(f *testing.F)  { fuzzDecode(f, "getReputation") }
func FuzzDecodeHeartbeat(f *testing.F)      { fuzzDecode(f, "heartbeat") }
func FuzzDecodeInteractionId(f *testing.F)  { fuzzDecode(f, "interactionId") }
func FuzzDecodeTopUpStake(f *testing.F)     { fuzzDecode(f, "topUpStake") }
func FuzzDecodeWithdrawStake(f *testing.F)  { fuzzDecode(f, "withdrawStake") }
func FuzzDecodeRegister(f *testing.F)       { fuzzDecode(f, "register", seedRegister) }

func FuzzDecodeCommit(f *testing.F)        { fuzzDecode(f, "commit") }
func FuzzDecodeGetCommitment(f *testing.F) { fuzzDecode(f, "getCommitment") }
func FuzzDecodeReclaimSlot(f *testing.F) {
	fuzzDecode(f, "reclaimSlot", &abi.ReclaimSlotCall{Slot: 3})
}

func FuzzDecodeDiscover(f *testing.F) {
	fuzzDecode(f, "discover", &abi.DiscoverCall{Query: abi.DiscoverQuery{MinReputation: 7, Slots: 9}})
}

func FuzzDecodeDiscoverInvoke(f *testing.F) {
	fuzzDecode(f, "discoverInvoke", &abi.DiscoverInvokeCall{TtlSeconds: 9, Filter: abi.ProviderFilter{MaxLatencyMs: 5}})
}

func FuzzDecodeGiveFeedback(f *testing.F) {
	fuzzDecode(f, "giveFeedback", &abi.GiveFeedbackCall{Value: codec.NewInt128(-7), ValueDecimals: 2, Tag1: "starred", Endpoint: "agnt2:0x"})
}

func FuzzDecodeAppendResponse(f *testing.F) {
	fuzzDecode(f, "appendResponse", &abi.AppendResponseCall{ClientAddress: common.Address{1}, ResponseURI: "ipfs://r"})
}

func FuzzDecodeValidationRequest(f *testing.F) {
	fuzzDecode(f, "validationRequest", &abi.ValidationRequestCall{ValidatorAddress: common.Address{1}, RequestURI: "ipfs://w"})
}

func FuzzDecodeValidationResponse(f *testing.F) {
	fuzzDecode(f, "validationResponse", &abi.ValidationResponseCall{Response: 100, Tag: "hard"})
}

func FuzzDecodeReveal(f *testing.F) {
	fuzzDecode(f, "reveal", &abi.RevealCall{Callee: common.Address{1}, TtlSeconds: 9, Da: abi.DAPointer{Backend: 1}})
}

func FuzzDecodeInvoke(f *testing.F) {
	fuzzDecode(f, "invoke", &abi.InvokeCall{Callee: common.Address{1}, TtlSeconds: 9, Da: abi.DAPointer{Backend: 1}})
}

func FuzzDecodeRespond(f *testing.F) {
	fuzzDecode(f, "respond", &abi.RespondCall{Status: 4, Attestation: make([]byte, 65)})
}

func FuzzDecodeCancel(f *testing.F)         { fuzzDecode(f, "cancel") }
func FuzzDecodeOpenResult(f *testing.F)     { fuzzDecode(f, "openResult") }
func FuzzDecodeGetComposition(f *testing.F) { fuzzDecode(f, "getComposition") }
func FuzzDecodeCompositionId(f *testing.F)  { fuzzDecode(f, "compositionId") }

func FuzzDecodeCompose(f *testing.F) {
	fuzzDecode(f, "compose", &abi.ComposeCall{Atomic: true, Constituents: []abi.ConstituentSpec{{Callee: common.Address{1}}, {DependsOn: 1, Guard: 2}}})
}

func FuzzDecodeUpdateAgent(f *testing.F) {
	fuzzDecode(f, "updateAgent", &abi.UpdateAgentCall{Name: "n", Version: "v"})
}

func FuzzDecodeUpdateCapabilities(f *testing.F) {
	fuzzDecode(f, "updateCapabilities", &abi.UpdateCapabilitiesCall{Upserts: []abi.Capability{seedCapability}, Removals: []common.Hash{{1}, {2}}})
}

// FuzzDecodeRevert: what decodes as an error encodes to the same bytes.
func FuzzDecodeRevert(f *testing.F) {
	for _, r := range revertTypes {
		f.Add(r.Encode())
	}
	f.Add((&abi.FieldOutOfRange{Field: "name"}).Encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		if r := abi.DecodeRevert(b); r != nil && !bytes.Equal(r.Encode(), b) {
			t.Fatalf("%x decodes and encodes to %x", b, r.Encode())
		}
	})
}
