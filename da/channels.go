package da

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/ethereum-optimism/optimism/op-node/rollup/derive"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/common/lru"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/log"

	"github.com/agnt2/agnt2/agnt2/manifest"
	"github.com/agnt2/agnt2/agnt2/manifest/frames"
)

var (
	// ErrFrameConflict: another frame of that channel and number is stored already.
	ErrFrameConflict = errors.New("channel has another frame of that number")
	// ErrFramesMissing: the channel's last frame came before some other; put those first.
	ErrFramesMissing = errors.New("earlier frames of the channel are missing")
	// ErrWithheld: the data does not say what its SEAL commits to, so it is treated as if it were not there.
	ErrWithheld = errors.New("data does not match its commitment")
)

// channelFile is what is remembered of a channel between its frames.
type channelFile struct {
	Frames []common.Hash `json:"frames"`         // data hashes by frame number; zero where one is missing
	Seal   hexutil.Bytes `json:"seal,omitempty"` // commitment, once the channel is complete
}

// channels turns frames into commitments and commitments back into data.
type channels struct {
	dir     string
	backend Backend
	chain   frames.Chain
	claims  *Claims // nil: nothing is claimed about execution
	log     log.Logger

	mu       sync.Mutex // one PUT at a time: OP's batcher sends frames in order
	verified *lru.Cache[common.Hash, struct{}]
}

func newChannels(dir string, b Backend, chain frames.Chain, claims *Claims, l log.Logger) (*channels, error) {
	if err := chain.Check(); err != nil {
		return nil, err
	}
	return &channels{dir: dir, backend: b, chain: chain, claims: claims, log: l, verified: lru.NewCache[common.Hash, struct{}](4096)},
		os.MkdirAll(dir, 0o755)
}

func (c *channels) path(id [16]byte) string { return filepath.Join(c.dir, fmt.Sprintf("%x.json", id)) }

func (c *channels) load(id [16]byte) (f channelFile, err error) {
	raw, err := os.ReadFile(c.path(id))
	if errors.Is(err, fs.ErrNotExist) {
		return f, nil
	}
	if err != nil {
		return f, err
	}
	if err := json.Unmarshal(raw, &f); err != nil {
		return f, fmt.Errorf("channel %x: %w: %w", id, ErrCorrupt, err)
	}
	return f, nil
}

func (c *channels) save(id [16]byte, f channelFile) error {
	raw, err := json.Marshal(f)
	if err != nil {
		return err
	}
	return writeDurably(c.path(id), raw)
}

// put stores the data of one L1 transaction and returns the commitment to it.
func (c *channels) put(ctx context.Context, data []byte) (manifest.Commitment, error) {
	frame, err := frames.ParseOne(data)
	if err != nil {
		return nil, err
	}
	if int(frame.FrameNumber) >= manifest.MaxFrames {
		return nil, fmt.Errorf("channel %s: %w: %d", frame.ID, manifest.ErrFrameNumber, frame.FrameNumber)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	file, err := c.load(frame.ID)
	if err != nil {
		return nil, err
	}
	n := int(frame.FrameNumber)
	hash := crypto.Keccak256Hash(data)
	if n < len(file.Frames) && file.Frames[n] != (common.Hash{}) && file.Frames[n] != hash {
		return nil, fmt.Errorf("channel %s, frame %d: %w", frame.ID, n, ErrFrameConflict)
	}
	if len(file.Seal) > 0 && n >= len(file.Frames) {
		return nil, fmt.Errorf("channel %s, frame %d: %w: it is sealed with %d frames", frame.ID, n, ErrFrameConflict, len(file.Frames))
	}
	pointer, err := c.backend.Put(ctx, data)
	if err != nil {
		return nil, fmt.Errorf("store frame %d of channel %s: %w", n, frame.ID, err)
	}
	ref := manifest.Frame{Channel: frame.ID, Number: frame.FrameNumber, DataHash: hash, Backend: c.backend.ID(), Pointer: pointer}
	for len(file.Frames) <= n {
		file.Frames = append(file.Frames, common.Hash{})
	}
	file.Frames[n] = hash
	if !frame.IsLast {
		part := manifest.Part{Frame: ref}
		if err := part.Check(); err != nil {
			return nil, err
		}
		return part, c.save(frame.ID, file)
	}
	if len(file.Seal) > 0 { // the same channel again: the same commitment
		return manifest.Decode(file.Seal)
	}
	ch, err := c.read(ctx, file.Frames)
	if err != nil {
		return nil, fmt.Errorf("channel %s: %w", frame.ID, err)
	}
	if err := ch.Provable(); err != nil {
		return nil, fmt.Errorf("channel %s: %w", frame.ID, err)
	}
	seal := ch.Seal(ref)
	if err := seal.Check(); err != nil {
		return nil, err
	}
	c.claims.fill(ctx, &seal, c.log)
	file.Seal = seal.Encode()
	c.log.Info("Sealed channel", "channel", frame.ID, "frames", n+1, "blocks", seal.Blocks(), "first", seal.FirstBlock, "last", seal.LastBlock)
	return seal, c.save(frame.ID, file)
}

// read decodes a channel whose frames are all stored.
func (c *channels) read(ctx context.Context, hashes []common.Hash) (*frames.Channel, error) {
	ordered := make([]derive.Frame, len(hashes))
	for i, h := range hashes {
		if h == (common.Hash{}) {
			return nil, fmt.Errorf("%w: frame %d", ErrFramesMissing, i)
		}
		data, err := c.backend.Get(ctx, h, h)
		if err != nil {
			return nil, fmt.Errorf("frame %d: %w", i, err)
		}
		if ordered[i], err = frames.ParseOne(data); err != nil {
			return nil, fmt.Errorf("frame %d: %w", i, err)
		}
	}
	return frames.Read(ordered, c.chain)
}

// get returns the data that a commitment stands for, after checking that it says what the commitment says: a PART by its
// hash, a SEAL by the records of its whole channel.
func (c *channels) get(ctx context.Context, commitment manifest.Commitment) ([]byte, error) {
	ref := commitment.FrameRef()
	if ref.Backend != c.backend.ID() {
		return nil, fmt.Errorf("backend %d: %w", ref.Backend, ErrNotFound)
	}
	data, err := c.backend.Get(ctx, ref.Pointer, ref.DataHash)
	if err != nil {
		return nil, err
	}
	frame, err := frames.ParseOne(data)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrWithheld, err)
	}
	if frame.ID != ref.Channel || frame.FrameNumber != ref.Number || frame.IsLast != (commitment.Kind() == manifest.KindSeal) {
		return nil, fmt.Errorf("%w: it is frame %d of channel %s, last %v", ErrWithheld, frame.FrameNumber, frame.ID, frame.IsLast)
	}
	if seal, ok := commitment.(manifest.Seal); ok {
		if err := c.verify(ctx, seal); err != nil {
			return nil, err
		}
	}
	return data, nil
}

func (c *channels) verify(ctx context.Context, seal manifest.Seal) error {
	key := crypto.Keccak256Hash(seal.Encode())
	if _, ok := c.verified.Get(key); ok {
		return nil
	}
	c.mu.Lock()
	file, err := c.load(seal.Channel)
	c.mu.Unlock()
	if err != nil {
		return err
	}
	if len(file.Frames) != int(seal.Number)+1 {
		return fmt.Errorf("channel %x: %w: %d of %d frames are here", seal.Channel, ErrFramesMissing, len(file.Frames), seal.Number+1)
	}
	// Whoever asks for what the channel is known not to say must not cost the reading of it.
	if own, err := manifest.Decode(file.Seal); err == nil {
		if own, ok := own.(manifest.Seal); ok && !sameData(own, seal) {
			return fmt.Errorf("channel %x: %w", seal.Channel, ErrWithheld)
		}
	}
	ch, err := c.read(ctx, file.Frames)
	if err != nil {
		if errors.Is(err, ErrNotFound) || errors.Is(err, ErrCorrupt) || errors.Is(err, ErrFramesMissing) {
			return err
		}
		return fmt.Errorf("%w: %w", ErrWithheld, err)
	}
	if err := ch.Provable(); err != nil {
		return fmt.Errorf("%w: %w", ErrWithheld, err)
	}
	if !sameData(ch.Seal(seal.Frame), seal) {
		return fmt.Errorf("channel %x: %w", seal.Channel, ErrWithheld)
	}
	c.verified.Add(key, struct{}{})
	return nil
}

// sameData compares what the data determines; the frame's place and the claims about execution are not part of it.
func sameData(a, b manifest.Seal) bool {
	return a.FirstBlock == b.FirstBlock && a.LastBlock == b.LastBlock && a.FirstL1Origin == b.FirstL1Origin && a.RecordsRoot == b.RecordsRoot &&
		a.L1OriginCheck == b.L1OriginCheck && a.ParentCheck == b.ParentCheck
}
