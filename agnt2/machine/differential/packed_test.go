package differential

import (
	"bytes"
	"math/big"
	"reflect"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/agnt2/agnt2/agnt2/machine/differential/sample"
	"github.com/agnt2/agnt2/agnt2/record"
	"github.com/agnt2/agnt2/agnt2/vm/frame"
	"github.com/agnt2/agnt2/internal/solidity"
)

// deploy creates a harness in a new EVM; without artifacts there is nothing to compare.
func deploy(t *testing.T, name string) (*solidity.EVM, *solidity.Contract) {
	t.Helper()
	evm := solidity.New()
	c, err := evm.Deploy(name)
	require.NoError(t, err)
	return evm, c
}

// random fills a generated struct.
func random(t *rapid.T, v reflect.Value, longest int) {
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
		*x = rapid.SliceOfN(rapid.Byte(), 0, longest).Draw(t, "bytes")
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			random(t, v.Field(i), longest)
		}
	case reflect.Slice:
		n := rapid.IntRange(0, 3).Draw(t, "length")
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		fallthrough
	case reflect.Array:
		for i := range v.Len() {
			random(t, v.Index(i), longest)
		}
	case reflect.String:
		v.SetString(string(rapid.SliceOfN(rapid.Byte(), 0, longest).Draw(t, "string")))
	case reflect.Bool:
		v.SetBool(rapid.Bool().Draw(t, "bool"))
	default:
		v.SetUint(rapid.Uint64().Draw(t, "uint") >> (64 - v.Type().Bits()))
	}
}

type packable interface {
	Encode() []byte
	AppendPacked([]byte) []byte
}

// packedCase is one struct: the harness's method and Go's reader.
type packedCase struct {
	method string
	zero   packable
	unpack func([]byte) (packable, []byte, error)
}

func packedOf[T any, P interface {
	*T
	packable
}](method string, unpack func([]byte) (T, []byte, error)) packedCase {
	return packedCase{method, P(new(T)), func(b []byte) (packable, []byte, error) {
		v, rest, err := unpack(b)
		return P(&v), rest, err
	}}
}

var packedRecords = []packedCase{
	packedOf("account", record.UnpackAccount),
	packedOf("agent", record.UnpackAgent),
	packedOf("agentURI", record.UnpackAgentURI),
	packedOf("metadata", record.UnpackMetadata),
	packedOf("capability", record.UnpackCapability),
	packedOf("capabilityDetail", record.UnpackCapabilityDetail),
	packedOf("reputation", record.UnpackReputation),
	packedOf("pair", record.UnpackPair),
	packedOf("interaction", record.UnpackInteraction),
	packedOf("composition", record.UnpackComposition),
	packedOf("constituent", record.UnpackConstituent),
	packedOf("foreign", record.UnpackForeign),
	packedOf("deadline", record.UnpackDeadline),
	packedOf("channel", record.UnpackChannel),
	packedOf("channelPair", record.UnpackChannelPair),
	packedOf("feedback", record.UnpackFeedback),
	packedOf("validation", record.UnpackValidation),
	packedOf("totals", record.UnpackTotals),
	packedOf("l1Info", record.UnpackL1Info),
	packedOf("params", record.UnpackParams),
}

// TestPackedRecords: what Go packs, Solidity reads and encodes to what Go commits to; both read what follows from the same
// position; both refuse every shorter input, and every change of a byte has the same effect on both.
func TestPackedRecords(t *testing.T) {
	evm, c := deploy(t, "UnpackHarness")
	require.Len(t, packedRecords, len(c.ABI.Methods), "a record without a case")
	checkPacked(t, evm, c, packedRecords, record.ErrPacked)
}

// TestPackedFrames is the same for the machine's frames.
func TestPackedFrames(t *testing.T) {
	evm, c := deploy(t, "UnpackFramesHarness")
	cases := []packedCase{
		packedOf("run", frame.UnpackRun),
		packedOf("blockFrame", frame.UnpackBlock),
		packedOf("sums", frame.UnpackSums),
		packedOf("txFrame", frame.UnpackTx),
		packedOf("op", frame.UnpackOp),
	}
	require.Len(t, cases, len(c.ABI.Methods), "a frame without a case")
	checkPacked(t, evm, c, cases, frame.ErrPacked)
}

// TestPackedSample is the same for structs of every shape.
func TestPackedSample(t *testing.T) {
	evm, c := deploy(t, "UnpackSampleHarness")
	checkPacked(t, evm, c, []packedCase{
		packedOf("fixedSize", sample.UnpackFixed), packedOf("text", sample.UnpackText), packedOf("lists", sample.UnpackLists),
	}, sample.ErrPacked)
}

// TestPackedLength: a length that two bytes cannot hold is never cut.
func TestPackedLength(t *testing.T) {
	long := record.AgentURI{Uri: strings.Repeat("a", 1<<16-1)}
	x, rest, err := record.UnpackAgentURI(long.AppendPacked(nil))
	require.NoError(t, err)
	require.Empty(t, rest)
	require.Equal(t, long, x)
	long.Uri += "a"
	require.Panics(t, func() { long.AppendPacked(nil) })
}

func checkPacked(t *testing.T, evm *solidity.EVM, c *solidity.Contract, cases []packedCase, refused error) {
	for _, pc := range cases {
		t.Run(pc.method, func(t *testing.T) {
			var gas, size uint64
			same := func(t require.TestingT, w []byte, p int) {
				v, rest, err := pc.unpack(w[p:])
				got, used, evmErr := evm.Call(c, pc.method, w, big.NewInt(int64(p)))
				if err != nil {
					require.ErrorIs(t, err, refused)
					var r *solidity.Revert
					require.ErrorAs(t, evmErr, &r, "Solidity reads what Go refuses: %v", err)
					require.Contains(t, []string{"PackedTruncated", "PackedBool", "PackedZero"}, r.Name)
					return
				}
				require.NoError(t, evmErr)
				require.Equal(t, v.Encode(), got[0])
				require.Equal(t, int64(len(w)-len(rest)), got[1].(*big.Int).Int64())
				if used > gas {
					gas, size = used, uint64(len(w)-len(rest)-p)
				}
			}
			rapid.Check(t, func(t *rapid.T) {
				x := reflect.New(reflect.TypeOf(pc.zero).Elem())
				random(t, x.Elem(), 70)
				if r, ok := x.Interface().(*record.Reputation); ok { // 128 bits
					r.SumOfSquares.Rsh(&r.SumOfSquares, 128)
				}
				if r, ok := x.Interface().(*record.Foreign); ok {
					r.SumOfSquares.Rsh(&r.SumOfSquares, 128)
				}
				// packing cuts numbers to their type, which is not always Go's
				v, _, err := pc.unpack(x.Interface().(packable).AppendPacked(nil))
				require.NoError(t, err)
				before := rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(t, "before")
				packed := v.AppendPacked(bytes.Clone(before))
				back, rest, err := pc.unpack(packed[len(before):])
				require.NoError(t, err)
				require.Empty(t, rest)
				require.Equal(t, v.Encode(), back.Encode())
				same(t, packed, len(before))
				same(t, append(bytes.Clone(packed), rapid.SliceOfN(rapid.Byte(), 1, 40).Draw(t, "after")...), len(before))
				cut := rapid.IntRange(len(before), len(packed)-1).Draw(t, "cut")
				_, _, err = pc.unpack(packed[len(before):cut])
				require.ErrorIs(t, err, refused, "cut short")
				same(t, packed[:cut], len(before))
				m := bytes.Clone(packed)
				m[rapid.IntRange(len(before), len(m)-1).Draw(t, "at")] ^= byte(rapid.IntRange(1, 255).Draw(t, "xor"))
				same(t, m, len(before))
			})
			_, _, err := evm.Call(c, pc.method, []byte{1, 2, 3}, new(big.Int).Lsh(big.NewInt(1), 255))
			var r *solidity.Revert
			require.ErrorAs(t, err, &r, "position outside the witness")
			require.Equal(t, "PackedTruncated", r.Name)
			t.Logf("%d gas to read and encode %d bytes, call included", gas, size)
		})
	}
}
