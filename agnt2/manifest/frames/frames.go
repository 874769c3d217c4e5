// Package frames reads OP channels: from the frames of one channel to the block records that a SEAL commits to.
//
// The result depends on the data and on chain constants alone, never on L1, L2 or a clock, so that whoever puts the data,
// serves it or challenges it computes the same records. Decoding is OP's own (op-node/rollup/derive) with OP's bounds. What
// op-node could read differently from what the records say is refused here (see Channel.Provable): such data must count as
// withheld, or the derived chain and the provable chain would part.
package frames

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"

	"github.com/ethereum-optimism/optimism/op-node/rollup"
	"github.com/ethereum-optimism/optimism/op-node/rollup/derive"

	"github.com/agnt2/agnt2/agnt2/manifest"
)

var (
	// ErrNotOneFrame: the data of one transaction must be version byte 0 and exactly one frame.
	ErrNotOneFrame = errors.New("data is not exactly one frame")
	// ErrFrameSequence: frames of different channels, out of order, or with a last frame that is not at the end.
	ErrFrameSequence = errors.New("frames do not form one complete channel")
	// ErrChannelTooLarge: beyond the size at which op-node drops the channel.
	ErrChannelTooLarge = errors.New("channel too large")
	// ErrBatch: the channel's content does not decode as batches.
	ErrBatch = errors.New("undecodable batch")
	// ErrBlockSequence: blocks before genesis, off the block time, or not consecutive.
	ErrBlockSequence = errors.New("blocks are not consecutive")
	// ErrNotProvable: the records do not determine what op-node would derive.
	ErrNotProvable = errors.New("a submission must be one span batch")
)

// frameOverhead is what op-node adds to each frame's data length when it bounds a channel.
const frameOverhead = 200

// maxChannelBytes bounds a channel, compressed with overheads and decompressed alike, as op-node does since Fjord.
var maxChannelBytes = func() uint64 {
	genesis := uint64(0)
	return rollup.NewChainSpec(&rollup.Config{FjordTime: &genesis}).MaxRLPBytesPerChannel(0)
}()

// Chain is the constants that turn a batch into block numbers.
type Chain struct {
	GenesisTime   uint64 // timestamp of the L2 genesis block, seconds
	GenesisNumber uint64 // number of the L2 genesis block
	BlockTime     uint64 // seconds
	ChainID       *big.Int
}

// ChainOf takes the constants from a rollup configuration.
func ChainOf(cfg *rollup.Config) Chain {
	return Chain{GenesisTime: cfg.Genesis.L2Time, GenesisNumber: cfg.Genesis.L2.Number, BlockTime: cfg.BlockTime, ChainID: cfg.L2ChainID}
}

// Check refuses constants under which no block number can be computed.
func (c Chain) Check() error {
	if c.BlockTime == 0 || c.ChainID == nil || c.ChainID.Sign() <= 0 {
		return errors.New("chain constants: block time and L2 chain id must be positive")
	}
	return nil
}

// Channel is what one complete channel says.
type Channel struct {
	Records       []manifest.BlockRecord
	ParentCheck   [20]byte // of the first batch
	L1OriginCheck [20]byte // of the last batch
	SpanBatches   int
	Singular      int // singular batches
}

// Provable is nil iff the records and the two checks determine what op-node derives. With a second batch, or with singular
// batches, the data carries further parent and origin hashes that no record holds.
func (c *Channel) Provable() error {
	if c.SpanBatches != 1 || c.Singular != 0 {
		return fmt.Errorf("%w: it has %d span and %d singular batches (set batch-type 1 and leave max-blocks-per-span-batch at 0)", ErrNotProvable, c.SpanBatches, c.Singular)
	}
	return nil
}

// Seal fills the fields of a SEAL that the data determines.
func (c *Channel) Seal(frame manifest.Frame) manifest.Seal {
	return manifest.Seal{
		Frame:         frame,
		FirstBlock:    c.Records[0].Number,
		LastBlock:     c.Records[len(c.Records)-1].Number,
		FirstL1Origin: c.Records[0].L1Origin,
		RecordsRoot:   manifest.RecordsRoot(c.Records),
		L1OriginCheck: c.L1OriginCheck,
		ParentCheck:   c.ParentCheck,
	}
}

// ParseOne reads the data of one L1 transaction.
func ParseOne(data []byte) (derive.Frame, error) {
	parsed, err := derive.ParseFrames(data)
	if err != nil {
		return derive.Frame{}, fmt.Errorf("%w: %w", ErrNotOneFrame, err)
	}
	if len(parsed) != 1 {
		return derive.Frame{}, fmt.Errorf("%w: it has %d", ErrNotOneFrame, len(parsed))
	}
	return parsed[0], nil
}

// Read decodes a channel from all of its frames in order. Every block is numbered by its timestamp and the blocks must be
// consecutive.
func Read(ordered []derive.Frame, chain Chain) (*Channel, error) {
	if err := chain.Check(); err != nil {
		return nil, err
	}
	content, err := join(ordered)
	if err != nil {
		return nil, err
	}
	next, err := derive.BatchReader(content, maxChannelBytes, true)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBatch, err)
	}
	ch := new(Channel)
	for {
		batch, err := next()
		if err == io.EOF { // exactly: a batch that ends too early wraps it
			break
		}
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrBatch, err)
		}
		if err := ch.add(batch, chain); err != nil {
			return nil, err
		}
	}
	if len(ch.Records) == 0 {
		return nil, fmt.Errorf("%w: no blocks", ErrBatch)
	}
	return ch, nil
}

// join checks the order of the frames and concatenates their content.
func join(ordered []derive.Frame) (io.Reader, error) {
	if len(ordered) == 0 {
		return nil, fmt.Errorf("%w: no frames", ErrFrameSequence)
	}
	if len(ordered) > manifest.MaxFrames {
		return nil, fmt.Errorf("%w: %d frames", ErrChannelTooLarge, len(ordered))
	}
	readers := make([]io.Reader, len(ordered))
	var size uint64
	for i, f := range ordered {
		last := i == len(ordered)-1
		if f.ID != ordered[0].ID || int(f.FrameNumber) != i || f.IsLast != last {
			return nil, fmt.Errorf("%w: position %d of %d holds frame %d of channel %s, last %v", ErrFrameSequence, i, len(ordered), f.FrameNumber, f.ID, f.IsLast)
		}
		if size += uint64(len(f.Data)) + frameOverhead; size > maxChannelBytes {
			return nil, fmt.Errorf("%w: more than %d bytes", ErrChannelTooLarge, maxChannelBytes)
		}
		readers[i] = bytes.NewReader(f.Data)
	}
	return io.MultiReader(readers...), nil
}

func (ch *Channel) add(batch *derive.BatchData, chain Chain) error {
	switch batch.GetBatchType() {
	case derive.SpanBatchType:
		// Deriving a span allocates for every block it claims; the claim is bounded before that.
		blocks, err := spanBlocks(batch)
		if err != nil {
			return err
		}
		if uint64(len(ch.Records))+blocks > manifest.MaxSubmissionBlocks {
			return fmt.Errorf("%w: more than %d blocks", ErrChannelTooLarge, manifest.MaxSubmissionBlocks)
		}
		span, err := derive.DeriveSpanBatch(batch, chain.BlockTime, chain.GenesisTime, chain.ChainID)
		if err != nil {
			return fmt.Errorf("%w: %w", ErrBatch, err)
		}
		if len(ch.Records) == 0 {
			ch.ParentCheck = span.ParentCheck
		}
		ch.L1OriginCheck = span.L1OriginCheck
		for _, b := range span.Batches {
			if err := ch.addBlock(b.Timestamp, uint64(b.EpochNum), b.Transactions, chain); err != nil {
				return err
			}
		}
		ch.SpanBatches++
	case derive.SingularBatchType:
		b, err := derive.GetSingularBatch(batch)
		if err != nil {
			return fmt.Errorf("%w: %w", ErrBatch, err)
		}
		if len(ch.Records) == 0 {
			copy(ch.ParentCheck[:], b.ParentHash[:])
		}
		copy(ch.L1OriginCheck[:], b.EpochHash[:])
		if err := ch.addBlock(b.Timestamp, uint64(b.EpochNum), b.Transactions, chain); err != nil {
			return err
		}
		ch.Singular++
	default:
		return fmt.Errorf("%w: type %d", ErrBatch, batch.GetBatchType())
	}
	return nil
}

func (ch *Channel) addBlock(timestamp, origin uint64, txs []hexutil.Bytes, chain Chain) error {
	if len(ch.Records) >= manifest.MaxSubmissionBlocks {
		return fmt.Errorf("%w: more than %d blocks", ErrChannelTooLarge, manifest.MaxSubmissionBlocks)
	}
	if timestamp <= chain.GenesisTime || (timestamp-chain.GenesisTime)%chain.BlockTime != 0 {
		return fmt.Errorf("%w: no block has timestamp %d", ErrBlockSequence, timestamp)
	}
	number := chain.GenesisNumber + (timestamp-chain.GenesisTime)/chain.BlockTime
	if n := len(ch.Records); n > 0 && number != ch.Records[n-1].Number+1 {
		return fmt.Errorf("%w: block %d after %d", ErrBlockSequence, number, ch.Records[n-1].Number)
	}
	ch.Records = append(ch.Records, manifest.BlockRecord{
		Number: number, Timestamp: timestamp, L1Origin: origin,
		TxCount: uint64(len(txs)), TxsRoot: txsRoot(txs),
	})
	return nil
}

func txsRoot(txs []hexutil.Bytes) common.Hash { return manifest.TxsRootOf(txs) }

// spanBlocks returns the block count that a span batch claims: the first field after the prefix, which is two uvarints and
// two checks of 20 bytes behind the type byte. The decoded batch hides it, its encoding does not.
func spanBlocks(batch *derive.BatchData) (uint64, error) {
	encoded, err := batch.MarshalBinary()
	if err != nil {
		return 0, fmt.Errorf("%w: %w", ErrBatch, err)
	}
	r := bytes.NewReader(encoded[1:])
	for range 2 {
		if _, err := binary.ReadUvarint(r); err != nil {
			return 0, fmt.Errorf("%w: span prefix: %w", ErrBatch, err)
		}
	}
	if _, err := r.Seek(40, io.SeekCurrent); err != nil {
		return 0, fmt.Errorf("%w: span prefix: %w", ErrBatch, err)
	}
	blocks, err := binary.ReadUvarint(r)
	if err != nil {
		return 0, fmt.Errorf("%w: span block count: %w", ErrBatch, err)
	}
	return blocks, nil
}
