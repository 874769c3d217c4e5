package vm_test

import (
	"fmt"
	"math/big"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/common/math"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/signer/core/apitypes"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/agnt2/vm"
)

// TestAttestationDigest: any wallet that signs typed data signs what the machine checks.
func TestAttestationDigest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		hash := func(name string) common.Hash {
			return common.BytesToHash(rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, name))
		}
		a := vm.Attestation{
			ID: hash("id"), ParamsHash: hash("params"), ResultHash: hash("result"), Status: rapid.Uint8().Draw(t, "status"),
			ExecutionMs: rapid.Uint64().Draw(t, "ms"), TimestampMs: rapid.Uint64().Draw(t, "at"), ImageDigest: hash("image"),
		}
		chainID := rapid.Uint64().Draw(t, "chain")
		typed := apitypes.TypedData{
			Types: apitypes.Types{
				"EIP712Domain": {{Name: "name", Type: "string"}, {Name: "version", Type: "string"}, {Name: "chainId", Type: "uint256"}, {Name: "verifyingContract", Type: "address"}},
				"Attestation": {
					{Name: "id", Type: "bytes32"}, {Name: "paramsHash", Type: "bytes32"}, {Name: "resultHash", Type: "bytes32"},
					{Name: "status", Type: "uint8"}, {Name: "executionMs", Type: "uint64"}, {Name: "timestampMs", Type: "uint64"},
					{Name: "imageDigest", Type: "bytes32"},
				},
			},
			PrimaryType: "Attestation",
			Domain: apitypes.TypedDataDomain{
				Name: "AGNT2", Version: "1", ChainId: (*math.HexOrDecimal256)(new(big.Int).SetUint64(chainID)), VerifyingContract: abi.Address.Hex(),
			},
			Message: apitypes.TypedDataMessage{
				"id": hexutil.Encode(a.ID[:]), "paramsHash": hexutil.Encode(a.ParamsHash[:]), "resultHash": hexutil.Encode(a.ResultHash[:]),
				"status": fmt.Sprint(a.Status), "executionMs": fmt.Sprint(a.ExecutionMs), "timestampMs": fmt.Sprint(a.TimestampMs),
				"imageDigest": hexutil.Encode(a.ImageDigest[:]),
			},
		}
		want, _, err := apitypes.TypedDataAndHash(typed)
		require.NoError(t, err)
		require.Equal(t, common.BytesToHash(want), a.Digest(chainID))

		sig, err := crypto.Sign(want, keyOf("signer"))
		require.NoError(t, err)
		sig[64] += 27
		require.Equal(t, addressOf("signer"), a.Signer(chainID, sig))
		flip := rapid.IntRange(0, len(sig)*8-1).Draw(t, "flip")
		sig[flip/8] ^= 1 << (flip % 8)
		require.NotEqual(t, addressOf("signer"), a.Signer(chainID, sig), "a changed signature still names the signer")
	})
}

// FuzzAttestationSigner: no bytes make recovery panic, and only 65 bytes ever name a signer.
func FuzzAttestationSigner(f *testing.F) {
	f.Add([]byte{})
	f.Add(make([]byte, 65))
	f.Add(append(make([]byte, 64), 27))
	f.Fuzz(func(t *testing.T, sig []byte) {
		a := vm.Attestation{ID: common.Hash{1}}
		if s := a.Signer(1, sig); s != (common.Address{}) && len(sig) != 65 {
			t.Fatalf("%d bytes recover %s", len(sig), s)
		}
	})
}
