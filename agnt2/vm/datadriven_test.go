package vm_test

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"flag"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	gethabi "github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/agnt2/abi/codec"
	"github.com/agnt2/agnt2/agnt2/record"
	"github.com/agnt2/agnt2/agnt2/vm"
	"github.com/agnt2/agnt2/agnt2/vm/vmtest"
	"github.com/agnt2/agnt2/agnt2/withdrawal"
)

// The files in testdata are scripts. Each case is a line, "----" and what the line prints; -update writes the latter anew.
//
//	params NAME=VALUE …          before the first block: governance parameters by field name
//	policy NAME=VALUE …          the same of Policy
//	policy NAME=VALUE …          before the first block: further parameters
//	fund NAME=WEI …              before the first block: balances
//	fees base=WEI l1base=WEI l1scalar=N blobbase=WEI blobscalar=N
//	block +SECONDS [limit=GAS]   seals the block in progress and opens the next one; prints its sweeps
//	seal                         closes the block; prints what its closing micro-steps write
//	NAME OPERATION KEY=VALUE …   a transaction of an account; "NAME deposit OPERATION …" a deposit
//
// A printed operation is its outcome, gas and error, then every record it changed, then its events. X*N is X repeated N times.
var update = flag.Bool("update", false, "rewrite the expected outputs in testdata")

type script struct {
	*world
	names  []string
	caps   []string
	metas  []string
	ids    map[common.Hash]string
	hashes map[common.Hash]string
	params record.Params
	policy record.Policy
	funds  map[string]uint64
	last   *vm.Result

	channels []common.Hash             // in the order in which they opened
	foreign  map[common.Address]string // foreign ids as chain:agent
	history  vmtest.History
	t        testing.TB
}

func newScript() *script {
	s := &script{foreign: map[common.Address]string{}, ids: map[common.Hash]string{}, hashes: map[common.Hash]string{}, params: testParams(), policy: testPolicy(), funds: map[string]uint64{}}
	return s
}

func (s *script) begin() {
	if s.world != nil {
		return
	}
	s.world = newWorld(s.params)
	s.world.policy = s.policy
	s.state[record.PolicyKey] = s.policy.Encode()
	s.state[record.PolicyKey] = s.policy.Encode()
	for n, wei := range s.funds {
		s.fund(s.address(n), uint256.NewInt(wei))
	}
}

var fixed = map[string]common.Address{
	"agnt2": abi.Address, "reputation": abi.ReputationRegistryAddress, "validation": abi.ValidationRegistryAddress, "registry": abi.IdentityRegistryAddress, "passer": abi.MessagePasserAddress, "baseVault": abi.BaseFeeVault, "sequencerVault": abi.SequencerFeeVault,
	"l1Vault": abi.L1FeeVault, "l1Depositor": abi.L1AttributesDepositor, "l1Block": abi.L1BlockAddress,
}

func (s *script) address(name string) common.Address {
	if a, ok := fixed[name]; ok {
		return a
	}
	if !slices.Contains(s.names, name) {
		s.names = append(s.names, name)
	}
	return named(name)
}

func (s *script) hash(text string) common.Hash {
	if text == "" || text == "0" {
		return common.Hash{}
	}
	h := hashOf(text)
	s.hashes[h] = text
	return h
}

func (s *script) capability(name string) common.Hash {
	if !slices.Contains(s.caps, name) {
		s.caps = append(s.caps, name)
	}
	h := vm.CapabilityID(name)
	s.hashes[h] = name
	return h
}

// id is that of caller/salt, of the composition @initiator/salt, or of its constituent @initiator/salt#index.iteration.
func (s *script) id(spec string) common.Hash {
	if strings.HasPrefix(spec, "@") {
		return s.compositionID(spec)
	}
	caller, salt, _ := strings.Cut(spec, "/")
	id := vm.InteractionID(s.address(caller), s.hash(salt))
	s.ids[id] = spec
	return id
}

func (s *script) showAddress(a common.Address) string {
	for n, f := range fixed {
		if f == a {
			return n
		}
	}
	for _, n := range s.names {
		if named(n) == a {
			return n
		}
	}
	if n, ok := s.foreign[a]; ok {
		return n
	}
	if a == (common.Address{}) {
		return "0"
	}
	return a.Hex()
}

func short(text string) string {
	if len(text) > 40 {
		return fmt.Sprintf("%s…(%d)", text[:8], len(text))
	}
	return text
}

func (s *script) show(v reflect.Value) string {
	switch x := v.Interface().(type) {
	case common.Address:
		return s.showAddress(x)
	case common.Hash:
		if n, ok := s.ids[x]; ok {
			return n
		}
		if n, ok := s.hashes[x]; ok {
			return "#" + short(n)
		}
		if x == (common.Hash{}) {
			return "0"
		}
		return x.Hex()
	case codec.Int128:
		return x.String()
	case uint256.Int:
		if n, ok := s.showAgentID(&x); ok {
			return n
		}
		return x.Dec()
	case string:
		return strconv.Quote(short(x))
	case []byte:
		return "0x" + short(hex.EncodeToString(x))
	case [4]byte:
		return "0x" + hex.EncodeToString(x[:])
	}
	if v.Kind() == reflect.Struct {
		return s.fields(v)
	}
	if v.Kind() == reflect.Array { // without the zeros at its end
		n := v.Len()
		for n > 0 && v.Index(n-1).IsZero() {
			n--
		}
		var out []string
		for i := range n {
			out = append(out, fmt.Sprintf("%x", v.Index(i).Uint()))
		}
		return "[" + strings.Join(out, " ") + "]"
	}
	return fmt.Sprint(v.Interface())
}

func (s *script) fields(v reflect.Value) string {
	var out []string
	for i := range v.NumField() {
		out = append(out, v.Type().Field(i).Name+"="+s.show(v.Field(i)))
	}
	return "(" + strings.Join(out, " ") + ")"
}

func decodeRecord(k record.Key, b []byte) any {
	switch record.Namespace(k[0]) {
	case record.NSAccount:
		return must(record.DecodeAccount(b))
	case record.NSAgent:
		return must(record.DecodeAgent(b))
	case record.NSAgentURI:
		return must(record.DecodeAgentURI(b))
	case record.NSMetadata:
		return must(record.DecodeMetadata(b))
	case record.NSCapability:
		return must(record.DecodeCapability(b))
	case record.NSCapabilityDetail:
		return must(record.DecodeCapabilityDetail(b))
	case record.NSReputation:
		return must(record.DecodeReputation(b))
	case record.NSPair:
		return must(record.DecodePair(b))
	case record.NSDelegation:
		return must(record.DecodeDelegation(b))
	case record.NSSession:
		return must(record.DecodeSession(b))
	case record.NSWallet:
		return must(record.DecodeWallet(b))
	case record.NSHolding:
		return must(record.DecodeHolding(b))
	case record.NSInteraction:
		return must(record.DecodeInteraction(b))
	case record.NSIndex:
		return must(record.DecodeIndexSlot(b))
	case record.NSIndexCount:
		return must(record.DecodeIndexCount(b))
	case record.NSCommitment:
		return must(record.DecodeCommitment(b))
	case record.NSDeadline:
		return must(record.DecodeDeadline(b))
	case record.NSChannel:
		return must(record.DecodeChannel(b))
	case record.NSChannelPair:
		return must(record.DecodeChannelPair(b))
	case record.NSDispute:
		return must(record.DecodeDispute(b))
	case record.NSComposition:
		return must(record.DecodeComposition(b))
	case record.NSConstituent:
		return must(record.DecodeConstituent(b))
	case record.NSForeign:
		return must(record.DecodeForeign(b))
	case record.NSFeedback:
		return must(record.DecodeFeedback(b))
	case record.NSFeedbackCount:
		return must(record.DecodeFeedbackCount(b))
	case record.NSRating:
		return must(record.DecodeRating(b))
	case record.NSResponseCount:
		return must(record.DecodeResponseCount(b))
	case record.NSListCount:
		return must(record.DecodeListCount(b))
	case record.NSListEntry:
		return must(record.DecodeListEntry(b))
	case record.NSValidation:
		return must(record.DecodeValidation(b))
	}
	switch k {
	case record.TotalsKey:
		return must(record.DecodeTotals(b))
	case record.L1InfoKey:
		return must(record.DecodeL1Info(b))
	case record.HistoryKey:
		return must(record.DecodeHistory(b))
	case record.PolicyKey:
		return must(record.DecodePolicy(b))
	}
	return must(record.DecodeParams(b))
}

// label names a key by trying everything that the script has mentioned.
func (s *script) label(c change) string {
	ns := record.Namespace(c.key[0])
	if label, ok := s.feedbackLabel(ns, c.key); ok {
		return label
	}
	everyone := slices.Clone(s.names)
	for n := range fixed {
		everyone = append(everyone, n)
	}
	for _, n := range everyone {
		a := s.address(n)
		for _, k := range []record.Key{record.AccountKey(a), record.AgentKey(a), record.AgentURIKey(a), record.ReputationKey(a), record.WalletKey(a), record.HoldingKey(a)} {
			if k == c.key {
				return fmt.Sprintf("%s/%s", ns, n)
			}
		}
		for _, other := range everyone {
			if record.PairKey(a, s.address(other)) == c.key || record.ChannelPairKey(a, s.address(other)) == c.key || record.DelegationKey(a, s.address(other)) == c.key {
				return fmt.Sprintf("%s/%s/%s", ns, n, other)
			}
		}
		for _, name := range s.caps {
			if slot := indexSlot(c.key, name); slot != "" {
				return fmt.Sprintf("%s/%s", ns, slot)
			}
			if id := vm.CapabilityID(name); record.CapabilityKey(a, id) == c.key || record.CapabilityDetailKey(a, id) == c.key {
				return fmt.Sprintf("%s/%s/%s", ns, n, short(name))
			}
		}
		for _, key := range s.metas {
			if record.MetadataKey(a, key) == c.key {
				return fmt.Sprintf("%s/%s/%s", ns, n, short(key))
			}
		}
	}
	for id, n := range s.foreign {
		if record.ForeignKey(id) == c.key {
			return fmt.Sprintf("%s/%s", ns, n)
		}
	}
	for id, n := range s.ids {
		if record.InteractionKey(id) == c.key || record.ChannelKey(id) == c.key || record.DisputeKey(id) == c.key || record.SessionKey(id) == c.key || record.CommitmentKey(id) == c.key || record.CompositionKey(id) == c.key {
			return fmt.Sprintf("%s/%s", ns, n)
		}
		for i := range uint8(vm.MaxConstituents) {
			if record.ConstituentKey(id, i) == c.key {
				return fmt.Sprintf("%s/%s#%d", ns, n, i)
			}
		}
	}
	switch {
	case ns == record.NSDeadline:
		due := map[record.DeadlineKind]string{record.DueHistory: "/history", record.DueDispute: "/dispute", record.DueCompositionHistory: "/history"}[record.DueOf(c.key)]
		return fmt.Sprintf("%s/%d%s", ns, record.DeadlineOf(c.key), due)
	case c.key == record.TotalsKey:
		return "global/totals"
	case c.key == record.L1InfoKey:
		return "global/l1Info"
	case c.key == record.ParamsKey:
		return "global/params"
	case c.key == record.PolicyKey:
		return "global/policy"
	case c.key == record.HistoryKey:
		return "global/history"
	}
	return c.key.String()
}

func (s *script) showChange(c change) string {
	if c.new == nil {
		return s.label(c) + " deleted"
	}
	now := reflect.ValueOf(decodeRecord(c.key, c.new))
	old := reflect.Zero(now.Type())
	verb := "+"
	if c.old != nil {
		old, verb = reflect.ValueOf(decodeRecord(c.key, c.old)), ""
	}
	out := []string{verb + s.label(c)}
	for i := range now.NumField() {
		if !reflect.DeepEqual(now.Field(i).Interface(), old.Field(i).Interface()) {
			f := now.Type().Field(i).Name + " "
			if c.old != nil {
				f += s.show(old.Field(i)) + "→"
			}
			out = append(out, f+s.show(now.Field(i)))
		}
	}
	return strings.Join(out, ", ")
}

func typeName(v any) string { return reflect.TypeOf(v).Elem().Name() }

// eventDecoders by topic.
var eventDecoders = map[common.Hash]func(*types.Log) any{
	abi.AgentRegisteredTopic:      func(l *types.Log) any { v := must(abi.DecodeAgentRegisteredEvent(l)); return &v },
	abi.AgentUpdatedTopic:         func(l *types.Log) any { v := must(abi.DecodeAgentUpdatedEvent(l)); return &v },
	abi.CapabilityUpdatedTopic:    func(l *types.Log) any { v := must(abi.DecodeCapabilityUpdatedEvent(l)); return &v },
	abi.CapabilityRemovedTopic:    func(l *types.Log) any { v := must(abi.DecodeCapabilityRemovedEvent(l)); return &v },
	abi.MetadataSetTopic:          func(l *types.Log) any { v := must(abi.DecodeMetadataSetEvent(l)); return &v },
	abi.StakeAddedTopic:           func(l *types.Log) any { v := must(abi.DecodeStakeAddedEvent(l)); return &v },
	abi.AgentDeregisteredTopic:    func(l *types.Log) any { v := must(abi.DecodeAgentDeregisteredEvent(l)); return &v },
	abi.StakeWithdrawnTopic:       func(l *types.Log) any { v := must(abi.DecodeStakeWithdrawnEvent(l)); return &v },
	abi.HeartbeatTopic:            func(l *types.Log) any { v := must(abi.DecodeHeartbeatEvent(l)); return &v },
	abi.InvokedTopic:              func(l *types.Log) any { v := must(abi.DecodeInvokedEvent(l)); return &v },
	abi.RespondedTopic:            func(l *types.Log) any { v := must(abi.DecodeRespondedEvent(l)); return &v },
	abi.ChannelOpenedTopic:        func(l *types.Log) any { v := must(abi.DecodeChannelOpenedEvent(l)); return &v },
	abi.ChannelExistsTopic:        func(l *types.Log) any { v := must(abi.DecodeChannelExistsEvent(l)); return &v },
	abi.ChannelCheckpointedTopic:  func(l *types.Log) any { v := must(abi.DecodeChannelCheckpointedEvent(l)); return &v },
	abi.ChannelClosingTopic:       func(l *types.Log) any { v := must(abi.DecodeChannelClosingEvent(l)); return &v },
	abi.ChannelStateReplacedTopic: func(l *types.Log) any { v := must(abi.DecodeChannelStateReplacedEvent(l)); return &v },
	abi.ChannelClosedTopic:        func(l *types.Log) any { v := must(abi.DecodeChannelClosedEvent(l)); return &v },
	abi.DoubleSignedTopic:         func(l *types.Log) any { v := must(abi.DecodeDoubleSignedEvent(l)); return &v },
	abi.SlashedTopic:              func(l *types.Log) any { v := must(abi.DecodeSlashedEvent(l)); return &v },
	abi.DisputeOpenedTopic:        func(l *types.Log) any { v := must(abi.DecodeDisputeOpenedEvent(l)); return &v },
	abi.DisputeClosedTopic:        func(l *types.Log) any { v := must(abi.DecodeDisputeClosedEvent(l)); return &v },
	abi.ParamsChangedTopic:        func(l *types.Log) any { v := must(abi.DecodeParamsChangedEvent(l)); return &v },
	abi.PolicyChangedTopic:        func(l *types.Log) any { v := must(abi.DecodePolicyChangedEvent(l)); return &v },
	abi.FeesWithdrawnTopic:        func(l *types.Log) any { v := must(abi.DecodeFeesWithdrawnEvent(l)); return &v },
	abi.ActedForTopic:             func(l *types.Log) any { v := must(abi.DecodeActedForEvent(l)); return &v },
	abi.KeyAuthorizedTopic:        func(l *types.Log) any { v := must(abi.DecodeKeyAuthorizedEvent(l)); return &v },
	abi.KeyRevokedTopic:           func(l *types.Log) any { v := must(abi.DecodeKeyRevokedEvent(l)); return &v },
	abi.OwnershipTransferredTopic: func(l *types.Log) any { v := must(abi.DecodeOwnershipTransferredEvent(l)); return &v },
	abi.AgentURISetTopic:          func(l *types.Log) any { v := must(abi.DecodeAgentURISetEvent(l)); return &v },
	abi.AgentWalletSetTopic:       func(l *types.Log) any { v := must(abi.DecodeAgentWalletSetEvent(l)); return &v },
	abi.PaidTopic:                 func(l *types.Log) any { v := must(abi.DecodePaidEvent(l)); return &v },
	abi.SessionOpenedTopic:        func(l *types.Log) any { v := must(abi.DecodeSessionOpenedEvent(l)); return &v },
	abi.SessionClosedTopic:        func(l *types.Log) any { v := must(abi.DecodeSessionClosedEvent(l)); return &v },
	abi.SlotReclaimedTopic:        func(l *types.Log) any { v := must(abi.DecodeSlotReclaimedEvent(l)); return &v },
	abi.CommittedTopic:            func(l *types.Log) any { v := must(abi.DecodeCommittedEvent(l)); return &v },
	abi.RevealedTopic:             func(l *types.Log) any { v := must(abi.DecodeRevealedEvent(l)); return &v },
	abi.RevealRefundedTopic:       func(l *types.Log) any { v := must(abi.DecodeRevealRefundedEvent(l)); return &v },
	abi.CommitmentForfeitedTopic:  func(l *types.Log) any { v := must(abi.DecodeCommitmentForfeitedEvent(l)); return &v },
	abi.TimedOutTopic:             func(l *types.Log) any { v := must(abi.DecodeTimedOutEvent(l)); return &v },

	abi.AgentImportedTopic: func(l *types.Log) any { v := must(abi.DecodeAgentImportedEvent(l)); return &v },

	abi.ComposedTopic:             func(l *types.Log) any { v := must(abi.DecodeComposedEvent(l)); return &v },
	abi.ConstituentAnsweredTopic:  func(l *types.Log) any { v := must(abi.DecodeConstituentAnsweredEvent(l)); return &v },
	abi.ConstituentOpenedTopic:    func(l *types.Log) any { v := must(abi.DecodeConstituentOpenedEvent(l)); return &v },
	abi.CompositionEndedTopic:     func(l *types.Log) any { v := must(abi.DecodeCompositionEndedEvent(l)); return &v },
	abi.CompositionRefundedTopic:  func(l *types.Log) any { v := must(abi.DecodeCompositionRefundedEvent(l)); return &v },
	abi.CompositionCancelledTopic: func(l *types.Log) any { v := must(abi.DecodeCompositionCancelledEvent(l)); return &v },
	abi.InvokeCancelledTopic:      func(l *types.Log) any { v := must(abi.DecodeInvokeCancelledEvent(l)); return &v },
}

func (s *script) showLog(l *types.Log) string {
	if d, ok := eventDecoders[l.Topics[0]]; ok && l.Address == abi.Address {
		v := d(l)
		return "event " + strings.TrimSuffix(typeName(v), "Event") + s.fields(reflect.ValueOf(v).Elem())
	}
	if d, ok := registryEvents[l.Topics[0]]; ok && l.Address == abi.IdentityRegistryAddress {
		v := d(l)
		return "event ERC8004 " + strings.TrimSuffix(typeName(v), "Event") + s.fields(reflect.ValueOf(v).Elem())
	}
	if d, ok := feedbackEvents[l.Topics[0]]; ok && (l.Address == abi.ReputationRegistryAddress || l.Address == abi.ValidationRegistryAddress) {
		v := d(l)
		return "event ERC8004 " + strings.TrimSuffix(typeName(v), "Event") + s.fields(reflect.ValueOf(v).Elem())
	}
	if l.Address == abi.MessagePasserAddress && l.Topics[0] == hashOf("MessagePassed(uint256,address,address,uint256,uint256,bytes,bytes32)") {
		out, err := messagePassedArgs.Unpack(l.Data)
		if err != nil {
			return "event MessagePassed: " + err.Error()
		}
		return fmt.Sprintf("event MessagePassed(nonce=%s sender=%s target=%s value=%v gasLimit=%v data=%d bytes)",
			l.Topics[1].Big().Text(16), s.showAddress(common.BytesToAddress(l.Topics[2][:])),
			s.showAddress(common.BytesToAddress(l.Topics[3][:])), out[0], out[1], len(out[2].([]byte)))
	}
	return fmt.Sprintf("event %v", l.Topics)
}

func abiType(name string) gethabi.Type { return must(gethabi.NewType(name, "", nil)) }

var messagePassedArgs = gethabi.Arguments{
	{Type: abiType("uint256")}, {Type: abiType("uint256")}, {Type: abiType("bytes")}, {Type: abiType("bytes32")},
}

func (s *script) showResult(r *vm.Result, cs []change) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s gas=%d", r.Outcome, r.GasUsed)
	if r.Why != nil {
		fmt.Fprintf(&b, ": %v", r.Why)
	}
	if r.Revert != nil {
		fmt.Fprintf(&b, " revert %s%s", typeName(r.Revert), s.fields(reflect.ValueOf(r.Revert).Elem()))
	}
	if r.Return != nil {
		fmt.Fprintf(&b, " returns %s", s.show(reflect.ValueOf(common.BytesToHash(r.Return))))
	}
	b.WriteByte('\n')
	for _, l := range r.Logs { // learn ids before labels are looked up
		if ev, err := abi.DecodeInvokedEvent(l); err == nil && s.ids[ev.Id] == "" {
			s.ids[ev.Id] = "unnamed"
		}
		if ev, err := abi.DecodeChannelOpenedEvent(l); err == nil {
			s.learnChannel(ev.Id)
		}
	}
	s.changes(&b, cs)
	for _, l := range r.Logs {
		fmt.Fprintf(&b, "  %s\n", s.showLog(l))
	}
	return b.String()
}

func (s *script) changes(b *strings.Builder, cs []change) {
	lines := make([]string, len(cs))
	for i, c := range cs {
		lines[i] = "  " + s.showChange(c) + "\n"
	}
	slices.Sort(lines)
	b.WriteString(strings.Join(lines, ""))
}

type args map[string][]string

var repeated = regexp.MustCompile(`^(.*)\*(\d+)$`)

func parseArgs(words []string) args {
	a := args{}
	for _, w := range words {
		k, v, _ := strings.Cut(w, "=")
		if m := repeated.FindStringSubmatch(v); m != nil && !strings.Contains(v, ":") {
			n, _ := strconv.Atoi(m[2])
			v = strings.Repeat(m[1], n)
		}
		a[k] = append(a[k], v)
	}
	return a
}

func (a args) text(k, or string) string {
	if v, ok := a[k]; ok {
		delete(a, k)
		return v[len(v)-1]
	}
	return or
}

func (a args) number(k string, or uint64) uint64 {
	return must(strconv.ParseUint(a.text(k, strconv.FormatUint(or, 10)), 0, 64))
}

func (a args) wei(k string, or uint64) (v uint256.Int) {
	if t := a.text(k, ""); t == "max" {
		v.SetAllOne()
	} else if t == "" {
		v.SetUint64(or)
	} else {
		v = *must(uint256.FromDecimal(t))
	}
	return v
}

func (a args) list(k string) []string {
	v := a[k]
	delete(a, k)
	return v
}

func (s *script) capabilities(specs []string) (out []abi.Capability) {
	for _, spec := range specs { // name:price:class[:endpoint][;latency[;commit[;input schema[;output schema]]]]
		terms := append(strings.Split(spec, ";"), make([]string, 4)...)
		f := append(strings.Split(terms[0], ":"), "", "", "")
		var c abi.Capability
		c.Name, c.LatencyMsP99, c.Endpoint = f[0], 250, f[3]
		if m := repeated.FindStringSubmatch(c.Name); m != nil {
			c.Name = strings.Repeat(m[1], must(strconv.Atoi(m[2])))
		}
		if m := repeated.FindStringSubmatch(c.Endpoint); m != nil {
			c.Endpoint = strings.Repeat(m[1], must(strconv.Atoi(m[2])))
		}
		s.capability(c.Name)
		if f[1] != "" {
			c.PriceWei = *must(uint256.FromDecimal(f[1]))
		}
		if f[2] != "" {
			c.Class = uint8(must(strconv.ParseUint(f[2], 10, 8)))
		}
		if terms[1] != "" {
			c.LatencyMsP99 = uint32(must(strconv.ParseUint(terms[1], 10, 32)))
		}
		c.CommitRequired = terms[2] == "commit"
		c.InputSchemaHash, c.OutputSchemaHash = s.hash(terms[3]), s.hash(terms[4])
		out = append(out, c)
	}
	return out
}

func (s *script) metadata(specs []string) (out []abi.MetadataEntry) {
	for _, spec := range specs {
		k, v, _ := strings.Cut(spec, ":")
		s.metas = append(s.metas, k)
		out = append(out, abi.MetadataEntry{Key: k, Value: []byte(v)})
	}
	return out
}

// call builds an operation's target and calldata.
func (s *script) call(from, op string, a args) (to *common.Address, data []byte) {
	to = &abi.Address
	switch op {
	case "register":
		c := &abi.RegisterCall{
			Name: a.text("name", from), Version: a.text("version", "1"), AgentURI: a.text("uri", ""), ImageDigest: s.hash(a.text("image", "")),
			Capabilities: s.capabilities(a.list("cap")), Metadata: s.metadata(a.list("meta")),
		}
		return to, c.Encode()
	case "updateAgent":
		return to, (&abi.UpdateAgentCall{Name: a.text("name", from), Version: a.text("version", "1"), ImageDigest: s.hash(a.text("image", ""))}).Encode()
	case "updateCapabilities":
		c := &abi.UpdateCapabilitiesCall{Upserts: s.capabilities(a.list("cap"))}
		for _, n := range a.list("remove") {
			c.Removals = append(c.Removals, s.capability(n))
		}
		for range a.number("removals", 0) {
			c.Removals = append(c.Removals, common.Hash{1})
		}
		return to, c.Encode()
	case "topUpStake":
		return to, (&abi.TopUpStakeCall{}).Encode()
	case "deregister":
		return to, (&abi.DeregisterCall{}).Encode()
	case "withdrawStake":
		return to, (&abi.WithdrawStakeCall{}).Encode()
	case "heartbeat":
		return to, (&abi.HeartbeatCall{}).Encode()
	case "invoke":
		return to, s.invoke(from, a).Encode()
	case "discoverInvoke", "reclaimSlot", "commit", "reveal":
		return to, s.market(from, op, a)
	case "respond":
		statuses := []string{"OK", "ERROR", "TIMEOUT_GRACEFUL", "PARSE_FAILURE", "REJECTED"}
		spec := a.text("status", "OK")
		status := slices.Index(statuses, spec)
		if status < 0 {
			status = must(strconv.Atoi(spec))
		}
		c := &abi.RespondCall{
			Id: s.id(a.text("id", "alice/1")), Status: uint8(status), Branch: uint32(a.number("branch", 0)),
			ExecutionMs: a.number("ms", 7), TimestampMs: a.number("at", 9),
		}
		result := "0"
		if status == 0 {
			result = "result"
		}
		c.ResultHash = s.hash(a.text("result", result))
		c.Da = abi.DAPointer{ContentHash: c.ResultHash, LengthBytes: uint32(a.number("bytes", 0)), Backend: uint8(a.number("backend", 1))}
		if salt := a.text("commit", ""); salt != "" {
			c.ResultHash = s.commitment(c.ResultHash, salt)
			c.Da.ContentHash = c.ResultHash
		}
		if h := a.text("content", ""); h != "" {
			c.Da.ContentHash = s.hash(h)
		}
		c.Attestation = s.attestation(c, a.text("attest", ""), s.hash(a.text("image", "")))
		return to, c.Encode()
	case "openChannel", "checkpoint", "closeChannel", "disputeChannel", "reportDoubleSigning":
		return to, s.channelCall(from, op, a)
	case "dispute":
		c := &abi.DisputeCall{
			Kind: uint8(a.number("kind", 2)), Target: s.id(a.text("id", "alice/1")), EvidenceHash: s.hash(a.text("evidence", "evidence")),
		}
		if game := a.text("game", ""); game != "" {
			c.Game = s.address(game)
		}
		c.Da = abi.DAPointer{ContentHash: c.EvidenceHash, LengthBytes: uint32(a.number("bytes", 0)), Backend: uint8(a.number("backend", 1))}
		if h := a.text("content", ""); h != "" {
			c.Da.ContentHash = s.hash(h)
		}
		return to, c.Encode()
	case "disputePruned": // with the record of=ID, and as index and path whatever is said
		_, plain := s.call(from, "dispute", a)
		c := must(abi.DecodeDisputeCall(plain[4:]))
		of := c.Target
		if other := a.text("of", ""); other != "" {
			of = s.id(other)
		}
		index, ok := s.history.Last(of)
		require.True(s.t, ok, "not in the history")
		x := s.history.Dispute(&c, index)
		x.Index = a.number("index", x.Index)
		for n := int(a.number("length", uint64(len(x.Path)))); len(x.Path) != n; {
			if x.Path = append(x.Path, common.Hash{}); len(x.Path) > n {
				x.Path = x.Path[:n]
			}
		}
		return to, x.Encode()
	case "resolveDispute":
		return to, (&abi.ResolveDisputeCall{
			Target: s.id(a.text("id", "alice/1")), Upheld: a.text("upheld", "true") == "true", Game: s.address(a.text("game", "carol")),
		}).Encode()
	case "setParams": // those that are not named stay
		p := must(record.DecodeParams(s.get(record.ParamsKey)))
		for k, v := range a {
			setParam(s.t, &p, k, v[0])
			delete(a, k)
		}
		return to, (&abi.SetParamsCall{Params: abi.IRecordsParams(p)}).Encode()
	case "setPolicy":
		p := must(record.DecodePolicy(s.get(record.PolicyKey)))
		if g := a.text("Governance", ""); g != "" {
			p.Governance = s.address(g)
		}
		if g := a.text("AgentPassport", ""); g == "0" {
			p.AgentPassport = common.Address{}
		} else if g != "" {
			p.AgentPassport = s.address(g)
		}
		for k, v := range a {
			setParam(s.t, &p, k, v[0])
			delete(a, k)
		}
		return to, (&abi.SetPolicyCall{Policy: abi.IRecordsPolicy(p)}).Encode()
	case "withdrawFees":
		return to, (&abi.WithdrawFeesCall{Vault: s.address(a.text("vault", "baseVault"))}).Encode()
	case "importAgent":
		return to, s.importCall(a).Encode()
	case "compose", "openResult", "cancel":
		return to, s.composeCall(from, op, a)
	case "giveFeedback", "revokeFeedback", "appendResponse", "validationRequest", "validationResponse":
		return s.feedbackCall(from, op, a)
	case "transfer":
		t := s.address(a.text("to", ""))
		return &t, nil
	case "initiateWithdrawal":
		data := bytes.Repeat([]byte{7}, int(a.number("bytes", 0)))
		args := gethabi.Arguments{{Type: abiType("address")}, {Type: abiType("uint256")}, {Type: abiType("bytes")}}
		limit := new(big.Int).SetUint64(a.number("gasLimit", 100000))
		packed := must(args.Pack(s.address(a.text("target", from)), limit, data))
		packed = append(packed, must(hex.DecodeString(a.text("tail", "")))...)
		return &abi.MessagePasserAddress, append(crypto.Keccak256([]byte("initiateWithdrawal(address,uint256,bytes)"))[:4], packed...)
	case "raw":
		t := s.address(a.text("to", "agnt2"))
		return &t, must(hex.DecodeString(a.text("data", "")))
	case "create":
		return nil, must(hex.DecodeString(a.text("data", "")))
	case "attributes":
		return &abi.L1BlockAddress, must(hex.DecodeString(a.text("data", "")))
	}
	return s.identityCall(from, op, a)
}

// attestation signs an answer: by a name; "short" and "highs" are malformed ones.
func (s *script) attestation(c *abi.RespondCall, by string, image common.Hash) []byte {
	if by == "" {
		return nil
	}
	name, twist, _ := strings.Cut(by, ":")
	att := vm.Attestation{
		ID: c.Id, ParamsHash: s.hash("params"), ResultHash: c.ResultHash, Status: c.Status, ExecutionMs: c.ExecutionMs,
		TimestampMs: c.TimestampMs, ImageDigest: image,
	}
	digest := att.Digest(testChainID)
	sig := signed(digest, name)
	switch twist {
	case "short":
		return sig[:64]
	case "highs":
		v := new(big.Int).Sub(crypto.S256().Params().N, new(big.Int).SetBytes(sig[32:64]))
		v.FillBytes(sig[32:64])
		sig[64] = 27 + 28 - sig[64]
	case "v0":
		sig[64] -= 27
	}
	return sig
}

func (s *script) run(t testing.TB, line string) string {
	words := strings.Fields(line)
	a := parseArgs(words[1:])
	var b strings.Builder
	switch words[0] {
	case "params":
		for k, v := range a {
			setParam(t, &s.params, k, v[0])
		}
		return ""
	case "policy":
		for k, v := range a {
			if k == "FeeRecipient" || k == "DisputeResolver" || k == "Governance" || k == "AgentPassport" {
				reflect.ValueOf(&s.policy).Elem().FieldByName(k).Set(reflect.ValueOf(s.address(v[0])))
				if v[0] == "0" {
					reflect.ValueOf(&s.policy).Elem().FieldByName(k).SetZero()
				}
				continue
			}
			setParam(t, &s.policy, k, v[0])
		}
		return ""
	case "fund":
		for k, v := range a {
			s.address(k)
			s.funds[k] = must(strconv.ParseUint(v[0], 10, 64))
		}
		return ""
	case "fees":
		s.begin()
		s.baseFee = a.wei("base", 0)
		s.l1.BaseFee, s.l1.BlobBaseFee = a.wei("l1base", 0), a.wei("blobbase", 0)
		s.l1.BaseFeeScalar, s.l1.BlobBaseFeeScalar = uint32(a.number("l1scalar", 0)), uint32(a.number("blobscalar", 0))
		return ""
	case "block":
		s.begin()
		if s.m != nil {
			s.seal()
		}
		step := must(strconv.ParseUint(strings.TrimPrefix(words[1], "+"), 10, 64))
		s.limit = parseArgs(words[2:]).number("limit", 200_000_000)
		r, cs := s.open(step)
		s.history.Follow(s.m)
		fmt.Fprintf(&b, "block %d at %d\n", s.number, s.time)
		var kept []change
		for _, c := range cs { // the copy of L1's values is the same for every block
			if c.key != record.L1InfoKey && c.key != record.AccountKey(abi.L1AttributesDepositor) {
				kept = append(kept, c)
			}
		}
		s.changes(&b, kept)
		for _, l := range r.Logs {
			fmt.Fprintf(&b, "  %s\n", s.showLog(l))
		}
		return b.String()
	case "seal":
		s.changes(&b, s.seal())
		return b.String()
	}
	from := words[0]
	tx := &abi.Transaction{From: s.address(from)}
	op := words[1]
	rest := words[2:]
	if op == "deposit" {
		tx.Deposit, op, rest = true, rest[0], rest[1:]
	}
	a = parseArgs(rest)
	acc := s.account(tx.From)
	tx.Value, tx.Mint = a.wei("value", 0), a.wei("mint", 0)
	tx.GasLimit, tx.Nonce = a.number("gas", 100_000), a.number("nonce", acc.Nonce)
	tx.FeeCap, tx.TipCap = a.wei("feecap", 1_000_000), a.wei("tip", 0)
	tx.To, tx.Data = s.call(from, op, a)
	tx.Data = append(tx.Data, must(hex.DecodeString(a.text("tail", "")))...)
	tx.Size = int(a.number("size", uint64(100+len(tx.Data))))
	require.Empty(t, a, "unknown arguments in %q", line)
	r, cs := s.apply(tx)
	s.last = r
	switch r.Outcome {
	case vm.Void:
		require.Empty(t, cs, "void transaction changed records: %s", line)
	case vm.Failed:
		require.Empty(t, r.Logs, "failed transaction logs: %s", line)
		for _, c := range cs {
			require.Equal(t, record.AccountKey(tx.From), c.key, "failed transaction changed a record: %s", line)
		}
		require.NotNil(t, abi.DecodeRevert(r.Revert.Encode()), "error does not decode: %s", line)
	}
	return s.showResult(r, cs)
}

func setParam(t testing.TB, p any, name, value string) {
	f := reflect.ValueOf(p).Elem().FieldByName(name)
	require.True(t, f.IsValid(), "no parameter %s", name)
	n := must(strconv.ParseUint(value, 10, 64))
	if f.Kind() == reflect.Struct {
		panic("unreachable: " + name)
	}
	if f.Type() == reflect.TypeOf(uint256.Int{}) {
		f.Set(reflect.ValueOf(*uint256.NewInt(n)))
		return
	}
	f.SetUint(n)
}

func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			raw, err := os.ReadFile(file)
			require.NoError(t, err)
			s := newScript()
			s.t = t
			var out strings.Builder
			in := bufio.NewScanner(bytes.NewReader(raw))
			in.Buffer(nil, 1<<20)
			for n := 1; in.Scan(); n++ {
				line := in.Text()
				if strings.TrimSpace(line) == "" || strings.HasPrefix(line, "#") {
					fmt.Fprintln(&out, line)
					continue
				}
				at := n
				got := s.run(t, line)
				var want strings.Builder
				if in.Scan() {
					n++
				}
				require.Equal(t, "----", in.Text(), "%s:%d", file, n)
				for in.Scan() {
					n++
					if in.Text() == "" {
						break
					}
					want.WriteString(in.Text() + "\n")
				}
				if !*update && got != want.String() {
					t.Errorf("%s:%d: %s\nwant:\n%sgot:\n%s", file, at, line, want.String(), got)
				}
				fmt.Fprintf(&out, "%s\n----\n%s\n", line, got)
			}
			require.LessOrEqual(t, s.most, 1, "a micro-step touched more than one record")
			if *update {
				require.NoError(t, os.WriteFile(file, []byte(strings.TrimRight(out.String(), "\n")+"\n"), 0o644))
			}
		})
	}
}

func scripts(t *testing.T) string {
	files, err := filepath.Glob("testdata/*.txt")
	require.NoError(t, err)
	var all strings.Builder
	for _, f := range files {
		raw, err := os.ReadFile(f)
		require.NoError(t, err)
		all.Write(raw)
	}
	return all.String()
}

// TestScriptsCoverEverything: every error of the interface is provoked, every operation succeeds, every event is emitted.
func TestScriptsCoverEverything(t *testing.T) {
	all := scripts(t)
	a, err := gethabi.JSON(strings.NewReader(abi.JSON))
	require.NoError(t, err)
	for name := range a.Errors {
		require.True(t, strings.Contains(all, " revert "+name+"("), "no script provokes %s", name)
	}
	for name := range a.Events {
		require.True(t, strings.Contains(all, "event "+name+"("), "no script emits %s", name)
	}
	for name, m := range a.Methods {
		if m.IsConstant() {
			continue
		}
		require.True(t, regexp.MustCompile(`(?m)^\w+ (deposit )?`+name+`( .*)?\n----\nsucceeded`).MatchString(all), "no script succeeds in %s", name)
	}
	for _, status := range []string{"OK", "ERROR", "TIMEOUT_GRACEFUL", "PARSE_FAILURE", "REJECTED"} {
		require.True(t, regexp.MustCompile(`respond .*status=`+status+`( .*)?\n----\nsucceeded`).MatchString(all), "no script responds %s", status)
	}
}

// TestWithdrawalHash compares the message hash with Hashing.hashWithdrawal as Solidity encodes it.
func TestWithdrawalHash(t *testing.T) {
	args := gethabi.Arguments{
		{Type: abiType("uint256")}, {Type: abiType("address")}, {Type: abiType("address")}, {Type: abiType("uint256")}, {Type: abiType("uint256")}, {Type: abiType("bytes")},
	}
	for n := range 70 {
		m := withdrawal.Message{
			Nonce: uint64(n) << 40, Sender: addressOf("a"), Target: addressOf("b"), Value: *uint256.NewInt(uint64(n) * 12345),
			GasLimit: *uint256.NewInt(uint64(n)), Data: bytes.Repeat([]byte{byte(n + 1)}, n),
		}
		nonce := new(big.Int).Lsh(common.Big1, 240)
		nonce.Or(nonce, new(big.Int).SetUint64(m.Nonce))
		packed, err := args.Pack(nonce, m.Sender, m.Target, m.Value.ToBig(), m.GasLimit.ToBig(), m.Data)
		require.NoError(t, err)
		require.Equal(t, crypto.Keccak256Hash(packed), m.Hash(), "%d bytes of data", n)
	}
}
