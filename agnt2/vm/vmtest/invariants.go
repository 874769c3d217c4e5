package vmtest

import (
	"bytes"
	"math/bits"
	"slices"

	"github.com/ethereum/go-ethereum/crypto"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/agnt2/agnt2/agnt2/record"
	"github.com/agnt2/agnt2/agnt2/vm"
)

// Held is the value, in wei, that a record holds beside accounts' balances and stakes and what is burned. Every record that
// a payment can rest in has a case: that is what makes the conservation of value an invariant.
func Held(k record.Key, v []byte) (wei uint256.Int) {
	switch record.Namespace(k[0]) {
	case record.NSInteraction:
		if i := must(record.DecodeInteraction(v)); i.Status == uint8(vm.Pending) && i.Constituent == 0 {
			wei = i.PaymentWei
		}
	case record.NSChannel:
		if c := must(record.DecodeChannel(v)); c.Status != uint8(vm.ChannelClosed) {
			wei.Add(&c.FundedA, &c.FundedB)
		}
	case record.NSDispute:
		if d := must(record.DecodeDispute(v)); d.Outcome == uint8(vm.DisputeOpen) {
			wei = d.BondWei
		}
	case record.NSCommitment:
		wei = must(record.DecodeCommitment(v)).DepositWei
	case record.NSComposition:
		wei = must(record.DecodeComposition(v)).EscrowWei
	}
	return wei
}

// IsOpen reports whether an interaction's deadline is queued. A tentative answer that others need is, until it is opened.
func IsOpen(i *record.Interaction) bool {
	return i.Status == uint8(vm.Pending) || i.Status == uint8(vm.Tentative) && i.Constituent&(1<<5) != 0
}

// CheckComposition asserts what holds of every composition between blocks.
func CheckComposition(t require.TestingT, c *record.Composition) {
	all := uint32(1)<<c.Count - 1
	require.Zero(t, (c.Active|c.Done|c.Skipped|c.Failed|c.Credited|c.Opened|c.Paid)&^all, "masks of constituents that are not there")
	sum := bits.OnesCount32(c.Active) + bits.OnesCount32(c.Done) + bits.OnesCount32(c.Skipped) + bits.OnesCount32(c.Failed)
	require.Equal(t, sum, bits.OnesCount32(c.Active|c.Done|c.Skipped|c.Failed), "a constituent has two fates")
	require.False(t, c.EscrowWei.Lt(&c.OwedWei), "credits are not covered")
	switch status := vm.CompositionStatus(c.Status); status {
	case vm.CompositionActive:
		require.Zero(t, c.SettledAt)
		require.Zero(t, c.Paid)
		if c.Atomic {
			require.Zero(t, c.Failed, "an atomic composition outlives a failure")
		}
	case vm.CompositionCommitted:
		require.True(t, c.Atomic)
		require.Equal(t, all, c.Done|c.Skipped)
		require.Zero(t, c.Paid&^c.Credited)
		if c.Paid == c.Credited {
			require.Equal(t, c.EscrowWei.IsZero(), c.OwedWei.IsZero())
		}
	case vm.CompositionReverted:
		require.True(t, c.Atomic)
	case vm.CompositionSettled:
		require.False(t, c.Atomic)
		require.Equal(t, all, c.Done|c.Skipped|c.Failed)
	default:
		require.Fail(t, "a composition without status")
	}
}

// DefinedRoot is the definition of a trie's root, read off the specification.
func DefinedRoot(records map[record.Key][]byte) [32]byte {
	keys := make([]record.Key, 0, len(records))
	for k := range records {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b record.Key) int { return bytes.Compare(a[:], b[:]) })
	return definedRoot(records, keys, 0)
}

func definedRoot(records map[record.Key][]byte, keys []record.Key, depth int) [32]byte {
	switch len(keys) {
	case 0:
		return [32]byte{}
	case 1:
		return [32]byte(crypto.Keccak256([]byte{0}, keys[0][:], crypto.Keccak256(records[keys[0]])))
	}
	split, _ := slices.BinarySearchFunc(keys, 1, func(k record.Key, bit int) int {
		return int(k[depth/8]>>(7-depth%8)&1) - bit
	})
	left, right := definedRoot(records, keys[:split], depth+1), definedRoot(records, keys[split:], depth+1)
	return [32]byte(crypto.Keccak256([]byte{1}, left[:], right[:]))
}
