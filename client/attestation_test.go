package client

import (
	"fmt"
	"math/big"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/math"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/signer/core/apitypes"
	"github.com/stretchr/testify/require"

	"github.com/agnt2/agnt2/agnt2/abi"
)

func TestAttestationDigestIsEIP712(t *testing.T) {
	for i, a := range []Attestation{
		{},
		{ID: common.Hash{1}, ParamsHash: common.Hash{2}, ResultHash: common.Hash{3}, Status: uint8(StatusParseFailure), ExecutionMs: 1 << 63, TimestampMs: 1_700_000_000_123, ImageDigest: common.Hash{31: 9}},
	} {
		chainID := uint64(901 + i)
		typed := apitypes.TypedData{
			Types: apitypes.Types{
				"EIP712Domain": {{Name: "name", Type: "string"}, {Name: "version", Type: "string"}, {Name: "chainId", Type: "uint256"}, {Name: "verifyingContract", Type: "address"}},
				"Attestation": {
					{Name: "id", Type: "bytes32"}, {Name: "paramsHash", Type: "bytes32"}, {Name: "resultHash", Type: "bytes32"}, {Name: "status", Type: "uint8"},
					{Name: "executionMs", Type: "uint64"}, {Name: "timestampMs", Type: "uint64"}, {Name: "imageDigest", Type: "bytes32"},
				},
			},
			PrimaryType: "Attestation",
			Domain:      apitypes.TypedDataDomain{Name: "AGNT2", Version: "1", ChainId: (*math.HexOrDecimal256)(new(big.Int).SetUint64(chainID)), VerifyingContract: abi.Address.Hex()},
			Message: apitypes.TypedDataMessage{
				"id": a.ID.Hex(), "paramsHash": a.ParamsHash.Hex(), "resultHash": a.ResultHash.Hex(), "status": fmt.Sprint(uint8(a.Status)),
				"executionMs": fmt.Sprint(a.ExecutionMs), "timestampMs": fmt.Sprint(a.TimestampMs), "imageDigest": a.ImageDigest.Hex(),
			},
		}
		want, _, err := apitypes.TypedDataAndHash(typed)
		require.NoError(t, err)
		require.Equal(t, common.BytesToHash(want), a.Digest(chainID))

		key := testKey(t, "callee")
		sig, err := SignAttestation(&a, key, chainID)
		require.NoError(t, err)
		require.Equal(t, crypto.PubkeyToAddress(key.PublicKey), a.Signer(chainID, sig))
		a.ExecutionMs++
		require.NotEqual(t, crypto.PubkeyToAddress(key.PublicKey), a.Signer(chainID, sig))
	}
}
