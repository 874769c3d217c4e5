package challenger

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/ethereum-optimism/optimism/op-challenger/game/fault/preimages"
	"github.com/ethereum-optimism/optimism/op-challenger/game/fault/types"
	preimage "github.com/ethereum-optimism/optimism/op-preimage"
	"github.com/ethereum-optimism/optimism/op-service/txmgr"
)

// Identifiers of the values that a game loads into the preimage oracle for its machine (OP's LocalPreimageKey).
const (
	LocalL1Head = iota + 1
	LocalStartingRoot
	LocalDisputedRoot
	LocalL2Block // starting block of the game + index of the disputed output + 1: not clamped to the claimed block
	LocalChainID
)

// localRead are those that the machine reads.
var localRead = []uint64{LocalL1Head, LocalStartingRoot, LocalDisputedRoot}

// LocalSteps is how many steps at the start of a trace may read local data.
const LocalSteps = 1

// LocalDataOffset is the offset at which the machine reads local data: behind the oracle's eight bytes of length, where one
// part holds the whole value.
const LocalDataOffset = 8

// ErrGlobalPreimage says that a step asked for a preimage other than those that it was prepared with.
var ErrGlobalPreimage = errors.New("unexpected preimage")

func readsLocalData(t Trace, i uint64) bool {
	if l, ok := t.(LocalReader); ok {
		return l.ReadsLocalData(i)
	}
	return i < LocalSteps
}

func localData(ident uint64) *types.PreimageOracleData {
	key := preimage.LocalIndexKey(ident).PreimageKey()
	return types.NewPreimageOracleData(key[:], nil, LocalDataOffset) // the value is the game's, not ours
}

// preparation is what has to be on L1 before a step.
type preparation struct {
	local bool   // the game's local data
	leaf  []byte // a string that the verifier reads from OriginLeaves
}

// preparations pass what steps need from the trace to the uploader: OP's interfaces in between carry one preimage a step, so
// a preimage that is never read stands for them.
type preparations struct {
	mu   sync.Mutex
	open map[*types.PreimageOracleData]preparation
}

// marker returns the preimage that stands for p; nil if p is nothing.
func (q *preparations) marker(p preparation) *types.PreimageOracleData {
	if !p.local && p.leaf == nil {
		return nil
	}
	m := localData(LocalL1Head)
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.open == nil || len(q.open) >= maxPreparations { // of steps that were looked at and never made
		q.open = map[*types.PreimageOracleData]preparation{}
	}
	q.open[m] = p
	return m
}

const maxPreparations = 256

func (q *preparations) take(m *types.PreimageOracleData) (preparation, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	p, ok := q.open[m]
	delete(q.open, m)
	return p, ok
}

// uploader puts on L1 what a step reads there. Uploading again changes nothing.
type uploader struct {
	sender interface {
		SendAndWaitSimple(txPurpose string, txs ...txmgr.TxCandidate) error
	}
	game   preimages.PreimageGameContract
	queue  *preparations
	leaves *leafStore
}

var _ preimages.PreimageUploader = (*uploader)(nil)

// UploadPreimage is called with a marker of preparations.
func (u *uploader) UploadPreimage(ctx context.Context, claim uint64, data *types.PreimageOracleData) error {
	p, ok := u.queue.take(data)
	if !ok {
		return ErrGlobalPreimage
	}
	if p.leaf != nil {
		if err := u.leaves.store(ctx, u.sender.SendAndWaitSimple, p.leaf); err != nil {
			return err
		}
	}
	if !p.local {
		return nil
	}
	var txs []txmgr.TxCandidate
	for _, ident := range localRead {
		tx, err := u.game.UpdateOracleTx(ctx, claim, localData(ident))
		if err != nil {
			return fmt.Errorf("local data %d of claim %d: %w", ident, claim, err)
		}
		txs = append(txs, tx)
	}
	return u.sender.SendAndWaitSimple("load local data", txs...)
}
