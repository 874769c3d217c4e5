package block

import (
	"encoding/binary"
	"slices"

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
	ids     []byte // identifiers, one after the other
	ends    []int
	inputs  [][]byte
	digests []common.Hash
	keys    []record.Key
	wanted  []wanted
}

// wanted is what a transaction will touch beside its sender's account.
type wanted struct {
	tx         *abi.Transaction
	callee     common.Address // zero: unknown
	capability common.Hash
	deadline   uint64      // of the interaction that an INVOKE opens
	id         common.Hash // of the interaction that a RESPOND settles
	settles    bool        // and that is known
	at         int         // of the digests of its identifiers: see identify
}

// Where the digests of a transaction's identifiers are, from wanted.at on.
const (
	ofSender = iota
	// INVOKE
	ofCallee
	ofCapability
	ofOpened
	// RESPOND
	ofCaller = ofSender + 1
	ofPair   = ofSender + 2
)

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
	p.ids, p.ends, p.keys, p.wanted = p.ids[:0], p.ends[:0], p.keys[:0], p.wanted[:0]
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
		p.wanted = append(p.wanted, w)
	}
	e.load(p.keys)
	for i := range p.wanted {
		e.identify(&p.wanted[i])
	}
	p.inputs = p.inputs[:0]
	from := 0
	for _, end := range p.ends {
		p.inputs = append(p.inputs, p.ids[from:end])
		from = end
	}
	p.digests = slices.Grow(p.digests[:0], len(p.inputs))[:len(p.inputs)]
	record.Prehash(p.inputs, p.digests)
	p.keys = p.keys[:0]
	for i := range p.wanted {
		w := &p.wanted[i]
		d := p.digests[w.at:]
		p.keys = append(p.keys, record.Headed(record.NSAccount, d[ofSender]))
		switch {
		case w.callee != common.Address{}:
			p.keys = append(p.keys, record.Headed(record.NSAgent, d[ofCallee]), record.Headed(record.NSReputation, d[ofCallee]),
				record.Headed(record.NSCapability, d[ofCapability]), record.InteractionKey(d[ofOpened]),
				record.DeadlineKey(w.deadline, record.DueInteraction, d[ofOpened]))
		case w.settles:
			p.keys = append(p.keys, record.Headed(record.NSAccount, d[ofCaller]), record.Headed(record.NSPair, d[ofPair]),
				record.Headed(record.NSReputation, d[ofSender]))
		}
	}
	e.load(p.keys)
}

// identify adds the identifiers of the records that a transaction will touch.
func (e *Execution) identify(w *wanted) {
	p := &e.prefetcher
	w.at = len(p.ends)
	p.add(w.tx.From[:])
	switch {
	case w.callee != common.Address{}:
		p.add(w.callee[:])
		p.add(w.callee[:], w.capability[:])
		var zeros [wordBytes - common.AddressLength]byte
		p.add(zeros[:], w.tx.From[:], w.tx.Data[invokeSalt:invokeSalt+wordBytes])
	case w.id != common.Hash{}:
		b := e.Overlay.Get(record.InteractionKey(w.id))
		if b == nil {
			return
		}
		if x, err := record.DecodeInteraction(b); err == nil {
			w.settles = true
			p.add(x.Caller[:])
			p.add(w.tx.From[:], x.Caller[:])
		}
	}
}

func (e *Execution) load(keys []record.Key) {
	e.toucher.Touch(keys)
	e.Overlay.Load(keys)
}
