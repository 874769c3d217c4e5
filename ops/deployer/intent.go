package deployer

import (
	"bytes"
	"crypto/ecdsa"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"os"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/agnt2/agnt2/agnt2/genesis"
	"github.com/agnt2/agnt2/agnt2/record"
)

// ErrBadIntent says that a deployment parameter is missing or out of range; nothing has been sent.
var ErrBadIntent = errors.New("deployment intent")

// maxSystemConfigGas is SystemConfig.MAX_GAS_LIMIT of the published contract.
const maxSystemConfigGas = 200_000_000

// Where the L2 chain starts, as an L1 block tag.
const (
	StartLatest    = "latest"
	StartSafe      = "safe"
	StartFinalized = "finalized"
)

// Intent is everything that a deployment depends on, apart from keys. It is the content of an intent file; encode it by
// pointer, because uint256 encodes itself by pointer only.
type Intent struct {
	L1ChainID uint64 `json:"l1ChainId"` // expected id of the L1; 0 accepts whatever the endpoint reports
	L2ChainID uint64 `json:"l2ChainId"`

	// Owner administers proxies, SystemConfig and the game factory, and is the guardian that can pause withdrawals.
	Owner common.Address `json:"owner"`
	// Batcher is the only sender whose transactions LayerRoot and derivation accept.
	Batcher common.Address `json:"batcher"`
	// UnsafeBlockSigner signs the blocks that the sequencer gossips.
	UnsafeBlockSigner common.Address `json:"unsafeBlockSigner"`

	BlockTimeSeconds         uint64 `json:"blockTimeSeconds"`
	MaxSequencerDriftSeconds uint64 `json:"maxSequencerDriftSeconds"` // Fjord fixes 1800; kept for tools that read the field
	// SeqWindowBlocks is how many L1 blocks a batch may trail its L1 origin, and so how long force-inclusion may take.
	// The settlement window of the paper is ten minutes: at most 50 blocks of 12 s.
	SeqWindowBlocks      uint64 `json:"seqWindowBlocks"`
	ChannelTimeoutBlocks uint64 `json:"channelTimeoutBlocks"` // before Granite only; Granite fixes 50
	// DA windows in L1 blocks. Finality trails L1 by their sum, which has to stay below the sequencing window.
	DAChallengeWindowBlocks uint64 `json:"daChallengeWindowBlocks"`
	DAResolveWindowBlocks   uint64 `json:"daResolveWindowBlocks"`
	StartBlock              string `json:"startBlock"` // latest, safe or finalized: what the L2 genesis is anchored on

	L2GasLimit         uint64       `json:"l2GasLimit"` // of rollup.json and genesis; SystemConfig itself accepts at most 200M
	GenesisBaseFeeWei  *hexutil.Big `json:"genesisBaseFeeWei"`
	EIP1559Denominator uint64       `json:"eip1559Denominator"`
	EIP1559Elasticity  uint64       `json:"eip1559Elasticity"`
	BaseFeeScalar      uint32       `json:"baseFeeScalar"`
	BlobBaseFeeScalar  uint32       `json:"blobBaseFeeScalar"`

	Game GameIntent `json:"game"`
	// Withdrawal delays of OptimismPortal2 and DelayedWETH.
	ProofMaturityDelaySeconds uint64 `json:"proofMaturityDelaySeconds"`
	GameFinalityDelaySeconds  uint64 `json:"gameFinalityDelaySeconds"`
	WETHDelaySeconds          uint64 `json:"wethDelaySeconds"`
	// PreimageOracle's large-preimage proposals.
	OracleMinProposalBytes       uint64 `json:"oracleMinProposalBytes"`
	OracleChallengePeriodSeconds uint64 `json:"oracleChallengePeriodSeconds"`

	// BatcherBondWei is what LayerRoot demands of the batcher, and what is posted after the deployment.
	BatcherBondWei *hexutil.Big `json:"batcherBondWei"`

	// Params are the L2's governance parameters in its genesis.
	Params record.Params `json:"params"`
	Policy record.Policy `json:"policy"`
	// PassportSources are chains, beside this one, whose agents AgentPassport accepts from the start.
	PassportSources []PassportSource `json:"passportSources,omitempty"`
	// Alloc are balances that exist from genesis. They are not backed by the portal, so a withdrawal of them never pays:
	// for benchmarks only. Every other account is funded by an L1 deposit.
	Alloc map[common.Address]*hexutil.Big `json:"alloc,omitempty"`
}

// GameIntent are the parameters of the dispute game.
//
// The upper SplitDepth levels bisect outputs: 2^SplitDepth L2 blocks beyond the anchor. Of the rest, all levels but one bisect
// micro-steps: 2^(MaxDepth-SplitDepth-1) of one block. MaxDepth is even, so that the proposer's side makes the claims at the
// leaves and a wrong proposal ends on a step against it.
//
// FaultDisputeGame fixes the bonds by depth: 0.08 ETH for the root claim, rising by a constant factor to 60 ETH at MaxDepth.
// InitBondWei should be the first of them.
type GameIntent struct {
	Type                  uint32       `json:"type"`
	AbsolutePrestate      common.Hash  `json:"absolutePrestate"`
	MaxDepth              uint64       `json:"maxDepth"`
	SplitDepth            uint64       `json:"splitDepth"`
	ClockExtensionSeconds uint64       `json:"clockExtensionSeconds"`
	MaxClockSeconds       uint64       `json:"maxClockSeconds"`
	InitBondWei           *hexutil.Big `json:"initBondWei"`
}

func wei(base, exponent int64) *hexutil.Big {
	v := new(big.Int).Exp(big.NewInt(10), big.NewInt(exponent), nil)
	return (*hexutil.Big)(v.Mul(v, big.NewInt(base)))
}

// ProductionIntent returns the defaults for a public L1 with 12 s blocks: hour-long games and delays, no allocation.
// The addresses and chain ids are the caller's.
func ProductionIntent() Intent {
	return Intent{
		BlockTimeSeconds: 1, MaxSequencerDriftSeconds: 1800, SeqWindowBlocks: 50, ChannelTimeoutBlocks: 50,
		DAChallengeWindowBlocks: 20, DAResolveWindowBlocks: 20, StartBlock: StartFinalized,
		L2GasLimit: maxSystemConfigGas, GenesisBaseFeeWei: wei(1, 9), EIP1559Denominator: 250, EIP1559Elasticity: 6,
		BaseFeeScalar: 1368, BlobBaseFeeScalar: 810949,
		Game: GameIntent{
			Type: 0, AbsolutePrestate: machinePrestate(), MaxDepth: 64, SplitDepth: 30,
			ClockExtensionSeconds: 300, MaxClockSeconds: 3600, InitBondWei: wei(8, 16),
		},
		ProofMaturityDelaySeconds: 3600, GameFinalityDelaySeconds: 1800, WETHDelaySeconds: 3600,
		OracleMinProposalBytes: 126_000, OracleChallengePeriodSeconds: 1800,
		BatcherBondWei: wei(10, 18), Params: genesis.DefaultParams(), Policy: genesis.DefaultPolicy(),
	}
}

// DevnetIntent returns ProductionIntent with every wait cut to seconds, for an L1 with 2 s blocks.
func DevnetIntent() Intent {
	in := ProductionIntent()
	in.L1ChainID, in.L2ChainID = 900, 901
	in.StartBlock = StartLatest
	in.DAChallengeWindowBlocks, in.DAResolveWindowBlocks = 5, 5
	in.Game.ClockExtensionSeconds, in.Game.MaxClockSeconds = 20, 120
	in.ProofMaturityDelaySeconds, in.GameFinalityDelaySeconds, in.WETHDelaySeconds = 12, 6, 6
	in.OracleChallengePeriodSeconds = 20
	in.Params, in.Policy = genesis.DevnetParams(), genesis.DevnetPolicy()
	return in
}

// ProofWindowBlocks is how many L1 blocks the proof head of a game trails its L1 head: no submission that is derived from up to
// there can still change its status.
func (in *Intent) ProofWindowBlocks() uint64 {
	return in.DAChallengeWindowBlocks + in.DAResolveWindowBlocks
}

// LoadIntent reads an intent file over base: what the file leaves out keeps base's value.
func LoadIntent(path string, base Intent) (Intent, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return base, err
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&base); err != nil {
		return base, fmt.Errorf("%w: %s: %v", ErrBadIntent, path, err)
	}
	return base, nil
}

// Check reports the first parameter that would make the deployment unusable.
func (in *Intent) Check() error {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("%w: "+format, append([]any{ErrBadIntent}, args...)...)
	}
	switch {
	case in.L2ChainID == 0:
		return bad("l2ChainId is missing")
	case in.L1ChainID == in.L2ChainID:
		return bad("l1ChainId and l2ChainId are both %d", in.L2ChainID)
	case in.Owner == common.Address{}:
		return bad("owner is missing")
	case in.Batcher == common.Address{}:
		return bad("batcher is missing")
	case in.UnsafeBlockSigner == common.Address{}:
		return bad("unsafeBlockSigner is missing")
	case in.BlockTimeSeconds == 0:
		return bad("blockTimeSeconds must be at least 1")
	case in.MaxSequencerDriftSeconds == 0:
		return bad("maxSequencerDriftSeconds is 0")
	case in.SeqWindowBlocks < 2:
		return bad("seqWindowBlocks is %d, the minimum is 2", in.SeqWindowBlocks)
	case in.ChannelTimeoutBlocks == 0:
		return bad("channelTimeoutBlocks is 0")
	case in.DAChallengeWindowBlocks == 0 || in.DAResolveWindowBlocks == 0:
		return bad("the DA challenge and resolve windows must be positive")
	case in.DAChallengeWindowBlocks+in.DAResolveWindowBlocks >= in.SeqWindowBlocks:
		return bad("the DA windows (%d + %d L1 blocks) must be shorter than the sequencing window (%d)",
			in.DAChallengeWindowBlocks, in.DAResolveWindowBlocks, in.SeqWindowBlocks)
	case in.StartBlock != StartLatest && in.StartBlock != StartSafe && in.StartBlock != StartFinalized:
		return bad("startBlock is %q, not latest, safe or finalized", in.StartBlock)
	case in.L2GasLimit < 2*uint64(depositResourceLimit):
		return bad("l2GasLimit is %d; deposits alone may use %d", in.L2GasLimit, depositResourceLimit)
	case in.GenesisBaseFeeWei == nil || in.GenesisBaseFeeWei.ToInt().Sign() <= 0:
		return bad("genesisBaseFeeWei must be positive")
	case in.EIP1559Denominator == 0 || in.EIP1559Elasticity == 0:
		return bad("EIP-1559 denominator and elasticity must be positive")
	case in.EIP1559Denominator > 1<<32-1 || in.EIP1559Elasticity > 1<<32-1:
		return bad("EIP-1559 denominator and elasticity are 32-bit numbers")
	case in.Game.SplitDepth < 2 || in.Game.MaxDepth <= in.Game.SplitDepth+1 || in.Game.MaxDepth > 125:
		return bad("game depths: split %d, maximum %d", in.Game.SplitDepth, in.Game.MaxDepth)
	case in.Game.MaxClockSeconds == 0 || 2*in.Game.ClockExtensionSeconds > in.Game.MaxClockSeconds: // it doubles at the split
		return bad("game clock of %d s with an extension of %d s", in.Game.MaxClockSeconds, in.Game.ClockExtensionSeconds)
	case in.Game.InitBondWei == nil:
		return bad("game.initBondWei is missing")
	case in.BatcherBondWei == nil || in.BatcherBondWei.ToInt().Sign() <= 0:
		return bad("batcherBondWei must be positive")
	case in.Params.MinTtlSeconds == 0 || in.Params.MinTtlSeconds > in.Params.MaxTtlSeconds:
		return bad("params: minTtlSeconds %d, maxTtlSeconds %d", in.Params.MinTtlSeconds, in.Params.MaxTtlSeconds)
	}
	sources := map[uint64]bool{in.L2ChainID: true}
	for _, s := range in.PassportSources {
		if s.ChainID == 0 || s.Registry == (common.Address{}) || sources[s.ChainID] {
			return bad("passportSources: chain %d is named twice, has no id or no registry", s.ChainID)
		}
		sources[s.ChainID] = true
	}
	for a, b := range in.Alloc {
		if b == nil || b.ToInt().Sign() < 0 {
			return bad("alloc of %s is missing or negative", a)
		}
	}
	return nil
}

// digest names the intent in the state file, so that a run cannot continue another deployment.
func (in *Intent) digest() (common.Hash, error) {
	raw, err := json.Marshal(in)
	if err != nil {
		return common.Hash{}, fmt.Errorf("%w: %v", ErrBadIntent, err)
	}
	return crypto.Keccak256Hash(raw), nil
}

// BenchmarkKey is the i-th public key pair of the accounts that FundBenchmarkAccounts pays:
// keccak256("agnt2 benchmark account" ‖ uint64 i, big endian). Everybody can compute it; use it on test chains only.
func BenchmarkKey(i int) *ecdsa.PrivateKey {
	seed := binary.BigEndian.AppendUint64([]byte("agnt2 benchmark account"), uint64(i))
	k, err := crypto.ToECDSA(crypto.Keccak256(seed))
	if err != nil {
		panic(err) // a keccak output outside the curve's order: probability 2^-128
	}
	return k
}

// FundBenchmarkAccounts allocates 1,000 AGNT to each of the first n benchmark accounts.
func (in *Intent) FundBenchmarkAccounts(n int) {
	if in.Alloc == nil {
		in.Alloc = make(map[common.Address]*hexutil.Big, n)
	}
	for i := range n {
		in.Alloc[crypto.PubkeyToAddress(BenchmarkKey(i).PublicKey)] = wei(1000, 18)
	}
}
