package block

import (
	"encoding/binary"

	"github.com/ethereum/go-ethereum/common"

	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/agnt2/record"
)

// PrefetchTxs is how many transactions to prefetch at a time: so few that what they touch is still in the second-level
// cache when they are executed.
const PrefetchTxs = 64

// Toucher is a vm.Base that can bring records nearer to the processor.
type Toucher interface{ Touch(keys []record.Key) }

// prefetcher keeps its buffers from one call to the next.
type prefetcher struct {
	ids    []byte // identifiers, one after the other
	ends   []int
	inputs [][]byte
	keys   []record.Key
	invoke []wanted
}

// wanted is what a transaction will touch beside its sender's account.
type wanted struct {
	tx             *abi.Transaction
	callee, caller common.Address // zero: unknown
	capability     common.Hash
	id             common.Hash // of the interaction that a RESPOND settles
	preimage       int         // of the id of the interaction that an INVOKE opens, in inputs
	deadline       uint64      // of that one
}

// Offsets of what is looked at in calldata, in bytes.
const (
	wordBytes        = 32
	invokeSalt       = 4
	invokeCallee     = invokeSalt + 1*wordBytes
	invokeCapability = invokeSalt + 2*wordBytes
	invokeTTL        = invokeSalt + 4*wordBytes
	respondID        = 4
	leastData        = invokeTTL + wordBytes
)

func addressAt(b []byte, at int) common.Address {
	return common.Address(b[at+wordBytes-common.AddressLength : at+wordBytes])
}

func (p *prefetcher) add(parts ...[]byte) {
	for _, b := range parts {
		p.ids = append(p.ids, b...)
	}
	p.ends = append(p.ends, len(p.ids))
}

// Prefetch looks at the transactions that will be executed next: it hashes the identifiers of the records that they will
// touch, several at a time, and reads these, all at once, where one after the other each would wait for the memory. It changes
// nothing, and what it guesses wrong costs only time.
func (e *Execution) Prefetch(txs []*abi.Transaction) {
	if e.toucher == nil || len(txs) == 0 {
		return
	}
	p := &e.prefetcher
	p.ids, p.ends, p.keys, p.invoke = p.ids[:0], p.ends[:0], p.keys[:0], p.invoke[:0]
	for _, tx := range txs {
		w := wanted{tx: tx}
		if tx.To != nil && *tx.To == abi.Address && len(tx.Data) >= leastData {
			switch [4]byte(tx.Data) {
			case abi.InvokeSelector:
				w.callee, w.capability = addressAt(tx.Data, invokeCallee), common.Hash(tx.Data[invokeCapability:])
				w.deadline = e.Header.Time + uint64(binary.BigEndian.Uint32(tx.Data[invokeTTL+wordBytes-4:]))
			case abi.RespondSelector:
				w.id = common.Hash(tx.Data[respondID:])
				p.keys = append(p.keys, record.InteractionKey(w.id))
			}
		}
		p.invoke = append(p.invoke, w)
	}
	e.load(p.keys)
	for i := range p.invoke {
		w := &p.invoke[i]
		p.add(w.tx.From[:])
		switch {
		case w.callee != common.Address{}:
			p.add(w.callee[:])
			p.add(w.callee[:], w.capability[:])
			var zeros [wordBytes - common.AddressLength]byte
			p.add(zeros[:], w.tx.From[:], w.tx.Data[invokeSalt:invokeSalt+wordBytes])
			w.preimage = len(p.ends) - 1
		case w.id != common.Hash{}:
			b := e.Overlay.Get(record.InteractionKey(w.id))
			if b == nil {
				continue
			}
			if x, err := record.DecodeInteraction(b); err == nil {
				w.caller = x.Caller
				p.add(w.caller[:])
				p.add(w.tx.From[:], w.caller[:])
			}
		}
	}
	p.inputs = p.inputs[:0]
	from := 0
	for _, end := range p.ends {
		p.inputs = append(p.inputs, p.ids[from:end])
		from = end
	}
	record.Prehash(p.inputs)
	p.keys = p.keys[:0]
	for i := range p.invoke {
		w := &p.invoke[i]
		p.keys = append(p.keys, record.AccountKey(w.tx.From))
		switch {
		case w.callee != common.Address{}:
			id := common.Hash(record.Keccak256(p.inputs[w.preimage]))
			p.keys = append(p.keys, record.AgentKey(w.callee), record.ReputationKey(w.callee), record.CapabilityKey(w.callee, w.capability),
				record.InteractionKey(id),
				record.DeadlineKey(w.deadline, record.DueInteraction, id))
		case w.caller != common.Address{}:
			p.keys = append(p.keys, record.AccountKey(w.caller), record.PairKey(w.tx.From, w.caller), record.ReputationKey(w.tx.From))
		}
	}
	e.load(p.keys)
}

func (e *Execution) load(keys []record.Key) {
	e.toucher.Touch(keys)
	e.Overlay.Load(keys)
}
