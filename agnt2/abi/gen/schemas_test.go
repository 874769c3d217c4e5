package main

import (
	"encoding/hex"
	"testing"

	gethabi "github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/stretchr/testify/require"
)

// TestSchemas: the descriptions are those that agnt2/machine/differential checks CanonicalABI with.
func TestSchemas(t *testing.T) {
	static := []gethabi.ArgumentMarshaling{{Name: "u", Type: "address"}, {Name: "v", Type: "bool"}}
	for _, c := range []struct {
		types string
		parts []gethabi.ArgumentMarshaling
		want  string
	}{
		{"uint8", nil, "01"}, {"uint64", nil, "08"}, {"uint248", nil, "1f"}, {"uint256", nil, "00"}, {"bytes32", nil, "00"},
		{"int128", nil, "70"}, {"int8", nil, "61"}, {"int128[]", nil, "43020170"},
		{"address", nil, "14"}, {"bool", nil, "20"}, {"bytes1", nil, "21"}, {"bytes31", nil, "3f"}, {"bytes", nil, "40"}, {"string", nil, "40"},
		{"uint16[3]", nil, "020202"}, {"string[]", nil, "410140"}, {"uint64[]", nil, "43020108"}, {"uint32[2][]", nil, "4303020404"},
		{"bool[][]", nil, "410443020120"}, {"tuple", static, "1420"}, {"tuple[]", static, "4303021420"},
		{"tuple", []gethabi.ArgumentMarshaling{{Name: "x", Type: "bytes"}, {Name: "y", Type: "tuple", Components: static}}, "420403401420"},
	} {
		ty, err := gethabi.NewType(c.types, "", c.parts)
		require.NoError(t, err)
		require.Equal(t, c.want, hex.EncodeToString(fieldSchema(&ty)), c.types)
	}
}
