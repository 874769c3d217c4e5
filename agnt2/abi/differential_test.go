package abi_test

import (
	"bytes"
	"errors"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	gethabi "github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/agnt2/abi/codec"
)

type encoder interface{ Encode() []byte }

// decodable is one generated argument list: skip is the length of the selector that its Encode writes.
type decodable struct {
	zero   encoder
	decode func([]byte) (encoder, error)
	skip   int
}

func of[T any, P interface {
	*T
	encoder
}](decode func([]byte) (T, error), skip int) decodable {
	return decodable{P(new(T)), func(b []byte) (encoder, error) {
		v, err := decode(b)
		return P(&v), err
	}, skip}
}

var calls = map[string]decodable{
	"cancel":              of(abi.DecodeCancelCall, 4),
	"giveFeedback":        of(abi.DecodeGiveFeedbackCall, 4),
	"revokeFeedback":      of(abi.DecodeRevokeFeedbackCall, 4),
	"appendResponse":      of(abi.DecodeAppendResponseCall, 4),
	"validationRequest":   of(abi.DecodeValidationRequestCall, 4),
	"validationResponse":  of(abi.DecodeValidationResponseCall, 4),
	"compose":             of(abi.DecodeComposeCall, 4),
	"compositionId":       of(abi.DecodeCompositionIdCall, 4),
	"getComposition":      of(abi.DecodeGetCompositionCall, 4),
	"openResult":          of(abi.DecodeOpenResultCall, 4),
	"deregister":          of(abi.DecodeDeregisterCall, 4),
	"getAgent":            of(abi.DecodeGetAgentCall, 4),
	"getCapability":       of(abi.DecodeGetCapabilityCall, 4),
	"getInteraction":      of(abi.DecodeGetInteractionCall, 4),
	"getReputation":       of(abi.DecodeGetReputationCall, 4),
	"commit":              of(abi.DecodeCommitCall, 4),
	"discover":            of(abi.DecodeDiscoverCall, 4),
	"discoverInvoke":      of(abi.DecodeDiscoverInvokeCall, 4),
	"getCommitment":       of(abi.DecodeGetCommitmentCall, 4),
	"reclaimSlot":         of(abi.DecodeReclaimSlotCall, 4),
	"reveal":              of(abi.DecodeRevealCall, 4),
	"heartbeat":           of(abi.DecodeHeartbeatCall, 4),
	"interactionId":       of(abi.DecodeInteractionIdCall, 4),
	"invoke":              of(abi.DecodeInvokeCall, 4),
	"register":            of(abi.DecodeRegisterCall, 4),
	"respond":             of(abi.DecodeRespondCall, 4),
	"topUpStake":          of(abi.DecodeTopUpStakeCall, 4),
	"dispute":             of(abi.DecodeDisputeCall, 4),
	"disputePruned":       of(abi.DecodeDisputePrunedCall, 4),
	"resolveDispute":      of(abi.DecodeResolveDisputeCall, 4),
	"getDispute":          of(abi.DecodeGetDisputeCall, 4),
	"setParams":           of(abi.DecodeSetParamsCall, 4),
	"setPolicy":           of(abi.DecodeSetPolicyCall, 4),
	"withdrawFees":        of(abi.DecodeWithdrawFeesCall, 4),
	"updateAgent":         of(abi.DecodeUpdateAgentCall, 4),
	"updateCapabilities":  of(abi.DecodeUpdateCapabilitiesCall, 4),
	"withdrawStake":       of(abi.DecodeWithdrawStakeCall, 4),
	"openChannel":         of(abi.DecodeOpenChannelCall, 4),
	"checkpoint":          of(abi.DecodeCheckpointCall, 4),
	"closeChannel":        of(abi.DecodeCloseChannelCall, 4),
	"disputeChannel":      of(abi.DecodeDisputeChannelCall, 4),
	"reportDoubleSigning": of(abi.DecodeReportDoubleSigningCall, 4),
	"getChannel":          of(abi.DecodeGetChannelCall, 4),
	"getChannelPair":      of(abi.DecodeGetChannelPairCall, 4),
}

var returns = map[string]decodable{
	"compose":        of(abi.DecodeComposeReturn, 0),
	"compositionId":  of(abi.DecodeCompositionIdReturn, 0),
	"getComposition": of(abi.DecodeGetCompositionReturn, 0),
	"getAgent":       of(abi.DecodeGetAgentReturn, 0),
	"getCapability":  of(abi.DecodeGetCapabilityReturn, 0),
	"getDispute":     of(abi.DecodeGetDisputeReturn, 0),
	"getInteraction": of(abi.DecodeGetInteractionReturn, 0),
	"getReputation":  of(abi.DecodeGetReputationReturn, 0),
	"interactionId":  of(abi.DecodeInteractionIdReturn, 0),
	"invoke":         of(abi.DecodeInvokeReturn, 0),
	"discover":       of(abi.DecodeDiscoverReturn, 0),
	"discoverInvoke": of(abi.DecodeDiscoverInvokeReturn, 0),
	"getCommitment":  of(abi.DecodeGetCommitmentReturn, 0),
	"reveal":         of(abi.DecodeRevealReturn, 0),
	"openChannel":    of(abi.DecodeOpenChannelReturn, 0),
	"getChannel":     of(abi.DecodeGetChannelReturn, 0),
	"getChannelPair": of(abi.DecodeGetChannelPairReturn, 0),
}

type logger interface {
	Log(common.Address) *types.Log
}

type event struct {
	zero   logger
	decode func(*types.Log) (any, error)
}

func eventOf[T any, P interface {
	*T
	logger
}](decode func(*types.Log) (T, error)) event {
	return event{P(new(T)), func(l *types.Log) (any, error) {
		v, err := decode(l)
		return &v, err
	}}
}

var events = map[string]event{
	"AgentRegistered":     eventOf(abi.DecodeAgentRegisteredEvent),
	"AgentUpdated":        eventOf(abi.DecodeAgentUpdatedEvent),
	"CapabilityUpdated":   eventOf(abi.DecodeCapabilityUpdatedEvent),
	"CapabilityRemoved":   eventOf(abi.DecodeCapabilityRemovedEvent),
	"MetadataSet":         eventOf(abi.DecodeMetadataSetEvent),
	"StakeAdded":          eventOf(abi.DecodeStakeAddedEvent),
	"AgentDeregistered":   eventOf(abi.DecodeAgentDeregisteredEvent),
	"StakeWithdrawn":      eventOf(abi.DecodeStakeWithdrawnEvent),
	"Heartbeat":           eventOf(abi.DecodeHeartbeatEvent),
	"Invoked":             eventOf(abi.DecodeInvokedEvent),
	"Responded":           eventOf(abi.DecodeRespondedEvent),
	"TimedOut":            eventOf(abi.DecodeTimedOutEvent),
	"DisputeOpened":       eventOf(abi.DecodeDisputeOpenedEvent),
	"DisputeClosed":       eventOf(abi.DecodeDisputeClosedEvent),
	"ParamsChanged":       eventOf(abi.DecodeParamsChangedEvent),
	"PolicyChanged":       eventOf(abi.DecodePolicyChangedEvent),
	"FeesWithdrawn":       eventOf(abi.DecodeFeesWithdrawnEvent),
	"SlotReclaimed":       eventOf(abi.DecodeSlotReclaimedEvent),
	"Committed":           eventOf(abi.DecodeCommittedEvent),
	"Revealed":            eventOf(abi.DecodeRevealedEvent),
	"RevealRefunded":      eventOf(abi.DecodeRevealRefundedEvent),
	"CommitmentForfeited": eventOf(abi.DecodeCommitmentForfeitedEvent),

	"Composed":             eventOf(abi.DecodeComposedEvent),
	"CompositionCancelled": eventOf(abi.DecodeCompositionCancelledEvent),
	"CompositionEnded":     eventOf(abi.DecodeCompositionEndedEvent),
	"CompositionRefunded":  eventOf(abi.DecodeCompositionRefundedEvent),
	"ConstituentAnswered":  eventOf(abi.DecodeConstituentAnsweredEvent),
	"ConstituentOpened":    eventOf(abi.DecodeConstituentOpenedEvent),
	"InvokeCancelled":      eventOf(abi.DecodeInvokeCancelledEvent),
	"ChannelOpened":        eventOf(abi.DecodeChannelOpenedEvent),
	"ChannelExists":        eventOf(abi.DecodeChannelExistsEvent),
	"ChannelCheckpointed":  eventOf(abi.DecodeChannelCheckpointedEvent),
	"ChannelClosing":       eventOf(abi.DecodeChannelClosingEvent),
	"ChannelStateReplaced": eventOf(abi.DecodeChannelStateReplacedEvent),
	"ChannelClosed":        eventOf(abi.DecodeChannelClosedEvent),
	"DoubleSigned":         eventOf(abi.DecodeDoubleSignedEvent),
	"Slashed":              eventOf(abi.DecodeSlashedEvent),
}

var revertTypes = []abi.Revert{
	&abi.StakeHeld{}, &abi.BadChannelSignature{}, &abi.ChannelTermsExpired{}, &abi.ChannelTermsNonce{}, &abi.DepositNotCovered{},
	&abi.ChannelUnknown{}, &abi.ChannelNotOpen{}, &abi.ChannelNotClosing{}, &abi.ChannelExpired{}, &abi.ChannelWindowOver{},
	&abi.NotChannelParty{}, &abi.StaleState{}, &abi.BalancesDoNotSum{}, &abi.DepositsAboveFunded{}, &abi.InteractionCountInvalid{},
	&abi.StatesDoNotConflict{}, &abi.AlreadyRegistered{}, &abi.BadAttestation{}, &abi.CalleeInactive{}, &abi.CalleeUnknown{},
	&abi.CapabilityUnknown{}, &abi.ContractCreationUnsupported{}, &abi.CooldownActive{}, &abi.DACommitmentMismatch{},
	&abi.DuplicateInteraction{}, &abi.FieldOutOfRange{}, &abi.InsufficientBalance{}, &abi.InteractionExpired{}, &abi.InteractionSettled{},
	&abi.InteractionUnknown{}, &abi.MalformedCalldata{}, &abi.NoCodeAtTarget{}, &abi.NotCallee{}, &abi.NotRegistered{},
	&abi.NothingToWithdraw{}, &abi.OutOfGas{}, &abi.PaymentBelowPrice{}, &abi.PriceAboveMaximum{}, &abi.ResultHashInvalid{},
	&abi.SelfInvocation{}, &abi.StakeBelowMinimum{}, &abi.TooManyCapabilities{}, &abi.TooManyPendingInvokes{}, &abi.TtlOutOfBounds{},
	&abi.UnknownOperation{}, &abi.ValueNotAccepted{}, &abi.NotCaller{}, &abi.InteractionPending{}, &abi.BondTooLow{}, &abi.DisputeExists{},
	&abi.DisputeWindowOver{}, &abi.BadHistoryProof{},
	&abi.DisputeUnknown{}, &abi.NotAdjudicated{}, &abi.NotResolver{}, &abi.NotGovernance{}, &abi.FeeRecipientUnset{}, &abi.RateLimited{},
	&abi.CalleeIneligible{}, &abi.CommitRequired{}, &abi.NoProviderMatches{}, &abi.SlotUnknown{}, &abi.SlotInUse{},
	&abi.DepositBelowMinimum{}, &abi.DuplicateCommitment{}, &abi.CommitmentUnknown{}, &abi.RevealTooEarly{}, &abi.RevealTooLate{},
	&abi.BadConstituent{}, &abi.BadOpening{}, &abi.CompositionExpired{}, &abi.CompositionFinal{}, &abi.CompositionNotCommitted{},
	&abi.CompositionTooShort{}, &abi.CompositionTotalMismatch{}, &abi.CompositionUnknown{}, &abi.DuplicateComposition{},
	&abi.NotCancellable{}, &abi.NothingToOpen{},
	&abi.SelfFeedback{}, &abi.NothingToRate{}, &abi.InteractionOfOther{}, &abi.InteractionRated{}, &abi.FeedbackUnknown{},
	&abi.FeedbackIsRevoked{}, &abi.ValidationExists{}, &abi.ValidationUnknown{}, &abi.NotValidator{}, &abi.GameMismatch{},
}

func parsed(t require.TestingT) gethabi.ABI {
	a, err := gethabi.JSON(strings.NewReader(abi.JSON))
	require.NoError(t, err)
	return a
}

// random fills a generated struct.
func random(t *rapid.T, v reflect.Value) {
	switch x := v.Addr().Interface().(type) {
	case *uint256.Int:
		x.SetBytes(rapid.SliceOfN(rapid.Byte(), 0, 32).Draw(t, "uint256"))
		return
	case *common.Hash:
		copy(x[:], rapid.SliceOfN(rapid.Byte(), 0, 32).Draw(t, "hash"))
		return
	case *common.Address:
		copy(x[:], rapid.SliceOfN(rapid.Byte(), 0, 20).Draw(t, "address"))
		return
	case *[]byte:
		*x = rapid.SliceOfN(rapid.Byte(), 0, 80).Draw(t, "bytes")
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			random(t, v.Field(i))
		}
		switch x := v.Addr().Interface().(type) { // whose sums have 128 bits
		case *abi.IRecordsReputation:
			x.SumOfSquares.Rsh(&x.SumOfSquares, 128)
		case *abi.IRecordsForeign:
			x.SumOfSquares.Rsh(&x.SumOfSquares, 128)
		}
	case reflect.Slice:
		n := rapid.IntRange(0, 3).Draw(t, "length")
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		fallthrough
	case reflect.Array:
		for i := range v.Len() {
			random(t, v.Index(i))
		}
	case reflect.String:
		v.SetString(string(rapid.SliceOfN(rapid.Byte(), 0, 70).Draw(t, "string")))
	case reflect.Bool:
		v.SetBool(rapid.Bool().Draw(t, "bool"))
	default:
		v.SetUint(rapid.Uint64().Draw(t, "uint") >> (64 - v.Type().Bits()))
	}
}

// toGeth turns a generated value into what go-ethereum's codec wants for the type.
func toGeth(t gethabi.Type, v reflect.Value) reflect.Value {
	out := reflect.New(t.GetType()).Elem()
	switch {
	case v.Type() == reflect.TypeOf(uint256.Int{}):
		n := v.Interface().(uint256.Int)
		return reflect.ValueOf(n.ToBig())
	case v.Type() == reflect.TypeFor[codec.Int128]():
		return reflect.ValueOf(v.Interface().(codec.Int128).Big())
	case t.T == gethabi.TupleTy:
		for i, e := range t.TupleElems {
			out.Field(i).Set(toGeth(*e, v.Field(i)))
		}
		return out
	case t.T == gethabi.SliceTy:
		out = reflect.MakeSlice(t.GetType(), v.Len(), v.Len())
		fallthrough
	case t.T == gethabi.ArrayTy:
		for i := range v.Len() {
			out.Index(i).Set(toGeth(*t.Elem, v.Index(i)))
		}
		return out
	}
	return v.Convert(t.GetType())
}

func toGethAll(args gethabi.Arguments, v reflect.Value) []any {
	out := make([]any, len(args))
	for i, a := range args {
		out[i] = toGeth(a.Type, v.Field(i)).Interface()
	}
	return out
}

func fresh(zero any) reflect.Value { return reflect.New(reflect.TypeOf(zero).Elem()) }

// checkStrict: changed bytes are refused, or they are the canonical encoding of something else.
func checkStrict(t *rapid.T, d decodable, b []byte) {
	refused := func(b []byte, what string) {
		v, err := d.decode(b)
		if err != nil {
			require.ErrorIs(t, err, codec.ErrNotCanonical, what)
			return
		}
		require.Equal(t, b, v.Encode()[d.skip:], "%s: two encodings of one value", what)
	}
	_, err := d.decode(append(bytes.Clone(b), make([]byte, rapid.IntRange(1, 64).Draw(t, "spare"))...))
	require.ErrorIs(t, err, codec.ErrNotCanonical, "spare bytes")
	if len(b) == 0 {
		return
	}
	_, err = d.decode(b[:rapid.IntRange(0, len(b)-1).Draw(t, "cut")])
	require.ErrorIs(t, err, codec.ErrNotCanonical, "missing bytes")
	for range 8 {
		m := bytes.Clone(b)
		m[rapid.IntRange(0, len(m)-1).Draw(t, "at")] ^= byte(rapid.IntRange(1, 255).Draw(t, "xor"))
		refused(m, "changed byte")
		m = bytes.Clone(b)
		word := rapid.IntRange(0, len(m)/32-1).Draw(t, "word") * 32
		copy(m[word:], common.BigToHash(new(big.Int).SetUint64(rapid.Uint64().Draw(t, "value"))).Bytes())
		refused(m, "changed word")
		m = append(append(bytes.Clone(b[:word]), make([]byte, 32)...), b[word:]...)
		refused(m, "inserted word")
	}
}

func TestCallsAgainstGoEthereum(t *testing.T) {
	a := parsed(t)
	require.Len(t, calls, len(a.Methods), "a function without bindings")
	for name, m := range a.Methods {
		t.Run(name, func(t *testing.T) {
			d := calls[name]
			rapid.Check(t, func(t *rapid.T) {
				v := fresh(d.zero)
				random(t, v.Elem())
				got := v.Interface().(encoder).Encode()
				want, err := a.Pack(name, toGethAll(m.Inputs, v.Elem())...)
				require.NoError(t, err)
				require.Equal(t, want, got)
				back, err := d.decode(got[4:])
				require.NoError(t, err)
				require.Equal(t, got, back.Encode())
				checkStrict(t, d, got[4:])
			})
		})
	}
}

func TestReturnsAgainstGoEthereum(t *testing.T) {
	a := parsed(t)
	for name, m := range a.Methods {
		if len(m.Outputs) == 0 {
			continue
		}
		require.Contains(t, returns, name)
		t.Run(name, func(t *testing.T) {
			d := returns[name]
			rapid.Check(t, func(t *rapid.T) {
				v := fresh(d.zero)
				random(t, v.Elem())
				got := v.Interface().(encoder).Encode()
				want, err := m.Outputs.Pack(toGethAll(m.Outputs, v.Elem())...)
				require.NoError(t, err)
				require.Equal(t, want, got)
				back, err := d.decode(got)
				require.NoError(t, err)
				require.Equal(t, got, back.Encode())
				checkStrict(t, d, got)
			})
		})
	}
}

func TestErrorsAgainstGoEthereum(t *testing.T) {
	a := parsed(t)
	require.Len(t, revertTypes, len(a.Errors), "an error without bindings")
	for _, zero := range revertTypes {
		name := reflect.TypeOf(zero).Elem().Name()
		e, ok := a.Errors[name]
		require.True(t, ok, name)
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				v := fresh(zero)
				random(t, v.Elem())
				r := v.Interface().(abi.Revert)
				args, err := e.Inputs.Pack(toGethAll(e.Inputs, v.Elem())...)
				require.NoError(t, err)
				require.Equal(t, append(e.ID.Bytes()[:4:4], args...), r.Encode())
				require.Equal(t, r, abi.DecodeRevert(r.Encode()))
				require.True(t, strings.HasPrefix(r.Error(), name), "%s", r.Error())
				require.Nil(t, abi.DecodeRevert(append(r.Encode(), 0)))
			})
		})
	}
	require.Nil(t, abi.DecodeRevert(nil))
	require.Nil(t, abi.DecodeRevert([]byte{1, 2, 3, 4}))
}

func TestEventsAgainstGoEthereum(t *testing.T) {
	a := parsed(t)
	require.Len(t, events, len(a.Events), "an event without bindings")
	for name, ev := range a.Events {
		t.Run(name, func(t *testing.T) {
			e := events[name]
			rapid.Check(t, func(t *rapid.T) {
				v := fresh(e.zero)
				random(t, v.Elem())
				l := v.Interface().(logger).Log(abi.Address)
				require.Equal(t, abi.Address, l.Address)
				topics := [][]any{{ev.ID}}
				var rest []any
				for i, in := range ev.Inputs {
					x := toGeth(in.Type, v.Elem().Field(i)).Interface()
					if in.Indexed {
						topics = append(topics, []any{x})
					} else {
						rest = append(rest, x)
					}
				}
				want, err := gethabi.MakeTopics(topics...)
				require.NoError(t, err)
				require.Len(t, l.Topics, len(want))
				for i := range want {
					require.Equal(t, want[i][0], l.Topics[i])
				}
				data, err := ev.Inputs.NonIndexed().Pack(rest...)
				require.NoError(t, err)
				require.Equal(t, append([]byte{}, data...), append([]byte{}, l.Data...))
				back, err := e.decode(l)
				require.NoError(t, err)
				for i, in := range ev.Inputs {
					if in.Indexed && (in.Type.T == gethabi.StringTy || in.Type.T == gethabi.BytesTy) {
						v.Elem().Field(i).SetZero() // only its hash is in the log
					}
				}
				if again := reflect.ValueOf(back).Interface().(logger).Log(abi.Address); !bytes.Equal(again.Data, l.Data) {
					t.Fatalf("decoding and encoding again changes the data")
				}
				require.Equal(t, normal(v.Interface()), normal(back))
				l.Data = append(l.Data, 0)
				_, err = e.decode(l)
				require.ErrorIs(t, err, codec.ErrNotCanonical)
				l.Topics = l.Topics[:len(l.Topics)-1]
				_, err = e.decode(l)
				require.ErrorIs(t, err, codec.ErrNotCanonical)
			})
		})
	}
}

// normal makes empty byte slices equal to absent ones.
func normal(v any) any {
	e := reflect.ValueOf(v).Elem()
	for i := range e.NumField() {
		if f := e.Field(i); f.Kind() == reflect.Slice && f.Len() == 0 {
			f.SetZero()
		}
	}
	return v
}

// TestHostileLengths: announced lengths and counts are compared with what is there before anything is allocated.
func TestHostileLengths(t *testing.T) {
	c := (&abi.RegisterCall{Name: "n", Capabilities: []abi.Capability{{Name: "c"}}}).Encode()[4:]
	for at := 0; at+32 <= len(c); at += 32 {
		for _, n := range []string{"0x7fffffffffffffff", "0xffffffffffffffff", "0xffffffff", "0x8000000000000000", "0x0400000000000000"} {
			m := bytes.Clone(c)
			copy(m[at:], common.HexToHash(n).Bytes())
			if v, err := abi.DecodeRegisterCall(m); err == nil {
				require.Equal(t, m, v.Encode()[4:])
			} else if !errors.Is(err, codec.ErrNotCanonical) {
				t.Fatal(err)
			}
		}
	}
}

func TestSelectorsAreDistinct(t *testing.T) {
	seen := map[[4]byte]string{}
	a := parsed(t)
	for name, m := range a.Methods {
		require.Empty(t, seen[[4]byte(m.ID)], name)
		seen[[4]byte(m.ID)] = name
	}
	clear(seen)
	for name, e := range a.Errors {
		require.Empty(t, seen[[4]byte(e.ID[:4])], name)
		seen[[4]byte(e.ID[:4])] = name
	}
}

// TestBindingsAreCurrent generates the bindings again from the compiler's output.
func TestBindingsAreCurrent(t *testing.T) {
	const artifacts = "../../packages/contracts-bedrock-fork/out"
	for _, g := range []struct {
		artifact, file string
		args           []string
	}{
		{"IAGNT2.sol/IAGNT2.json", "iagnt2.go", []string{"-pkg", "abi"}},
		{"IRecords.sol/IRecords.json", "../record/records.go", []string{"-records", "-pkg", "record"}},
	} {
		artifact := filepath.Join(artifacts, g.artifact)
		if _, err := os.Stat(artifact); err != nil {
			t.Skipf("the contracts are not compiled (just contracts): %v", err)
		}
		out := filepath.Join(t.TempDir(), "bindings.go")
		cmd := exec.Command("go", append(append([]string{"run", "./gen", "-out", out}, g.args...), artifact)...)
		msg, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s", msg)
		want, err := os.ReadFile(out)
		require.NoError(t, err)
		have, err := os.ReadFile(g.file)
		require.NoError(t, err)
		require.True(t, bytes.Equal(want, have), "%s is not what the generator makes of %s: run go generate ./agnt2/...", g.file, artifact)
	}
}
