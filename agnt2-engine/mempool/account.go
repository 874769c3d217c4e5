package mempool

import (
	"sort"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"

	"github.com/agnt2/agnt2/agnt2/abi"
)

// item is one pooled transaction.
type item struct {
	tx          *abi.Transaction
	nonce       uint64 // of tx, at hand
	seq         uint64 // order of arrival, unique
	queuedSince uint64 // Head.Now when it arrived or was last demoted
	executable  bool
	announced   bool        // subscribers have had it
	cost        uint256.Int // value + gasLimit·maxFeePerGas + L1 data fee, wei; saturates

	// Over this and the sender's earlier pooled transactions.
	sumCost uint256.Int // saturates
	minTip  uint256.Int // least maxPriorityFeePerGas
	minFee  uint256.Int // least maxFeePerGas
}

// account is a sender with pooled transactions.
type account struct {
	addr    common.Address
	nonce   uint64 // of the head
	balance uint256.Int
	readAt  uint64 // epoch of nonce, balance and slots
	slots   uint64

	txs        []*item // nonce order
	executable int     // the first so many of txs

	visited    uint64 // by which Reset
	visitedAt  int    // where that has it
	lanes      *lane  // of the open blocks, in no order; some may be closed
	orderIndex int    // in Pool.order
	evictIndex int    // in evictor.heap; -1: not there
	evictRank  rank
	cut        int // transactions at the end that an eviction being planned has already counted
}

// search returns the position of a nonce in txs, and whether it is there.
func (a *account) search(nonce uint64) (int, bool) {
	if n := len(a.txs); n > 0 && a.txs[n-1].nonce < nonce { // the common case: the next one
		return n, false
	}
	i := sort.Search(len(a.txs), func(i int) bool { return a.txs[i].nonce >= nonce })
	return i, i < len(a.txs) && a.txs[i].nonce == nonce
}

// next is the first nonce that would be executable.
func (a *account) next() uint64 { return a.nonce + uint64(a.executable) }

// before is the sum, and the least fees, over the transactions in front of position i. The fees are ^0 if there are none.
func (a *account) before(i int) (sumCost, minTip, minFee uint256.Int) {
	if i == 0 {
		minTip.SetAllOne()
		minFee.SetAllOne()
		return
	}
	p := a.txs[i-1]
	return p.sumCost, p.minTip, p.minFee
}

// accumulate fills in the running values of the transactions from position i on.
func (a *account) accumulate(i int) {
	sum, tip, fee := a.before(i)
	for _, it := range a.txs[i:] {
		sum = addSaturating(&sum, &it.cost)
		if it.tx.TipCap.Lt(&tip) {
			tip = it.tx.TipCap
		}
		if it.tx.FeeCap.Lt(&fee) {
			fee = it.tx.FeeCap
		}
		it.sumCost, it.minTip, it.minFee = sum, tip, fee
	}
}

func (a *account) insert(i int, it *item) {
	a.txs = append(a.txs, nil)
	copy(a.txs[i+1:], a.txs[i:])
	a.txs[i] = it
}

func addSaturating(x, y *uint256.Int) (z uint256.Int) {
	if _, overflow := z.AddOverflow(x, y); overflow {
		z.SetAllOne()
	}
	return z
}

// cost is the most that a transaction can take from its sender: the fee of consensus, and the value that the sender
// means to move.
func (h *Head) cost(tx *abi.Transaction) uint256.Int {
	var fee uint256.Int
	if _, overflow := fee.MulOverflow(uint256.NewInt(tx.GasLimit), &tx.FeeCap); overflow {
		return *fee.SetAllOne()
	}
	if h.L1Cost != nil {
		l1 := h.L1Cost(tx.Size)
		fee = addSaturating(&fee, &l1)
	}
	return addSaturating(&fee, &tx.Value)
}
