// Package mempool is the engine's transaction pool: it admits signed transactions, keeps each sender's in nonce order
// and hands the executable ones to the block builder, best effective tip first.
//
// It decides nothing that consensus depends on: a block may hold any well-formed transaction, and what the pool refuses
// is policy. Deposits never enter it. The order in which it hands transactions out depends only on the calls made to
// it, never on the wall clock, map iteration or goroutine order.
//
// A transaction is executable when its nonce follows the account's without a gap and the balance covers value and the
// highest fee of it and of all the sender's earlier pooled transactions; otherwise it is queued and waits, for a bounded
// time. An accepted transaction is on disk before Add returns if a journal is configured.
//
// Sources: AGNT2 paper §4.4 and App. A.3 (fees) and A.6 (pipeline); EIP-1559; OP specs, "L1 data fee".
package mempool

import (
	"math/big"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"

	"github.com/agnt2/agnt2/agnt2/abi"
)

// State is the state of the head block. It is safe for concurrent use, and stays readable until the next Reset.
type State interface {
	Account(a common.Address) Account
}

// Prefetcher is a State that reads accounts faster if it knows them ahead.
type Prefetcher interface{ Prefetch(as []common.Address) }

// Account is what the pool wants to know of a sender.
type Account struct {
	Nonce   uint64      // the next one that executes
	Balance uint256.Int // wei
	Stake   uint256.Int // wei; zero if it is not an agent

	Delegated bool // its own key does not act for it: whatever it signs is void
}

// Head is the block that the pool's transactions are meant to follow.
type Head struct {
	Number   uint64
	GasLimit uint64      // of the next block
	BaseFee  uint256.Int // of the next block, wei per gas
	// L1Cost is the L1 data fee in wei of a signed transaction of that many bytes; nil: none.
	L1Cost func(txBytes int) uint256.Int
	State  State
	Now    uint64 // the block's timestamp, Unix seconds; the only clock the pool knows
}

// Config bounds the pool. Limits left at zero take DefaultConfig's value.
type Config struct {
	ChainID *big.Int

	MaxTransactions int   // in the whole pool
	MaxBytes        int64 // sum of the encodings of the whole pool
	// MaxInflightBytes bounds what concurrent Adds may hold that is not in the pool yet (waiting for sender recovery or
	// for the disk). Beyond it, Add answers ErrBusy at once.
	MaxInflightBytes int64

	// A sender may use the nonces of the window [n, n+slots), n the account's nonce at the head, so it never has more
	// than slots transactions, but for those that an abandoned block gives back: slots = min(MaxSenderSlots, SenderSlots +
	// stake / StakePerSlot), all integer.
	SenderSlots    uint64
	MaxSenderSlots uint64
	StakePerSlot   uint256.Int // wei

	MaxNonceGap      uint64      // how far past the next executable nonce a nonce may lie
	PriceBumpPercent uint64      // by how much a replacement must raise both fees
	MinTip           uint256.Int // least maxPriorityFeePerGas, wei per gas
	QueuedLifetime   uint64      // seconds after which a transaction that is not executable is dropped

	// IntrinsicGas is the gas that a transaction uses at least; nil: not checked. Must be pure.
	IntrinsicGas func(*abi.Transaction) uint64
	// PreCheck refuses transactions for reasons that the pool knows nothing about (a RESPOND whose payload is not
	// available, an unknown operation). Called without locks, concurrently, after the cheap rules; nil: none. Not
	// called again for transactions that come back from the journal or from an abandoned block.
	PreCheck func(*abi.Transaction) error

	// JournalPath is the file that accepted transactions are appended to; empty: no journal, and a crash forgets them.
	JournalPath string
	// JournalInterval is the least time between the starts of two fsyncs, to batch more under load. A lone transaction
	// does not wait. 0: as fast as the disk goes.
	JournalInterval time.Duration
	// JournalSlackBytes is how much of the journal may be transactions that have left the pool, beyond as much again as
	// the pool holds, before it is rewritten.
	JournalSlackBytes int64
}

// DefaultConfig fits a sequencer with a few GB of memory. ChainID, the hooks and the journal are the caller's to set.
func DefaultConfig() Config {
	return Config{
		MaxTransactions:   200_000,
		MaxBytes:          256 << 20,
		MaxInflightBytes:  64 << 20,
		SenderSlots:       64,
		MaxSenderSlots:    4096,
		StakePerSlot:      *uint256.NewInt(1e16), // 0.01 AGNT
		MaxNonceGap:       1024,
		PriceBumpPercent:  10,
		QueuedLifetime:    3 * 60 * 60,
		JournalInterval:   2 * time.Millisecond,
		JournalSlackBytes: 4 << 20,
	}
}

func (c Config) withDefaults() Config {
	d := DefaultConfig()
	if c.ChainID == nil {
		c.ChainID = new(big.Int)
	}
	setInt(&c.MaxTransactions, d.MaxTransactions)
	setInt(&c.MaxBytes, d.MaxBytes)
	setInt(&c.MaxInflightBytes, d.MaxInflightBytes)
	setInt(&c.SenderSlots, d.SenderSlots)
	setInt(&c.MaxSenderSlots, d.MaxSenderSlots)
	setInt(&c.MaxNonceGap, d.MaxNonceGap)
	setInt(&c.PriceBumpPercent, d.PriceBumpPercent)
	setInt(&c.QueuedLifetime, d.QueuedLifetime)
	setInt(&c.JournalSlackBytes, d.JournalSlackBytes)
	if c.StakePerSlot.IsZero() {
		c.StakePerSlot = d.StakePerSlot
	}
	if c.MaxSenderSlots < c.SenderSlots {
		c.MaxSenderSlots = c.SenderSlots
	}
	return c
}

func setInt[T int | int64 | uint64](v *T, dflt T) {
	if *v <= 0 {
		*v = dflt
	}
}

// slots is the number of nonces that a sender may use at a time.
func (c *Config) slots(stake *uint256.Int) uint64 {
	var extra uint256.Int
	extra.Div(stake, &c.StakePerSlot)
	if room := c.MaxSenderSlots - c.SenderSlots; !extra.IsUint64() || extra.Uint64() >= room {
		return c.MaxSenderSlots
	}
	return c.SenderSlots + extra.Uint64()
}
