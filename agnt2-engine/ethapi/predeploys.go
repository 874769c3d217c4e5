package ethapi

import (
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/holiman/uint256"

	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/agnt2/abi/codec"
	"github.com/agnt2/agnt2/agnt2/record"
	"github.com/agnt2/agnt2/agnt2/withdrawal"
)

// Views of the OP Stack's predeploys (OP specs, "Predeploys"; the contracts' own interfaces). What a post-Fjord chain
// has deprecated or what sets values is left out: calling it reverts with UnknownOperation.

// semver is what the predeploys' version() answers: they are native here, not a release of the contracts.
const semver = "1.0.0+agnt2"

// signatureBytes is what OP's GasPriceOracle adds for the signature that the unsigned bytes it is given lack.
const signatureBytes = 68

// table keys views by the selector of their signature.
func table(bySignature map[string]viewFunc) map[[4]byte]viewFunc {
	out := make(map[[4]byte]viewFunc, len(bySignature))
	for s, f := range bySignature {
		out[[4]byte(crypto.Keccak256([]byte(s))[:4])] = f
	}
	return out
}

// constant answers a view without arguments.
func constant(ret []byte) viewFunc {
	return noArgs(func(*reading) ([]byte, error) { return ret, nil })
}

func noArgs(f func(v *reading) ([]byte, error)) viewFunc {
	return func(v *reading, args []byte) ([]byte, error) {
		if len(args) != 0 {
			return nil, &abi.MalformedCalldata{}
		}
		return f(v)
	}
}

func number(v uint64) []byte { return word(uint256.NewInt(v)) }

func text(s string) []byte {
	b := make([]byte, 2*32+codec.Padded(len(s)))
	codec.PutUint64(b, 32)
	codec.PutBytes(b[32:], s)
	return b
}

// l1 answers from the copy of the last L1-attributes deposit.
func l1(f func(x *record.L1Info) []byte) viewFunc {
	return noArgs(func(v *reading) ([]byte, error) {
		r, err := v.records()
		if err != nil {
			return nil, err
		}
		x, err := readOr(r, record.L1InfoKey, record.DecodeL1Info)
		if err != nil {
			return nil, err
		}
		return f(&x), nil
	})
}

var l1BlockViews = table(map[string]viewFunc{
	"number()":              l1(func(x *record.L1Info) []byte { return number(x.Number) }),
	"timestamp()":           l1(func(x *record.L1Info) []byte { return number(x.Timestamp) }),
	"basefee()":             l1(func(x *record.L1Info) []byte { return word(&x.BaseFee) }),
	"blobBaseFee()":         l1(func(x *record.L1Info) []byte { return word(&x.BlobBaseFee) }),
	"hash()":                l1(func(x *record.L1Info) []byte { return x.BlockHash[:] }),
	"batcherHash()":         l1(func(x *record.L1Info) []byte { return x.BatcherHash[:] }),
	"sequenceNumber()":      l1(func(x *record.L1Info) []byte { return number(x.SequenceNumber) }),
	"baseFeeScalar()":       l1(func(x *record.L1Info) []byte { return number(uint64(x.BaseFeeScalar)) }),
	"blobBaseFeeScalar()":   l1(func(x *record.L1Info) []byte { return number(uint64(x.BlobBaseFeeScalar)) }),
	"operatorFeeScalar()":   l1(func(x *record.L1Info) []byte { return number(uint64(x.OperatorFeeScalar)) }),
	"operatorFeeConstant()": l1(func(x *record.L1Info) []byte { return number(x.OperatorFeeConstant) }),
	"DEPOSITOR_ACCOUNT()":   constant(common.LeftPadBytes(abi.L1AttributesDepositor[:], 32)),
	"version()":             constant(text(semver)),
})

var gasPriceOracleViews = table(map[string]viewFunc{
	"l1BaseFee()":                 l1(func(x *record.L1Info) []byte { return word(&x.BaseFee) }),
	"blobBaseFee()":               l1(func(x *record.L1Info) []byte { return word(&x.BlobBaseFee) }),
	"baseFeeScalar()":             l1(func(x *record.L1Info) []byte { return number(uint64(x.BaseFeeScalar)) }),
	"blobBaseFeeScalar()":         l1(func(x *record.L1Info) []byte { return number(uint64(x.BlobBaseFeeScalar)) }),
	"baseFee()":                   noArgs(blockBaseFee),
	"gasPrice()":                  noArgs(blockBaseFee),
	"getL1Fee(bytes)":             onBytes(func(v *reading, n int) ([]byte, error) { return l1Cost(v, n) }),
	"getL1FeeUpperBound(uint256)": l1FeeUpperBound,
	"getL1GasUsed(bytes)":         onBytes(func(_ *reading, n int) ([]byte, error) { return number(uint64(n) * 16), nil }),
	"decimals()":                  constant(number(6)),
	"DECIMALS()":                  constant(number(6)),
	"isEcotone()":                 constant(number(1)),
	"isFjord()":                   constant(number(1)),
	"isIsthmus()":                 constant(number(1)),
	"version()":                   constant(text(semver)),
})

func blockBaseFee(v *reading) ([]byte, error) {
	return word(uint256.MustFromBig(v.h.BaseFee)), nil
}

// onBytes decodes a bytes argument, an unsigned transaction, and passes the length that it has once signed.
func onBytes(f func(v *reading, signedBytes int) ([]byte, error)) viewFunc {
	return func(v *reading, args []byte) ([]byte, error) {
		if len(args) < 64 || codec.GetOffset(args, 0, 32) != nil {
			return nil, &abi.MalformedCalldata{}
		}
		raw, used, err := codec.GetBytes(args[32:])
		if err != nil || codec.Whole(args[32:], used) != nil {
			return nil, &abi.MalformedCalldata{}
		}
		return f(v, len(raw)+signatureBytes)
	}
}

func l1Cost(v *reading, signedBytes int) ([]byte, error) {
	cost, err := v.a.b.L1Cost(v.h, signedBytes)
	if err != nil {
		return nil, err
	}
	return word(cost), nil
}

// l1FeeUpperBound is the fee itself: it is linear in the transaction's bytes here, so there is nothing to estimate.
func l1FeeUpperBound(v *reading, args []byte) ([]byte, error) {
	n, err := codec.GetUint(args, 0, 32)
	if err != nil || len(args) != 32 || n > abi.MaxTransactionBytes {
		return nil, &abi.MalformedCalldata{}
	}
	return l1Cost(v, int(n)+signatureBytes)
}

// messagePasserViews; initiateWithdrawal and plain transfers are transactions, which the engine dry-runs.
var messagePasserViews = table(map[string]viewFunc{
	"sentMessages(bytes32)": func(v *reading, args []byte) ([]byte, error) {
		hash, err := codec.GetHash(args, 0)
		if err != nil || len(args) != 32 {
			return nil, &abi.MalformedCalldata{}
		}
		slot, err := v.a.passerSlot(v.h, withdrawal.Slot(hash))
		if err != nil {
			return nil, err
		}
		return word(&slot), nil
	},
	"messageNonce()": noArgs(func(v *reading) ([]byte, error) {
		r, err := v.records()
		if err != nil {
			return nil, err
		}
		totals, err := readOr(r, record.TotalsKey, record.DecodeTotals)
		if err != nil {
			return nil, err
		}
		n := (&withdrawal.Message{Nonce: totals.MessageNonce}).EncodedNonce()
		return word(&n), nil
	}),
	"MESSAGE_VERSION()": constant(number(withdrawal.MessageVersion)),
	"version()":         constant(text(semver)),
})
