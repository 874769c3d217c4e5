package abi_test

import (
	"maps"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/stretchr/testify/require"

	"github.com/agnt2/agnt2/agnt2/abi"
)

// The functions, event and errors of portability.
func init() {
	maps.Copy(calls, map[string]decodable{
		"foreignId":       of(abi.DecodeForeignIdCall, 4),
		"getForeignAgent": of(abi.DecodeGetForeignAgentCall, 4),
		"importAgent":     of(abi.DecodeImportAgentCall, 4),
	})
	maps.Copy(returns, map[string]decodable{
		"foreignId":       of(abi.DecodeForeignIdReturn, 0),
		"getForeignAgent": of(abi.DecodeGetForeignAgentReturn, 0),
	})
	maps.Copy(events, map[string]event{"AgentImported": eventOf(abi.DecodeAgentImportedEvent)})
	revertTypes = append(revertTypes, &abi.NotPassport{}, &abi.StaleImport{})
}

func FuzzDecodeImportAgent(f *testing.F) {
	fuzzDecode(f, "importAgent", &abi.ImportAgentCall{SourceChainId: 1, Identity: abi.IRecordsAgent{Name: "n", Version: "v"}})
}
func FuzzDecodeForeignId(f *testing.F)       { fuzzDecode(f, "foreignId") }
func FuzzDecodeGetForeignAgent(f *testing.F) { fuzzDecode(f, "getForeignAgent") }

// TestAlias : a sum that wraps around.
func TestAlias(t *testing.T) {
	require.Equal(t, common.HexToAddress("0x1111000000000000000000000000000000001112"), abi.Alias(common.HexToAddress("0x01")))
	require.Equal(t, common.HexToAddress("0x1111000000000000000000000000000000001110"), abi.Alias(common.HexToAddress("0xffffffffffffffffffffffffffffffffffffffff")))
}
