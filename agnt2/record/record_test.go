package record_test

import (
	"bytes"
	"reflect"
	"testing"

	gethabi "github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/agnt2/agnt2/agnt2/abi/codec"
	"github.com/agnt2/agnt2/agnt2/record"
)

type encoder interface{ Encode() []byte }

type layout struct {
	name   string
	zero   encoder
	decode func([]byte) (encoder, error)
}

func of[T any, P interface {
	*T
	encoder
}](decode func([]byte) (T, error)) layout {
	return layout{reflect.TypeFor[T]().Name(), P(new(T)), func(b []byte) (encoder, error) {
		v, err := decode(b)
		return P(&v), err
	}}
}

var layouts = []layout{
	of(record.DecodeAccount), of(record.DecodeAgent), of(record.DecodeAgentURI), of(record.DecodeCapability),
	of(record.DecodeCapabilityDetail), of(record.DecodeDeadline), of(record.DecodeInteraction), of(record.DecodeL1Info),
	of(record.DecodeMetadata), of(record.DecodePair), of(record.DecodeParams), of(record.DecodeReputation), of(record.DecodeTotals),
	of(record.DecodeChannel), of(record.DecodeChannelPair),
	of(record.DecodeComposition), of(record.DecodeConstituent), of(record.DecodeForeign),
	of(record.DecodeFeedback), of(record.DecodeFeedbackCount), of(record.DecodeRating), of(record.DecodeResponseCount),
	of(record.DecodeListCount), of(record.DecodeListEntry), of(record.DecodeValidation),
}

func random(t *rapid.T, v reflect.Value) {
	switch x := v.Addr().Interface().(type) {
	case *uint256.Int:
		x.SetBytes(rapid.SliceOfN(rapid.Byte(), 0, 16).Draw(t, "uint")) // sumOfSquares has 128 bits
		return
	case *common.Hash:
		copy(x[:], rapid.SliceOfN(rapid.Byte(), 0, 32).Draw(t, "hash"))
		return
	case *common.Address:
		copy(x[:], rapid.SliceOfN(rapid.Byte(), 0, 20).Draw(t, "address"))
		return
	case *[]byte:
		*x = append([]byte{}, rapid.SliceOfN(rapid.Byte(), 0, 70).Draw(t, "bytes")...)
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			random(t, v.Field(i))
		}
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

// solidity derives the Solidity struct from the Go one; wide integers all take one word, so uint256 stands for uint128.
func solidity(t reflect.Type) gethabi.ArgumentMarshaling {
	a := gethabi.ArgumentMarshaling{Type: "tuple", InternalType: "struct S"}
	for i := range t.NumField() {
		f := t.Field(i)
		c := gethabi.ArgumentMarshaling{Name: f.Name}
		switch f.Type {
		case reflect.TypeFor[uint256.Int]():
			c.Type = "uint256"
		case reflect.TypeFor[codec.Int128]():
			c.Type = "int128"
		case reflect.TypeFor[common.Hash]():
			c.Type = "bytes32"
		case reflect.TypeFor[common.Address]():
			c.Type = "address"
		case reflect.TypeFor[[]byte]():
			c.Type = "bytes"
		case reflect.TypeFor[[4]uint64]():
			c.Type = "uint64[4]"
		case reflect.TypeFor[[20]uint64]():
			c.Type = "uint64[20]"
		case reflect.TypeFor[[20]uint32]():
			c.Type = "uint32[20]"
		default:
			c.Type = f.Type.String()
		}
		a.Components = append(a.Components, c)
	}
	return a
}

// TestRoundTrip: a record is abi.encode of its struct, and its bytes mean one thing only.
func TestRoundTrip(t *testing.T) {
	for _, l := range layouts {
		t.Run(l.name, func(t *testing.T) {
			goType := reflect.TypeOf(l.zero).Elem()
			s := solidity(goType)
			typ, err := gethabi.NewType(s.Type, s.InternalType, s.Components)
			require.NoError(t, err)
			rapid.Check(t, func(t *rapid.T) {
				v := reflect.New(goType)
				random(t, v.Elem())
				b := v.Interface().(encoder).Encode()
				back, err := l.decode(b)
				require.NoError(t, err)
				require.Equal(t, v.Interface(), back)

				tuple := reflect.New(typ.TupleType).Elem()
				for i := range goType.NumField() {
					switch x := v.Elem().Field(i).Interface().(type) {
					case uint256.Int:
						tuple.Field(i).Set(reflect.ValueOf(x.ToBig()))
					case codec.Int128:
						tuple.Field(i).Set(reflect.ValueOf(x.Big()))
					default:
						tuple.Field(i).Set(v.Elem().Field(i).Convert(tuple.Field(i).Type()))
					}
				}
				want, err := gethabi.Arguments{{Type: typ}}.Pack(tuple.Interface())
				require.NoError(t, err)
				require.Equal(t, want, b)

				m := bytes.Clone(b)
				m[rapid.IntRange(0, len(m)-1).Draw(t, "at")] ^= byte(rapid.IntRange(1, 255).Draw(t, "xor"))
				if x, err := l.decode(m); err == nil {
					require.Equal(t, m, x.Encode())
				} else {
					require.ErrorIs(t, err, codec.ErrNotCanonical)
				}
				_, err = l.decode(b[:rapid.IntRange(0, len(b)-1).Draw(t, "cut")])
				require.ErrorIs(t, err, codec.ErrNotCanonical)
				_, err = l.decode(append(b, 0))
				require.ErrorIs(t, err, codec.ErrNotCanonical)
			})
		})
	}
}

// TestKeysAreDistinct: no two kinds of record, and no two owners of a kind, share a key; every key is in its namespace.
func TestKeysAreDistinct(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		address := func(name string) (a common.Address) {
			copy(a[:], rapid.SliceOfN(rapid.Byte(), 20, 20).Draw(t, name))
			return a
		}
		a, b := address("a"), address("b")
		if a == b {
			b[0]++
		}
		id := common.BytesToHash(rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "id"))
		other := id
		other[rapid.IntRange(0, 24).Draw(t, "at")]++
		when := rapid.Uint64Range(0, 1<<40-2).Draw(t, "deadline")
		keys := []struct {
			ns record.Namespace
			k  record.Key
		}{
			{record.NSAccount, record.AccountKey(a)}, {record.NSAccount, record.AccountKey(b)},
			{record.NSAgent, record.AgentKey(a)}, {record.NSAgent, record.AgentKey(b)},
			{record.NSAgentURI, record.AgentURIKey(a)}, {record.NSReputation, record.ReputationKey(a)},
			{record.NSCapability, record.CapabilityKey(a, id)}, {record.NSCapability, record.CapabilityKey(b, id)},
			{record.NSCapability, record.CapabilityKey(a, other)},
			{record.NSCapabilityDetail, record.CapabilityDetailKey(a, id)}, {record.NSCapabilityDetail, record.CapabilityDetailKey(a, other)},
			{record.NSMetadata, record.MetadataKey(a, "k")}, {record.NSMetadata, record.MetadataKey(a, "l")}, {record.NSMetadata, record.MetadataKey(b, "k")},
			{record.NSPair, record.PairKey(a, b)}, {record.NSPair, record.PairKey(b, a)},
			{record.NSInteraction, record.InteractionKey(id)}, {record.NSInteraction, record.InteractionKey(other)},
			{record.NSDeadline, record.DeadlineKey(when, record.DueInteraction, id)}, {record.NSDeadline, record.DeadlineKey(when, record.DueInteraction, other)},
			{record.NSDeadline, record.DeadlineKey(when+1, record.DueInteraction, id)}, {record.NSDeadline, record.DeadlineKey(when, record.DueChannel, id)},
			{record.NSChannel, record.ChannelKey(id)}, {record.NSChannel, record.ChannelKey(other)},
			{record.NSChannelPair, record.ChannelPairKey(a, b)}, {record.NSChannelPair, record.ChannelPairKey(b, a)},
			{record.NSComposition, record.CompositionKey(id)}, {record.NSComposition, record.CompositionKey(other)},
			{record.NSConstituent, record.ConstituentKey(id, 0)}, {record.NSConstituent, record.ConstituentKey(id, 1)},
			{record.NSConstituent, record.ConstituentKey(other, 0)}, {record.NSDeadline, record.DeadlineKey(when, record.DueComposition, id)},
			{record.NSForeign, record.ForeignKey(a)}, {record.NSForeign, record.ForeignKey(b)},
			{record.NSFeedback, record.FeedbackKey(a, b, 1)}, {record.NSFeedback, record.FeedbackKey(b, a, 1)}, {record.NSFeedback, record.FeedbackKey(a, b, 2)},
			{record.NSFeedbackCount, record.FeedbackCountKey(a, b)}, {record.NSFeedbackCount, record.FeedbackCountKey(b, a)},
			{record.NSRating, record.RatingKey(id)}, {record.NSRating, record.RatingKey(other)},
			{record.NSResponseCount, record.ResponseCountKey(a, b, 1, a)}, {record.NSResponseCount, record.ResponseCountKey(a, b, 1, b)},
			{record.NSResponseCount, record.ResponseCountKey(a, b, 2, a)}, {record.NSResponseCount, record.ResponseCountKey(b, a, 1, a)},
			{record.NSListCount, record.ListCountKey(record.ListClients, a)}, {record.NSListCount, record.ListCountKey(record.ListAgentValidations, a)},
			{record.NSListCount, record.ListCountKey(record.ListClients, b)},
			{record.NSListEntry, record.ListEntryKey(record.ListClients, a, 1)}, {record.NSListEntry, record.ListEntryKey(record.ListClients, a, 2)},
			{record.NSListEntry, record.ListEntryKey(record.ListValidatorRequests, a, 1)}, {record.NSListEntry, record.ListEntryKey(record.ListClients, b, 1)},
			{record.NSValidation, record.ValidationKey(id)}, {record.NSValidation, record.ValidationKey(other)},
			{record.NSGlobal, record.ParamsKey}, {record.NSGlobal, record.TotalsKey}, {record.NSGlobal, record.L1InfoKey},
		}
		seen := map[record.Key]int{}
		for i, x := range keys {
			require.Equal(t, byte(x.ns), x.k[0], "key %d", i)
			if j, dup := seen[x.k]; dup {
				t.Fatalf("keys %d and %d are equal: %v", i, j, x.k)
			}
			seen[x.k] = i
			require.NotContains(t, x.k.String(), "namespace(", "namespace without a name")
		}
	})
}

// TestDeadlineOrder: the order of keys is the order of (deadline, id).
func TestDeadlineOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		when := func(name string) uint64 { return rapid.Uint64Range(0, 1<<40-1).Draw(t, name) }
		a, b := when("a"), when("b")
		if rapid.Bool().Draw(t, "same") {
			b = a
		}
		x := common.BytesToHash(rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "x"))
		y := common.BytesToHash(rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "y"))
		ka, kb := record.DeadlineKey(a, record.DueInteraction, x), record.DeadlineKey(b, record.DueInteraction, y)
		want := bytes.Compare(x[:26], y[:26])
		switch {
		case a < b:
			want = -1
		case a > b:
			want = 1
		}
		require.Equal(t, want, bytes.Compare(ka[:], kb[:]))
		require.Equal(t, a, record.DeadlineOf(ka))
	})
	require.Panics(t, func() { record.DeadlineKey(1<<40, record.DueInteraction, common.Hash{}) })
}
