package client

import (
	"crypto/ecdsa"
	"fmt"
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/holiman/uint256"

	"github.com/agnt2/agnt2/agnt2/abi"
)

var (
	domainTypeHash      = crypto.Keccak256Hash([]byte("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"))
	domainNameHash      = crypto.Keccak256Hash([]byte("AGNT2"))
	domainVersionHash   = crypto.Keccak256Hash([]byte("1"))
	attestationTypeHash = crypto.Keccak256Hash([]byte("Attestation(bytes32 id,bytes32 paramsHash,bytes32 resultHash,uint8 status,uint64 executionMs,uint64 timestampMs,bytes32 imageDigest)"))
)

// Attestation is what a callee signs about one execution (AGNT2 paper App. B.8): the image with ImageDigest, given params
// with ParamsHash, produced the result with ResultHash. ExecutionMs and TimestampMs are claims.
type Attestation struct {
	ID          common.Hash
	ParamsHash  common.Hash
	ResultHash  common.Hash // zero unless Status is StatusOK
	Status      ResponseStatus
	ExecutionMs uint64
	TimestampMs uint64
	ImageDigest common.Hash // the registered one
}

// Digest is the EIP-712 hash under the domain ("AGNT2", "1", chainID, abi.Address).
func (a *Attestation) Digest(chainID *big.Int) common.Hash {
	return crypto.Keccak256Hash([]byte{0x19, 0x01}, domainSeparator(chainID).Bytes(), a.structHash().Bytes())
}

// Sign returns r‖s‖v with v 27 or 28, as RespondCall.Attestation takes it.
func (a *Attestation) Sign(key *ecdsa.PrivateKey, chainID *big.Int) ([]byte, error) {
	digest := a.Digest(chainID)
	sig, err := crypto.Sign(digest[:], key)
	if err != nil {
		return nil, fmt.Errorf("attestation of %v: %w", a.ID, err)
	}
	sig[64] += 27
	return sig, nil
}

// Signer recovers who signed the attestation.
func (a *Attestation) Signer(sig []byte, chainID *big.Int) (common.Address, error) {
	if len(sig) != 65 || (sig[64] != 27 && sig[64] != 28) {
		return common.Address{}, fmt.Errorf("attestation of %v: signature is not 65 bytes with v 27 or 28", a.ID)
	}
	raw := append([]byte(nil), sig...)
	raw[64] -= 27
	digest := a.Digest(chainID)
	pub, err := crypto.SigToPub(digest[:], raw)
	if err != nil {
		return common.Address{}, fmt.Errorf("attestation of %v: %w", a.ID, err)
	}
	return crypto.PubkeyToAddress(*pub), nil
}

func domainSeparator(chainID *big.Int) common.Hash {
	return crypto.Keccak256Hash(domainTypeHash[:], domainNameHash[:], domainVersionHash[:],
		common.BigToHash(chainID).Bytes(), common.BytesToHash(abi.Address[:]).Bytes())
}

func (a *Attestation) structHash() common.Hash {
	word := func(n uint64) []byte { b := uint256.NewInt(n).Bytes32(); return b[:] }
	return crypto.Keccak256Hash(attestationTypeHash[:], a.ID[:], a.ParamsHash[:], a.ResultHash[:],
		word(uint64(a.Status)), word(a.ExecutionMs), word(a.TimestampMs), a.ImageDigest[:])
}
