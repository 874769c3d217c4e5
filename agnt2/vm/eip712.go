package vm

import (
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/agnt2/agnt2/agnt2/abi"
)

// What is signed off-chain is EIP-712 typed data of one domain: name AGNT2, version 1, the L2's chain id, the AGNT2 address.

var (
	domainType    = crypto.Keccak256([]byte("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"))
	domainName    = crypto.Keccak256([]byte("AGNT2"))
	domainVersion = crypto.Keccak256([]byte("1"))
)

// typedDigest is the hash that is signed of a message: type hash and fields, a word each.
func typedDigest(chainID uint64, message ...[]byte) common.Hash {
	domain := crypto.Keccak256(domainType, domainName, domainVersion, wordOf(chainID), common.LeftPadBytes(abi.Address[:], 32))
	return crypto.Keccak256Hash([]byte{0x19, 0x01}, domain, crypto.Keccak256(message...))
}

// recoverSigner recovers who signed; the zero address if sig is not a valid low-s signature r ‖ s ‖ v with v of 27 or 28.
func recoverSigner(digest common.Hash, sig []byte) (signer common.Address) {
	if len(sig) != signatureLength || (sig[64] != 27 && sig[64] != 28) {
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
