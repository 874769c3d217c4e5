package vm

import (
	"encoding/binary"
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/agnt2/agnt2/agnt2/abi"
)

// Attestation is what a callee's sidecar signs about one answer (paper §4.2), as EIP-712 typed data. ExecutionMs and
// TimestampMs are claims.
type Attestation struct {
	ID, ParamsHash, ResultHash common.Hash
	Status                     uint8
	ExecutionMs, TimestampMs   uint64
	ImageDigest                common.Hash
}

var (
	domainType      = crypto.Keccak256([]byte("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"))
	domainName      = crypto.Keccak256([]byte("AGNT2"))
	domainVersion   = crypto.Keccak256([]byte("1"))
	attestationType = crypto.Keccak256([]byte("Attestation(bytes32 id,bytes32 paramsHash,bytes32 resultHash,uint8 status,uint64 executionMs,uint64 timestampMs,bytes32 imageDigest)"))
)

func wordOf(v uint64) []byte {
	var b [32]byte
	binary.BigEndian.PutUint64(b[24:], v)
	return b[:]
}

// Digest is the EIP-712 hash that is signed.
func (a *Attestation) Digest(chainID uint64) common.Hash {
	domain := crypto.Keccak256(domainType, domainName, domainVersion, wordOf(chainID), common.LeftPadBytes(abi.Address[:], 32))
	message := crypto.Keccak256(attestationType, a.ID[:], a.ParamsHash[:], a.ResultHash[:], wordOf(uint64(a.Status)),
		wordOf(a.ExecutionMs), wordOf(a.TimestampMs), a.ImageDigest[:])
	return crypto.Keccak256Hash([]byte{0x19, 0x01}, domain, message)
}

// Signer recovers who signed; the zero address if sig is not a valid low-s signature r ‖ s ‖ v with v of 27 or 28.
func (a *Attestation) Signer(chainID uint64, sig []byte) common.Address {
	return recoverSigner(a.Digest(chainID), sig)
}

// recoverSigner is who signed a digest; the zero address if sig is not a valid low-s signature r ‖ s ‖ v with v of 27 or 28.
func recoverSigner(digest common.Hash, sig []byte) (signer common.Address) {
	if len(sig) != attestationLength || (sig[64] != 27 && sig[64] != 28) {
		return signer
	}
	r, s := new(big.Int).SetBytes(sig[:32]), new(big.Int).SetBytes(sig[32:64])
	if !crypto.ValidateSignatureValues(sig[64]-27, r, s, true) {
		return signer
	}
	pub, err := crypto.Ecrecover(digest[:], append(append([]byte{}, sig[:64]...), sig[64]-27))
	if err != nil {
		return signer
	}
	copy(signer[:], crypto.Keccak256(pub[1:])[12:])
	return signer
}
