package challenger

import (
	"context"
	"errors"
	"fmt"

	"github.com/ethereum-optimism/optimism/op-challenger/game/fault/types"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
)

var (
	// ErrTrace says that a prover's trace is not one that a game can be played with.
	ErrTrace = errors.New("trace")
	// ErrMachine says that a verifier on L1 is not of the machine or the chain that this program proves.
	ErrMachine = errors.New("verifier is of another machine or chain")
	// ErrTraceTooLong says that a block has more micro-steps than the game has positions for.
	ErrTraceTooLong = errors.New("trace is longer than the game is deep")
)

// Machine status in the top byte of a state's hash (OP's VMStatus).
const (
	StatusValid      byte = 0
	StatusInvalid    byte = 1
	StatusUnfinished byte = 3
)

// Trace is the micro-step trace of one disputed block. StateHash(i) is the machine state after i+1 steps from the absolute
// prestate; past the end the final state repeats itself.
type Trace interface {
	// StateHash has the machine's status in its top byte: 0 valid, 1 invalid, 3 unfinished.
	StateHash(ctx context.Context, i uint64) (common.Hash, error)
	// StepData returns the preimage of the state before step i and the `proof` argument of step().
	StepData(ctx context.Context, i uint64) (state, witness []byte, err error)
	// Len is the number of steps after which the state repeats itself.
	Len(ctx context.Context) (uint64, error)
}

// Describer is a Trace that can name its steps, for `challenger trace`.
type Describer interface {
	// Describe says what step i does and which record it touches, in one line.
	Describe(ctx context.Context, i uint64) (string, error)
}

// Checker is a Trace that can execute a step on its state and witness alone, as L1 does.
type Checker interface {
	// CheckStep returns an error if that does not make the state that the trace says.
	CheckStep(ctx context.Context, i uint64) error
}

// LocalReader is a Trace that knows which of its steps read the game's local data. Of other traces the first LocalSteps are
// taken to.
type LocalReader interface {
	ReadsLocalData(i uint64) bool
}

// LeafReader is a Trace of which some steps read strings that are too large for a transaction and must be in OriginLeaves.
type LeafReader interface {
	// Leaf is the string that step i refers to; nil if its witness is enough.
	Leaf(i uint64) ([]byte, error)
	// LargeLeaves are all of them.
	LargeLeaves() ([][]byte, error)
}

// Prover makes traces. Its methods may be called from several goroutines.
type Prover interface {
	// NewTrace proves block AgreedBlock+1 between an agreed and a disputed output root as seen from the game's L1 head.
	NewTrace(ctx context.Context, in TraceInputs) (Trace, error)
	AbsolutePrestate() common.Hash
}

// Matcher is a Prover that can tell whether a verifier on L1 is of the same machine and chain.
type Matcher interface {
	// Match returns an error that wraps ErrMachine if the verifier would make other states of the same steps.
	Match(ctx context.Context, verifier common.Address) error
}

// TraceInputs say what is disputed.
type TraceInputs struct {
	Game             common.Address // zero outside of a game
	L1Head           common.Hash    // of the game
	Agreed, Disputed common.Hash    // output roots
	AgreedBlock      uint64         // L2 block of Agreed
	ClaimedBlock     uint64         // L2 block that the game's root claim is about
	ChainID          uint64         // of L2
}

// stepProvider is the lower half of a game: OP's positions over a Trace.
type stepProvider struct {
	trace    Trace
	depth    types.Depth // of the lower half: 2^depth micro-steps have positions
	prestate common.Hash
	prepare  *preparations
}

var _ types.TraceProvider = (*stepProvider)(nil)

// newStepProvider refuses a trace that the game has no positions for: its end, and with it every disputed root, would be out
// of reach.
func newStepProvider(ctx context.Context, t Trace, depth types.Depth, prestate common.Hash, prepare *preparations) (*stepProvider, error) {
	n, err := t.Len(ctx)
	if err != nil {
		return nil, err
	}
	if depth < 64 && n > 1<<depth {
		return nil, fmt.Errorf("%w: %d steps, depth %d", ErrTraceTooLong, n, depth)
	}
	return &stepProvider{trace: t, depth: depth, prestate: prestate, prepare: prepare}, nil
}

func (p *stepProvider) index(pos types.Position) (uint64, error) {
	if pos.Depth() > p.depth {
		return 0, fmt.Errorf("%w: position at depth %d of %d", ErrTrace, pos.Depth(), p.depth)
	}
	i := pos.TraceIndex(p.depth)
	if !i.IsUint64() {
		return 0, fmt.Errorf("%w: step %v", ErrTrace, i)
	}
	return i.Uint64(), nil
}

// AbsolutePreStateCommitment is the state before step 0.
func (p *stepProvider) AbsolutePreStateCommitment(context.Context) (common.Hash, error) {
	return p.prestate, nil
}

// Get returns the state after the step at a position.
func (p *stepProvider) Get(ctx context.Context, pos types.Position) (common.Hash, error) {
	i, err := p.index(pos)
	if err != nil {
		return common.Hash{}, err
	}
	return p.trace.StateHash(ctx, i)
}

// GetStepData returns what step() needs at a position.
func (p *stepProvider) GetStepData(ctx context.Context, pos types.Position) (state, witness []byte, local *types.PreimageOracleData, err error) {
	i, err := p.index(pos)
	if err != nil {
		return nil, nil, nil, err
	}
	if state, witness, err = p.trace.StepData(ctx, i); err != nil {
		return nil, nil, nil, fmt.Errorf("step %d: %w", i, err)
	}
	before := p.prestate
	if i > 0 {
		if before, err = p.trace.StateHash(ctx, i-1); err != nil {
			return nil, nil, nil, fmt.Errorf("state before step %d: %w", i, err)
		}
	}
	// The game compares everything but the status. A wrong preimage would only fail on L1, after it cost time.
	if h := crypto.Keccak256Hash(state); [31]byte(h[1:]) != [31]byte(before[1:]) {
		return nil, nil, nil, fmt.Errorf("%w: state before step %d hashes to %s, the trace says %s", ErrTrace, i, h, before)
	}
	need := preparation{local: readsLocalData(p.trace, i)}
	if l, ok := p.trace.(LeafReader); ok {
		if need.leaf, err = l.Leaf(i); err != nil {
			return nil, nil, nil, fmt.Errorf("step %d: %w", i, err)
		}
	}
	return state, witness, p.prepare.marker(need), nil
}

// GetL2BlockNumberChallenge is a matter of the upper half.
func (p *stepProvider) GetL2BlockNumberChallenge(context.Context) (*types.InvalidL2BlockNumberChallenge, error) {
	return nil, types.ErrL2BlockNumberValid
}
