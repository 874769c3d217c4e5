package manifest

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
)

// Tag bytes of the wire format, see the package comment.
const (
	CalldataVersion = 0x01 // OP derivation version 1: the calldata is an Alt-DA commitment
	GenericType     = 0x01 // OP commitment type "generic"
	LayerByte       = 0xA6 // AGNT2's own commitments among the generic ones
)

// Kind tells the two commitments apart.
type Kind byte

const (
	// KindPart commits to a frame that is not its channel's last.
	KindPart Kind = 0x01
	// KindSeal commits to the last frame of a channel and to what the whole channel says.
	KindSeal Kind = 0x02
)

func (k Kind) String() string {
	switch k {
	case KindPart:
		return "PART"
	case KindSeal:
		return "SEAL"
	}
	return fmt.Sprintf("kind(%#02x)", byte(k))
}

// Sizes in bytes, tags included, without OP's calldata version and commitment type.
const (
	frameSize = 16 + 2 + 32 + 1 + 32
	claimSize = 8 + 8 + 8 + 32 + 20 + 20 + 32 + 32 + 8 + 32

	PartSize = 2 + frameSize
	SealSize = 2 + frameSize + claimSize
)

// Bounds that LayerRoot enforces too.
const (
	// MaxSubmissionBlocks is how many L2 blocks one submission may carry.
	MaxSubmissionBlocks = 1 << 16
	// MaxFrames is how many frames one channel may have: frame numbers run from 0 to MaxFrames-1.
	MaxFrames = 1024
)

// BackendLocal is the backend number of the embedded store; its pointer is the data's keccak256.
const BackendLocal uint8 = 0

var (
	// ErrNotCommitment says that the bytes are no AGNT2 commitment at all: a foreign tag.
	ErrNotCommitment = errors.New("not an AGNT2 commitment")
	// ErrMalformed says that the tags are AGNT2's but the rest is not a commitment.
	ErrMalformed = errors.New("malformed AGNT2 commitment")
	// ErrFrameNumber: a frame number outside the channel's bound, or a PART that leaves no room for a SEAL.
	ErrFrameNumber = errors.New("frame number out of range")
	// ErrBlockRange: an empty, inverted, genesis-touching or too long block range.
	ErrBlockRange = errors.New("block range out of bounds")
)

// Frame identifies the data of one L1 transaction: one frame of one channel.
type Frame struct {
	Channel  [16]byte    // OP channel id
	Number   uint16      // frame number in the channel, from 0
	DataHash common.Hash // keccak256 of the data as put: version byte 0 and the frame
	Backend  uint8       // which backend Pointer belongs to
	Pointer  common.Hash // where that backend keeps the data
}

// Part commits to one frame that is not its channel's last.
type Part struct{ Frame }

// Seal commits to the last frame of a channel and to the channel's content.
type Seal struct {
	Frame
	FirstBlock    uint64      // first L2 block number, ≥ 1 (genesis is never submitted)
	LastBlock     uint64      // last L2 block number, inclusive
	FirstL1Origin uint64      // number of the first block's L1 origin: with it LayerRoot knows the sequencing window's end
	RecordsRoot   common.Hash // Merkle root over the block records, in order
	L1OriginCheck [20]byte    // first 20 bytes of the hash of the last block's L1 origin
	ParentCheck   [20]byte    // first 20 bytes of the hash of the first block's parent
	// The sequencer's claims about execution (paper §4.5). Nobody checks them on submission: a wrong claim costs the bond.
	// Zero means unclaimed.
	PreviousRoot common.Hash // state root before FirstBlock
	CurrentRoot  common.Hash // state root after LastBlock
	Interactions uint64      // settled interactions in the range
	Volume       uint256.Int // wei of AGNT that those interactions paid
}

// Commitment is a Part or a Seal.
type Commitment interface {
	Kind() Kind
	// FrameRef is the frame that the commitment's transaction stands for.
	FrameRef() Frame
	// Encode returns the commitment from LayerByte on.
	Encode() []byte
	// Check says whether the fields are within the bounds that LayerRoot enforces.
	Check() error
}

var (
	_ Commitment = Part{}
	_ Commitment = Seal{}
)

func (Part) Kind() Kind        { return KindPart }
func (Seal) Kind() Kind        { return KindSeal }
func (p Part) FrameRef() Frame { return p.Frame }
func (s Seal) FrameRef() Frame { return s.Frame }

// Blocks is the number of L2 blocks in the range; 0 if the range is inverted.
func (s Seal) Blocks() uint64 {
	if s.LastBlock < s.FirstBlock {
		return 0
	}
	return s.LastBlock - s.FirstBlock + 1
}

// Check implements Commitment.
func (p Part) Check() error {
	if p.Number >= MaxFrames-1 {
		return fmt.Errorf("PART of channel %x: %w: %d", p.Channel, ErrFrameNumber, p.Number)
	}
	return nil
}

// Check implements Commitment.
func (s Seal) Check() error {
	if s.Number >= MaxFrames {
		return fmt.Errorf("SEAL of channel %x: %w: %d", s.Channel, ErrFrameNumber, s.Number)
	}
	if s.FirstBlock == 0 || s.LastBlock < s.FirstBlock || s.LastBlock-s.FirstBlock >= MaxSubmissionBlocks {
		return fmt.Errorf("SEAL of channel %x: %w: %d to %d", s.Channel, ErrBlockRange, s.FirstBlock, s.LastBlock)
	}
	return nil
}

func (f Frame) append(b []byte) []byte {
	b = append(b, f.Channel[:]...)
	b = binary.BigEndian.AppendUint16(b, f.Number)
	b = append(b, f.DataHash[:]...)
	b = append(b, f.Backend)
	return append(b, f.Pointer[:]...)
}

// Encode implements Commitment.
func (p Part) Encode() []byte {
	return p.append(append(make([]byte, 0, PartSize), LayerByte, byte(KindPart)))
}

// Encode implements Commitment.
func (s Seal) Encode() []byte {
	b := s.append(append(make([]byte, 0, SealSize), LayerByte, byte(KindSeal)))
	b = binary.BigEndian.AppendUint64(b, s.FirstBlock)
	b = binary.BigEndian.AppendUint64(b, s.LastBlock)
	b = binary.BigEndian.AppendUint64(b, s.FirstL1Origin)
	b = append(b, s.RecordsRoot[:]...)
	b = append(b, s.L1OriginCheck[:]...)
	b = append(b, s.ParentCheck[:]...)
	b = append(b, s.PreviousRoot[:]...)
	b = append(b, s.CurrentRoot[:]...)
	b = binary.BigEndian.AppendUint64(b, s.Interactions)
	volume := s.Volume.Bytes32()
	return append(b, volume[:]...)
}

// Key returns the bytes by which a DA server is asked for the commitment: the generic type and the commitment.
func Key(c Commitment) []byte { return append([]byte{GenericType}, c.Encode()...) }

// Calldata returns what the batcher sends to LayerRoot.
func Calldata(c Commitment) []byte {
	return append([]byte{CalldataVersion, GenericType}, c.Encode()...)
}

// Decode reads exactly one commitment, from LayerByte on, and checks its bounds. It returns a Part or a Seal.
func Decode(b []byte) (Commitment, error) {
	if len(b) < 2 || b[0] != LayerByte {
		return nil, ErrNotCommitment
	}
	r := reader{b: b[2:]}
	var c Commitment
	switch Kind(b[1]) {
	case KindPart:
		if len(b) != PartSize {
			return nil, fmt.Errorf("%w: PART of %d bytes, want %d", ErrMalformed, len(b), PartSize)
		}
		c = Part{Frame: r.frame()}
	case KindSeal:
		if len(b) != SealSize {
			return nil, fmt.Errorf("%w: SEAL of %d bytes, want %d", ErrMalformed, len(b), SealSize)
		}
		s := Seal{Frame: r.frame()}
		s.FirstBlock = r.uint64()
		s.LastBlock = r.uint64()
		s.FirstL1Origin = r.uint64()
		r.read(s.RecordsRoot[:])
		r.read(s.L1OriginCheck[:])
		r.read(s.ParentCheck[:])
		r.read(s.PreviousRoot[:])
		r.read(s.CurrentRoot[:])
		s.Interactions = r.uint64()
		var volume [32]byte
		r.read(volume[:])
		s.Volume.SetBytes32(volume[:])
		c = s
	default:
		return nil, fmt.Errorf("%w: unknown %s", ErrMalformed, Kind(b[1]))
	}
	if err := c.Check(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return c, nil
}

// DecodeKey reads a DA server key: the generic type and a commitment.
func DecodeKey(b []byte) (Commitment, error) {
	if len(b) == 0 || b[0] != GenericType {
		return nil, ErrNotCommitment
	}
	return Decode(b[1:])
}

// DecodeCalldata reads the calldata of a batcher transaction.
func DecodeCalldata(b []byte) (Commitment, error) {
	if len(b) == 0 || b[0] != CalldataVersion {
		return nil, ErrNotCommitment
	}
	return DecodeKey(b[1:])
}

// reader takes fields off a buffer whose length was checked before.
type reader struct{ b []byte }

func (r *reader) read(dst []byte) { r.b = r.b[copy(dst, r.b):] }

func (r *reader) uint64() uint64 {
	v := binary.BigEndian.Uint64(r.b)
	r.b = r.b[8:]
	return v
}

func (r *reader) frame() (f Frame) {
	r.read(f.Channel[:])
	f.Number = binary.BigEndian.Uint16(r.b)
	r.b = r.b[2:]
	r.read(f.DataHash[:])
	f.Backend = r.b[0]
	r.b = r.b[1:]
	r.read(f.Pointer[:])
	return f
}
