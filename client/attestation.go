package client

import (
	"crypto/ecdsa"
	"fmt"

	"github.com/ethereum/go-ethereum/crypto"

	"github.com/agnt2/agnt2/agnt2/vm"
)

// Attestation is what a callee signs about one execution (AGNT2 paper §4.2): the image with ImageDigest, given params with
// ParamsHash, produced the result with ResultHash. It is the engine's own type: what it recovers is what is signed here.
type Attestation = vm.Attestation

// SignAttestation returns r‖s‖v with v 27 or 28, as RespondCall.Attestation takes it.
func SignAttestation(a *Attestation, key *ecdsa.PrivateKey, chainID uint64) ([]byte, error) {
	digest := a.Digest(chainID)
	sig, err := crypto.Sign(digest[:], key)
	if err != nil {
		return nil, fmt.Errorf("attestation of %v: %w", a.ID, err)
	}
	sig[64] += 27
	return sig, nil
}
