package differential

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/big"
	"reflect"
	"strings"
	"testing"

	gethabi "github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/math"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/agnt2/agnt2/agnt2/abi"
)

// operation is one operation's arguments in Go: how to fill them, and the decoder by which the engine accepts them.
type operation struct {
	zero   interface{ Encode() []byte }
	decode func([]byte) error
}

func operationOf[T any, P interface {
	*T
	Encode() []byte
}](decode func([]byte) (T, error)) operation {
	return operation{P(new(T)), func(b []byte) error {
		_, err := decode(b)
		return err
	}}
}

var operations = map[string]operation{
	"commit":              operationOf(abi.DecodeCommitCall),
	"discoverInvoke":      operationOf(abi.DecodeDiscoverInvokeCall),
	"reclaimSlot":         operationOf(abi.DecodeReclaimSlotCall),
	"reveal":              operationOf(abi.DecodeRevealCall),
	"cancel":              operationOf(abi.DecodeCancelCall),
	"giveFeedback":        operationOf(abi.DecodeGiveFeedbackCall),
	"revokeFeedback":      operationOf(abi.DecodeRevokeFeedbackCall),
	"appendResponse":      operationOf(abi.DecodeAppendResponseCall),
	"validationRequest":   operationOf(abi.DecodeValidationRequestCall),
	"validationResponse":  operationOf(abi.DecodeValidationResponseCall),
	"compose":             operationOf(abi.DecodeComposeCall),
	"openResult":          operationOf(abi.DecodeOpenResultCall),
	"deregister":          operationOf(abi.DecodeDeregisterCall),
	"heartbeat":           operationOf(abi.DecodeHeartbeatCall),
	"invoke":              operationOf(abi.DecodeInvokeCall),
	"register":            operationOf(abi.DecodeRegisterCall),
	"respond":             operationOf(abi.DecodeRespondCall),
	"topUpStake":          operationOf(abi.DecodeTopUpStakeCall),
	"updateAgent":         operationOf(abi.DecodeUpdateAgentCall),
	"updateCapabilities":  operationOf(abi.DecodeUpdateCapabilitiesCall),
	"withdrawStake":       operationOf(abi.DecodeWithdrawStakeCall),
	"dispute":             operationOf(abi.DecodeDisputeCall),
	"disputePruned":       operationOf(abi.DecodeDisputePrunedCall),
	"resolveDispute":      operationOf(abi.DecodeResolveDisputeCall),
	"setParams":           operationOf(abi.DecodeSetParamsCall),
	"importAgent":         operationOf(abi.DecodeImportAgentCall),
	"setPolicy":           operationOf(abi.DecodeSetPolicyCall),
	"withdrawFees":        operationOf(abi.DecodeWithdrawFeesCall),
	"openChannel":         operationOf(abi.DecodeOpenChannelCall),
	"checkpoint":          operationOf(abi.DecodeCheckpointCall),
	"closeChannel":        operationOf(abi.DecodeCloseChannelCall),
	"disputeChannel":      operationOf(abi.DecodeDisputeChannelCall),
	"reportDoubleSigning": operationOf(abi.DecodeReportDoubleSigningCall),
}

// hostileWord draws a word that an offset or a length could be confused by, in bytes of n bytes.
func hostileWord(t *rapid.T, n int) []byte {
	v := rapid.OneOf(
		rapid.SampledFrom([]*big.Int{
			new(big.Int), big.NewInt(1), big.NewInt(2), big.NewInt(255), big.NewInt(256), big.NewInt(1 << 32), big.NewInt(1<<32 - 1),
			new(big.Int).Lsh(big.NewInt(1), 63), new(big.Int).Lsh(big.NewInt(1), 64), new(big.Int).Lsh(big.NewInt(1), 160),
			new(big.Int).Lsh(big.NewInt(1), 250), new(big.Int).Lsh(big.NewInt(1), 251), new(big.Int).Lsh(big.NewInt(1), 255),
			new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 256), big.NewInt(1)), new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 256), big.NewInt(32)),
		}),
		rapid.Map(rapid.IntRange(0, n+64), func(i int) *big.Int { return big.NewInt(int64(i)) }),
		rapid.Map(rapid.IntRange(0, n/32+2), func(i int) *big.Int { return big.NewInt(int64(32 * i)) }),
	).Draw(t, "word")
	return common.BigToHash(v).Bytes()
}

// spoil changes an encoding in one of the ways in which an attacker would.
func spoil(t *rapid.T, b []byte) []byte {
	m := bytes.Clone(b)
	words := len(m) / 32
	word := 0
	if words > 0 {
		word = 32 * rapid.IntRange(0, words-1).Draw(t, "at word")
	}
	switch rapid.IntRange(0, 8).Draw(t, "kind") {
	case 0: // cut anywhere
		return m[:rapid.IntRange(0, len(m)).Draw(t, "cut")]
	case 1: // cut at a word
		return m[:word]
	case 2: // more bytes
		return append(m, make([]byte, rapid.IntRange(1, 65).Draw(t, "more"))...)
	case 3: // another word
		return append(append(bytes.Clone(m[:word]), hostileWord(t, len(b))...), m[word:]...)
	case 4: // one word less
		if words > 0 {
			return append(m[:word], m[word+32:]...)
		}
	case 5, 6: // a word replaced
		if words > 0 {
			copy(m[word:], hostileWord(t, len(b)))
		}
	case 7: // a word moved by a little
		if words > 0 {
			d := big.NewInt(rapid.SampledFrom([]int64{-64, -32, -1, 1, 32, 64}).Draw(t, "by"))
			copy(m[word:], common.BigToHash(d.Add(d, new(big.Int).SetBytes(m[word:word+32]))).Bytes())
		}
	default: // a byte changed
		if len(m) > 0 {
			m[rapid.IntRange(0, len(m)-1).Draw(t, "at")] ^= byte(rapid.IntRange(1, 255).Draw(t, "xor"))
		}
	}
	return m
}

// TestCanonicalOperations: for every operation, CanonicalABI accepts exactly what the engine's decoder accepts, and what it
// accepts Solidity's decoder reads back into the same bytes.
func TestCanonicalOperations(t *testing.T) {
	evm, c := deploy(t, "CanonicalABIHarness")
	iface, err := gethabi.JSON(strings.NewReader(abi.JSON))
	require.NoError(t, err)
	for name, m := range iface.Methods {
		selector := [4]byte(m.ID)
		found, _, err := evm.Call(c, "find", selector)
		require.NoError(t, err)
		op, known := operations[name]
		require.Equal(t, known, found[0], name)
		require.Equal(t, !m.IsConstant(), known, "%s: operations are what is no view", name)
		require.Equal(t, known && m.IsPayable(), found[1], name)
		if !known {
			continue
		}
		t.Run(name, func(t *testing.T) {
			accepted, refused := 0, 0
			same := func(t require.TestingT, args []byte) bool {
				want := op.decode(args)
				got, _, err := evm.Call(c, "check", selector, args)
				require.NoError(t, err, "the check is total: %x", args)
				require.Equal(t, want == nil, got[0], "Go says %v of %x", want, args)
				if want != nil {
					refused++
					return false
				}
				accepted++
				again, _, err := evm.Call(c, "again", selector, args)
				require.NoError(t, err, "canonical, but abi.decode reverts: %x", args)
				require.True(t, bytes.Equal(args, again[0].([]byte)), "%x decodes and encodes to %x", args, again[0])
				return true
			}
			rapid.Check(t, func(t *rapid.T) {
				x := reflect.New(reflect.TypeOf(op.zero).Elem())
				random(t, x.Elem(), 70)
				if c, ok := x.Interface().(*abi.ImportAgentCall); ok { // 128 bits
					c.Reputation.SumOfSquares.Rsh(&c.Reputation.SumOfSquares, 128)
				}
				args := x.Interface().(interface{ Encode() []byte }).Encode()[4:]
				require.True(t, same(t, args))
				for range 8 {
					m := spoil(t, args)
					same(t, m)
					same(t, spoil(t, m))
				}
			})
			t.Logf("%d accepted, %d refused", accepted, refused)
		})
	}
	found, _, err := evm.Call(c, "find", [4]byte{})
	require.NoError(t, err)
	require.Equal(t, false, found[0])
}

// inRange reports whether a large integer, or every one of an array, is in its type's range.
func inRange(typ gethabi.Type, v any) bool {
	switch x := v.(type) {
	case *big.Int:
		if typ.T == gethabi.IntTy {
			half := new(big.Int).Lsh(big.NewInt(1), uint(typ.Size-1))
			return x.Cmp(half) < 0 && x.Cmp(half.Neg(half)) >= 0
		}
		return x.BitLen() <= typ.Size
	case []*big.Int:
		for _, n := range x {
			if !inRange(*typ.Elem, n) {
				return false
			}
		}
	}
	return true
}

// TestCanonicalTypes covers the types that no operation has yet. The oracle is go-ethereum's codec: bytes are canonical if
// they decode and encode to themselves.
func TestCanonicalTypes(t *testing.T) {
	evm, c := deploy(t, "CanonicalABIHarness")
	type in struct {
		Name       string `json:"name"`
		Type       string `json:"type"`
		Components []in   `json:"components,omitempty"`
	}
	for _, tc := range []struct {
		name   string
		inputs []in
		schema string
		value  func(t *rapid.T) []any
	}{
		{
			"words", []in{{"a", "bool", nil}, {"b", "bytes4", nil}, {"c", "bytes31", nil}, {"d", "uint8", nil}, {"e", "uint248", nil}, {"f", "uint16[3]", nil}},
			"08" + "20" + "24" + "3f" + "01" + "1f" + "020202",
			func(t *rapid.T) []any {
				return []any{
					rapid.Bool().Draw(t, "a"), [4]byte{rapid.Byte().Draw(t, "b"), 0, 0, 7}, [31]byte{30: rapid.Byte().Draw(t, "c")},
					rapid.Uint8().Draw(t, "d"), new(big.Int).Lsh(big.NewInt(1), uint(rapid.IntRange(0, 247).Draw(t, "e"))), [3]uint16{1, rapid.Uint16().Draw(t, "f"), 3},
				}
			},
		},
		{
			"arrays", []in{{"a", "string[]", nil}, {"b", "uint64[]", nil}, {"c", "uint32[2][]", nil}, {"d", "bool[][]", nil}, {"e", "bytes", nil}},
			"05" + "410140" + "43020108" + "4303020404" + "410443020120" + "40",
			func(t *rapid.T) []any {
				texts := rapid.SliceOfN(rapid.StringN(0, 20, 66), 0, 3).Draw(t, "a")
				flags := rapid.SliceOfN(rapid.SliceOfN(rapid.Bool(), 0, 3), 0, 3).Draw(t, "d")
				return []any{
					texts, rapid.SliceOfN(rapid.Uint64(), 0, 3).Draw(t, "b"), make([][2]uint32, rapid.IntRange(0, 3).Draw(t, "c")),
					flags, rapid.SliceOfN(rapid.Byte(), 0, 66).Draw(t, "e"),
				}
			},
		},
		{
			"structs", []in{{"a", "tuple", []in{{"x", "bytes", nil}, {"y", "tuple", []in{{"u", "address", nil}, {"v", "bool", nil}}}}}, {"b", "uint32", nil}},
			"02" + "4204" + "03" + "40" + "1420" + "04",
			nil,
		},
		{
			"signed", []in{{"a", "int8", nil}, {"b", "int128", nil}, {"c", "int128[]", nil}},
			"03" + "61" + "70" + "43020170",
			func(t *rapid.T) []any {
				wide := func(name string) *big.Int {
					v := new(big.Int).Lsh(big.NewInt(1), uint(rapid.IntRange(0, 126).Draw(t, name)))
					if rapid.Bool().Draw(t, name+" negative") {
						v.Neg(v)
					}
					return v
				}
				return []any{rapid.Int8().Draw(t, "a"), wide("b"), []*big.Int{wide("c"), big.NewInt(-1)}}
			},
		},
		{"nothing", nil, "00", func(*rapid.T) []any { return nil }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			raw, err := json.Marshal([]map[string]any{{"type": "function", "name": "f", "inputs": tc.inputs}})
			require.NoError(t, err)
			parsed, err := gethabi.JSON(bytes.NewReader(raw))
			require.NoError(t, err)
			args := parsed.Methods["f"].Inputs
			rapid.Check(t, func(t *rapid.T) {
				var b []byte
				var err error
				if tc.value != nil {
					b, err = args.Pack(tc.value(t)...)
				} else {
					a := reflect.New(args[0].Type.GetType()).Elem()
					a.Field(0).SetBytes(rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(t, "x"))
					a.Field(1).Field(1).SetBool(rapid.Bool().Draw(t, "v"))
					b, err = args.Pack(a.Interface(), uint32(5))
				}
				require.NoError(t, err)
				for i := range 16 {
					m := b
					if i > 0 {
						m = spoil(t, b)
					}
					want := false
					if v, err := args.Unpack(m); err == nil || len(args) == 0 {
						again, err := args.Pack(v...)
						want = err == nil && bytes.Equal(again, m)
						for j := range v { // go-ethereum does not check the range of large integers
							want = want && inRange(args[j].Type, v[j])
						}
					}
					require.True(t, want || i > 0)
					got, _, err := evm.Call(c, "checkSchema", m, common.FromHex(tc.schema))
					require.NoError(t, err)
					require.Equal(t, want, got[0], "%x", m)
				}
			})
		})
	}
}

// TestCanonicalWindow: what surrounds the arguments in calldata, which an attacker chooses, does not matter, and lengths that
// wrap around 2²⁵⁶ lead nowhere.
func TestCanonicalWindow(t *testing.T) {
	evm, c := deploy(t, "CanonicalABIHarness")
	words := func(vs ...int64) (b []byte) {
		for _, v := range vs {
			b = append(b, math.U256Bytes(big.NewInt(v))...)
		}
		return b
	}
	check := func(w []byte, from, to int, want bool) {
		t.Helper()
		require.Equal(t, want, operations["updateAgent"].decode(w[from:to]) == nil)
		got, _, err := evm.Call(c, "checkWithin", abi.UpdateAgentSelector, w, big.NewInt(int64(from)), big.NewInt(int64(to)))
		require.NoError(t, err)
		require.Equal(t, want, got[0])
	}
	// Head: offsets of name and version, digest.
	check(words(96, 128, 0, 0, 0), 0, 160, true)
	check(words(7, 96, 128, 0, 0, 0, 7), 32, 192, true)
	check(words(96, 64, 32, -64), 0, 128, false)            // the name's length leads back to the digest, which is version's length
	check(words(0, 96, -32, 0, -160), 32, 32, false)        // no head at all; the name's length leads back before the arguments
	check(words(96, 128, 0, 0, 0), 0, 129, false)           // the version's length is behind the end
	check(words(96, 128, 0, 0, -32), 0, 128, false)         // the same, leading back to the end
	check(words(96, 160, 0, 1, 0, 0, 0), 0, 129, false)     // the padding is behind the end
	check(words(96, 128, 0, 0, 33, 0, 0), 0, 193, false)    // half of it
	check(words(96, 128, 0, 0, 32, 0, 0), 0, 160, false)    // the content is behind the end
	check(words(96, 128, 0, 0, -1), 0, 160, false)          // length above everything
	check(words(96, 1<<62, 0, 1<<62-128, 0), 0, 160, false) // content far behind the end
	valid := (&abi.UpdateAgentCall{Name: strings.Repeat("n", 33), Version: strings.Repeat("v", 65)}).Encode()[4:]
	for to := range valid {
		check(valid, 0, to, false)
	}
	check(append(words(1), append(valid, 1)...), 32, 32+len(valid), true)
}

// TestCanonicalGas: the worst that fits a transaction of 128 KiB stays below 10 million gas.
func TestCanonicalGas(t *testing.T) {
	evm, c := deploy(t, "CanonicalABIHarness")
	const most = 128 * 1024
	worst := uint64(0)
	check := func(name string, selector [4]byte, args []byte, want bool) {
		require.LessOrEqual(t, len(args), most, name)
		out, _, err := evm.Call(c, "check", selector, args)
		require.NoError(t, err, name)
		require.Equal(t, want, out[0], name)
		gas := out[1].(*big.Int).Uint64()
		worst = max(worst, gas)
		t.Logf("%s: %d bytes, %d gas", name, len(args), gas)
	}
	// fill returns the largest encoding that fits, of n elements.
	fill := func(encode func(n int) []byte) []byte {
		n := 1
		for len(encode(n+1))-4 <= most {
			n++
		}
		return encode(n)[4:]
	}
	empty := fill(func(n int) []byte { return (&abi.RegisterCall{Metadata: make([]abi.MetadataEntry, n)}).Encode() })
	check("metadata of nothing", abi.RegisterSelector, empty, true)
	late := bytes.Clone(empty)
	late[len(late)-1] = 1
	check("the same, refused at the end", abi.RegisterSelector, late, false)
	check("metadata of one byte", abi.RegisterSelector, fill(func(n int) []byte {
		c := abi.RegisterCall{Metadata: make([]abi.MetadataEntry, n)}
		for i := range c.Metadata {
			c.Metadata[i] = abi.MetadataEntry{Key: "k", Value: []byte{1}}
		}
		return c.Encode()
	}), true)
	check("capabilities", abi.RegisterSelector, fill(func(n int) []byte {
		return (&abi.RegisterCall{Capabilities: make([]abi.Capability, n)}).Encode()
	}), true)
	check("removals", abi.UpdateCapabilitiesSelector, fill(func(n int) []byte {
		return (&abi.UpdateCapabilitiesCall{Removals: make([]common.Hash, n)}).Encode()
	}), true)
	check("one string", abi.UpdateAgentSelector, (&abi.UpdateAgentCall{Name: strings.Repeat("a", 130_000)}).Encode()[4:], true)
	// Offsets that all point back to the first element, so that a checker that follows them reads everything many times.
	back := bytes.Clone(empty)
	for i := 6*32 + 5*32; i < len(back)/5; i += 32 {
		copy(back[i:], back[6*32+5*32:][:32])
	}
	check("offsets to the same place", abi.RegisterSelector, back, false)
	for _, n := range []*big.Int{big.NewInt(most / 32), big.NewInt(most), new(big.Int).Lsh(big.NewInt(1), 251), new(big.Int).Lsh(big.NewInt(1), 255)} {
		for at := 0; at < 12*32; at += 32 {
			m := bytes.Clone(empty)
			copy(m[at:], common.BigToHash(n).Bytes())
			out, _, err := evm.Call(c, "check", abi.RegisterSelector, m)
			require.NoError(t, err)
			require.Equal(t, operations["register"].decode(m) == nil, out[0], fmt.Sprintf("%v at %d", n, at))
			worst = max(worst, out[1].(*big.Int).Uint64())
		}
	}
	t.Logf("worst: %d gas", worst)
	require.Less(t, worst, uint64(10_000_000))
}
