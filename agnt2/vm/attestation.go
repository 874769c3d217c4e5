package vm

import (
	"encoding/binary"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
)

// Attestation is what a callee's sidecar signs about one answer (paper §4.2), as EIP-712 typed data. ExecutionMs and
// TimestampMs are claims.
type Attestation struct {
	ID, ParamsHash, ResultHash common.Hash
	Status                     uint8
	ExecutionMs, TimestampMs   uint64
	ImageDigest                common.Hash
}

var attestationType = crypto.Keccak256([]byte("Attestation(bytes32 id,bytes32 paramsHash,bytes32 resultHash,uint8 status,uint64 executionMs,uint64 timestampMs,bytes32 imageDigest)"))

func wordOf(v uint64) []byte {
	var b [32]byte
	binary.BigEndian.PutUint64(b[24:], v)
	return b[:]
}

// Digest is the EIP-712 hash that is signed.
func (a *Attestation) Digest(chainID uint64) common.Hash {
	return typedDigest(chainID, attestationType, a.ID[:], a.ParamsHash[:], a.ResultHash[:], wordOf(uint64(a.Status)),
		wordOf(a.ExecutionMs), wordOf(a.TimestampMs), a.ImageDigest[:])
}

// Signer recovers who signed; the zero address if sig is not a valid low-s signature r ‖ s ‖ v with v of 27 or 28.
func (a *Attestation) Signer(chainID uint64, sig []byte) common.Address {
	return recoverSigner(a.Digest(chainID), sig)
}
