package erc8004_test

import (
	"bytes"
	"math/big"
	"strings"
	"testing"

	gethabi "github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/agnt2/agnt2/agnt2/erc8004"
)

func TestAgentID(t *testing.T) {
	a := common.HexToAddress("0xff00000000000000000000000000000000000001")
	id := erc8004.AgentID(a)
	require.Equal(t, new(big.Int).SetBytes(a[:]).String(), id.Dec())
	back, ok := erc8004.Agent(&id)
	require.True(t, ok)
	require.Equal(t, a, back)
	_, ok = erc8004.Agent(new(uint256.Int).Lsh(uint256.NewInt(1), 160))
	require.False(t, ok)
}

// TestWritesAgainstGoEthereum holds the bindings' overloads to the functions that they are meant for.
func TestWritesAgainstGoEthereum(t *testing.T) {
	a, err := gethabi.JSON(strings.NewReader(erc8004.JSON))
	require.NoError(t, err)
	id, who := big.NewInt(7), common.Address{1}
	type entry struct {
		MetadataKey   string
		MetadataValue []byte
	}
	for _, c := range []struct {
		call interface{ Encode() []byte }
		sig  string
		args []any
	}{
		{new(erc8004.RegisterCall), "register()", nil},
		{&erc8004.Register1Call{AgentURI: "u"}, "register(string)", []any{"u"}},
		{
			&erc8004.Register0Call{AgentURI: "u", Metadata: []erc8004.MetadataEntry{{MetadataKey: "k", MetadataValue: []byte("v")}}},
			"register(string,(string,bytes)[])", []any{"u", []entry{{"k", []byte("v")}}},
		},
		{&erc8004.SetAgentURICall{AgentId: *uint256.NewInt(7), NewURI: "u"}, "setAgentURI(uint256,string)", []any{id, "u"}},
		{&erc8004.SetMetadataCall{AgentId: *uint256.NewInt(7), MetadataKey: "k", MetadataValue: []byte("v")}, "setMetadata(uint256,string,bytes)", []any{id, "k", []byte("v")}},
		{
			&erc8004.SetAgentWalletCall{AgentId: *uint256.NewInt(7), NewWallet: who, Deadline: *uint256.NewInt(7), Signature: []byte("s")},
			"setAgentWallet(uint256,address,uint256,bytes)", []any{id, who, id, []byte("s")},
		},
		{&erc8004.UnsetAgentWalletCall{AgentId: *uint256.NewInt(7)}, "unsetAgentWallet(uint256)", []any{id}},
		{&erc8004.TransferFromCall{From: who, TokenId: *uint256.NewInt(7)}, "transferFrom(address,address,uint256)", []any{who, common.Address{}, id}},
		{&erc8004.SafeTransferFromCall{From: who, TokenId: *uint256.NewInt(7)}, "safeTransferFrom(address,address,uint256)", []any{who, common.Address{}, id}},
		{
			&erc8004.SafeTransferFrom0Call{From: who, TokenId: *uint256.NewInt(7), Data: []byte("d")},
			"safeTransferFrom(address,address,uint256,bytes)", []any{who, common.Address{}, id, []byte("d")},
		},
	} {
		found := false
		for _, m := range a.Methods {
			if m.Sig == c.sig {
				found = true
				args, err := m.Inputs.Pack(c.args...)
				require.NoError(t, err, c.sig)
				require.Equal(t, append(bytes.Clone(m.ID), args...), c.call.Encode(), c.sig)
			}
		}
		require.True(t, found, c.sig)
	}
}

// FuzzDecodeSetAgentWallet: what decodes encodes to the same bytes.
func FuzzDecodeSetAgentWallet(f *testing.F) {
	f.Add((&erc8004.SetAgentWalletCall{Signature: make([]byte, 65)}).Encode()[4:])
	f.Fuzz(func(t *testing.T, b []byte) {
		if c, err := erc8004.DecodeSetAgentWalletCall(b); err == nil && !bytes.Equal(c.Encode()[4:], b) {
			t.Fatalf("%x decodes and encodes to %x", b, c.Encode()[4:])
		}
	})
}

// FuzzDecodeRegister: the same for the overload with metadata.
func FuzzDecodeRegister(f *testing.F) {
	f.Add((&erc8004.Register0Call{AgentURI: "u", Metadata: []erc8004.MetadataEntry{{MetadataKey: "k"}}}).Encode()[4:])
	f.Fuzz(func(t *testing.T, b []byte) {
		if c, err := erc8004.DecodeRegister0Call(b); err == nil && !bytes.Equal(c.Encode()[4:], b) {
			t.Fatalf("%x decodes and encodes to %x", b, c.Encode()[4:])
		}
	})
}
