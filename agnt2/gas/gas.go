// Package gas prices operations (AGNT2 paper App. A.3). Gas is a function of the operation's declared fields and of
// governance parameters only, never of the work a particular engine does. All integer; cheap to repeat in Solidity.
package gas

import (
	"math/bits"

	"github.com/holiman/uint256"

	"github.com/agnt2/agnt2/agnt2/record"
)

// Classes is the number of capability classes.
const Classes = 4

// Calldata prices the bytes of an operation's calldata.
func Calldata(p *record.Params, n int) uint64 { return p.GasPerCalldataByte * uint64(n) }

// InvokeBase is what an INVOKE pays whatever it calls. payloadBytes is the length named in its DA pointer.
func InvokeBase(p *record.Params, payloadBytes uint32) uint64 {
	return p.GasInvokeBase + p.GasPerPayloadByte*uint64(payloadBytes)
}

// Class is the surcharge of a capability class, which must be below Classes, after a discount in 1/10000.
func Class(p *record.Params, class uint8, discount uint16) uint64 {
	full := p.GasClass[class]
	if discount == 0 {
		return full
	}
	hi, lo := bits.Mul64(full, discountScale-uint64(discount))
	left, _ := bits.Div64(hi, lo, discountScale)
	return left
}

const discountScale = 10_000

// Respond is the price of a RESPOND. payloadBytes is the length named in its DA pointer.
func Respond(p *record.Params, payloadBytes uint32) uint64 {
	return p.GasRespond + p.GasPerPayloadByte*uint64(payloadBytes)
}

// Discover is the price of a scan of the given number of slots of a capability's index.
func Discover(p *record.Policy, slots uint64) uint64 {
	return p.GasDiscover + p.GasPerScannedSlot*slots
}

// AgentOperation is the price of an agent operation that writes n records beside the agent's own.
func AgentOperation(p *record.Params, n int) uint64 {
	return p.GasAgentOperation + p.GasPerRecord*uint64(n)
}

// Dispute is the price of a dispute. payloadBytes is the length of the evidence, as named in its DA pointer.
func Dispute(p *record.Params, policy *record.Policy, payloadBytes uint32) uint64 {
	return policy.GasDispute + p.GasPerPayloadByte*uint64(payloadBytes)
}

// Constituent is what one iteration of a constituent adds to the base of its COMPOSE, beside its class. depth is the number
// of dependencies on the longest way to it.
func Constituent(p *record.Params, policy *record.Policy, payloadBytes uint32, depth uint64) uint64 {
	return p.GasPerPayloadByte*uint64(payloadBytes) + policy.GasPerDepth*depth
}

// L1Price is the price of one byte of transaction on L1, in 10^-6 wei: 16·l1BaseFee·baseFeeScalar +
// blobBaseFee·blobBaseFeeScalar, the upper bound of OP's Ecotone formula (every byte priced as non-zero) without its
// compression estimate, which a step verifier could not repeat cheaply. Modulo 2^256.
func L1Price(l1 *record.L1Info) (price uint256.Int) {
	var blob uint256.Int
	price.Mul(&l1.BaseFee, uint256.NewInt(16*uint64(l1.BaseFeeScalar)))
	blob.Mul(&l1.BlobBaseFee, uint256.NewInt(uint64(l1.BlobBaseFeeScalar)))
	price.Add(&price, &blob)
	return price
}

// L1Fee is the fee, in wei, for publishing n bytes of transaction at a price of L1Price: linear in bytes.
func L1Fee(price *uint256.Int, n uint32) (fee uint256.Int) {
	fee.Mul(price, uint256.NewInt(uint64(n)))
	return *fee.Div(&fee, uint256.NewInt(1_000_000))
}

// L1DataFee is L1Fee at the price that an L1-attributes deposit gives.
func L1DataFee(l1 *record.L1Info, n int) uint256.Int {
	price := L1Price(l1)
	return L1Fee(&price, uint32(n))
}

// Add returns a+b, saturating: a sum that overflows is above every gas limit.
func Add(a, b uint64) uint64 {
	s, carry := bits.Add64(a, b, 0)
	if carry != 0 {
		return ^uint64(0)
	}
	return s
}
