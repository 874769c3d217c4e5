package challenger

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/ethereum-optimism/optimism/op-service/sources/batching"
	"github.com/ethereum-optimism/optimism/op-service/sources/batching/rpcblock"
	"github.com/ethereum-optimism/optimism/op-service/txmgr"
	"github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/log"

	"github.com/agnt2/agnt2/agnt2/machine/origin"
)

// ErrLeaves says that a receipt too large for one transaction cannot be put on L1.
var ErrLeaves = errors.New("OriginLeaves")

// leafChunks is how much of a leaf one transaction absorbs: 46 KB, within EIP-7825's limit of gas for a transaction.
const leafChunks = 3 * origin.UploadChunks

var leavesABI = func() *abi.ABI {
	a, err := abi.JSON(strings.NewReader(`[
	{"type":"function","name":"leaf","stateMutability":"view","inputs":[{"name":"hash","type":"bytes32"}],"outputs":[{"type":"bytes32"},{"type":"uint64"}]},
	{"type":"function","name":"absorb","stateMutability":"nonpayable","inputs":[{"name":"hash","type":"bytes32"},
		{"name":"progress","type":"tuple","components":[{"name":"sponge","type":"bytes32[7]"},{"name":"frontier","type":"bytes32[16]"},{"name":"length","type":"uint64"}]},
		{"name":"data","type":"bytes"},{"name":"last","type":"bool"}],"outputs":[]},
	{"type":"function","name":"leaves","stateMutability":"view","inputs":[],"outputs":[{"type":"address"}]}]`))
	if err != nil {
		panic(err)
	}
	return &a
}()

// leafStore is the OriginLeaves contract of a game's verifier: receipts that are too large for one transaction are absorbed
// there over several, once and for all games.
type leafStore struct {
	log      log.Logger
	caller   *batching.MultiCaller
	verifier common.Address
	mu       sync.Mutex // one upload at a time: parts follow one another
}

func (s *leafStore) contract(ctx context.Context) (*batching.BoundContract, error) {
	out, err := s.caller.SingleCall(ctx, rpcblock.Latest, batching.NewBoundContract(leavesABI, s.verifier).Call("leaves"))
	if err != nil {
		return nil, fmt.Errorf("%w: verifier %s: %w", ErrLeaves, s.verifier, err)
	}
	return batching.NewBoundContract(leavesABI, out.GetAddress(0)), nil
}

// store puts a leaf on L1 unless it is there. It waits for every part.
func (s *leafStore) store(ctx context.Context, send func(string, ...txmgr.TxCandidate) error, leaf []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, err := s.contract(ctx)
	if err != nil {
		return err
	}
	return s.storeIn(ctx, c, send, leaf)
}

func (s *leafStore) storeIn(ctx context.Context, c *batching.BoundContract, send func(string, ...txmgr.TxCandidate) error, leaf []byte) error {
	hash := crypto.Keccak256Hash(leaf)
	known, err := s.caller.SingleCall(ctx, rpcblock.Latest, c.Call("leaf", [32]byte(hash)))
	if err != nil {
		return fmt.Errorf("%w: leaf %s: %w", ErrLeaves, hash, err)
	}
	if known.GetUint64(1) > 0 {
		return nil
	}
	calls, _, err := origin.Upload(leaf, leafChunks)
	if err != nil {
		return fmt.Errorf("%w: leaf %s: %w", ErrLeaves, hash, err)
	}
	s.log.Info("Storing a large receipt on L1", "contract", c.Addr(), "hash", hash, "bytes", len(leaf), "transactions", len(calls))
	for i, call := range calls {
		tx, err := c.Call("absorb", [32]byte(hash), call.Progress, call.Data, call.Last).ToTxCandidate()
		if err != nil {
			return fmt.Errorf("%w: leaf %s: %w", ErrLeaves, hash, err)
		}
		if err := send("store receipt", tx); err != nil {
			return fmt.Errorf("%w: leaf %s, part %d of %d: %w", ErrLeaves, hash, i+1, len(calls), err)
		}
	}
	return nil
}

// prepare stores the leaves that steps of a trace may refer to, before clocks are short: an upload takes minutes.
func (s *leafStore) prepare(ctx context.Context, send func(string, ...txmgr.TxCandidate) error, t Trace) {
	l, ok := t.(LeafReader)
	if !ok {
		return
	}
	leaves, err := l.LargeLeaves()
	if err != nil {
		s.log.Error("Large receipts of a disputed block are unknown", "err", err)
		return
	}
	for _, leaf := range leaves {
		if err := s.store(ctx, send, leaf); err != nil {
			s.log.Error("Large receipt could not be stored; it is tried again before the step", "err", err)
		}
	}
}
