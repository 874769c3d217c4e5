// Package genesis turns a genesis file into the first block and its records. It is shared by the deployer, which needs
// the genesis hash and output root before the engine runs, and by the engine. It does no I/O but Load and Save.
package genesis

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/big"
	"os"
	"slices"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/consensus/misc/eip1559"
	"github.com/ethereum/go-ethereum/core/types"
	gethparams "github.com/ethereum/go-ethereum/params"
	"github.com/ethereum/go-ethereum/trie"
	"github.com/holiman/uint256"

	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/agnt2/bounds"
	"github.com/agnt2/agnt2/agnt2/record"
	agnttrie "github.com/agnt2/agnt2/agnt2/trie"
	"github.com/agnt2/agnt2/agnt2/withdrawal"
)

// Genesis is the content of genesis.json. Amounts are wei of AGNT, times Unix seconds.
type Genesis struct {
	ChainID            uint64                          `json:"chainId"`
	Timestamp          hexutil.Uint64                  `json:"timestamp"`
	GasLimit           hexutil.Uint64                  `json:"gasLimit"`
	BaseFee            *hexutil.Big                    `json:"baseFeePerGas"`
	EIP1559Denominator uint64                          `json:"eip1559Denominator"`
	EIP1559Elasticity  uint64                          `json:"eip1559Elasticity"`
	Params             record.Params                   `json:"params"`
	Policy             record.Policy                   `json:"policy"`
	Alloc              map[common.Address]*hexutil.Big `json:"alloc"`
}

// Record is one entry of the trie.
type Record struct {
	Key   record.Key
	Value []byte
}

// MaxSweepsPerBlock is the largest Params.sweepsPerBlock.
const MaxSweepsPerBlock = bounds.MaxSweepsPerBlock

// DefaultParams are the governance parameters of a production chain. The gas figures fit 20,000 operations into the
// 200M gas that OP's SystemConfig allows for a block.
func DefaultParams() record.Params {
	return record.Params{
		MinStakeWei:               *uint256.NewInt(1e16),
		MinCountedPaymentWei:      *uint256.NewInt(1e9),
		MinTtlSeconds:             2,
		MaxTtlSeconds:             24 * 3600,
		StakeCooldownSeconds:      24*3600 + 4*3600 + 3600, // longest TTL + Type 2 window + carry-over bound
		MaxPendingInvokes:         4096,
		MaxCapabilities:           64,
		SweepsPerBlock:            MaxSweepsPerBlock,
		ReputationHalfLifeSeconds: 90 * 24 * 3600,
		GasTransfer:               4_000,
		GasAgentOperation:         6_000,
		GasPerRecord:              2_000,
		GasInvokeBase:             6_000,
		GasRespond:                6_000,
		GasPerPayloadByte:         1,
		GasPerCalldataByte:        1,
		GasWithdrawal:             20_000,
		GasClass:                  [4]uint64{500, 1_000, 2_000, 3_000},
	}
}

// DefaultPolicy is the rest of the governance parameters of a production chain; governance is nobody.
func DefaultPolicy() record.Policy {
	return record.Policy{
		EligibilityScore:      500,
		WeiPerPendingInvoke:   *uint256.NewInt(1e14),
		InvokesPerSecond:      1_000,
		InvokesBurst:          10_000,
		GasCompose:            5_000,
		GasPerDepth:           500,
		MaxCompositionSeconds: 24 * 3600,
		GasChannel:            12_000,
		ChannelWindowSeconds:  4 * 3600,
		MaxChannelTtlSeconds:  30 * 24 * 3600,
		DoubleSignSlashWei:    *uint256.NewInt(1e16),
		GasDispute:            12_000,
		DisputeBondWei:        *uint256.NewInt(1e15),
		DisputeFeeWei:         *uint256.NewInt(1e13),
		DisputeWindowSeconds:  4 * 3600,
		GasDiscover:           8_000,
		GasPerScannedSlot:     500,
		MinCommitDepositWei:   *uint256.NewInt(1e12),
		CommitWindowSeconds:   128,
		RecentSeconds:         600,
		PrunesPerBlock:        20_000, // more than a block of 200M gas can settle
	}
}

// DevnetPolicy is DefaultPolicy with times that a person can wait for.
func DevnetPolicy() record.Policy {
	p := DefaultPolicy()
	p.ChannelWindowSeconds, p.RecentSeconds = 20, 60
	p.DisputeWindowSeconds = 600 // a game takes up to five minutes
	p.MaxCompositionSeconds = 600
	return p
}

// DevnetParams are DefaultParams with times that a person can wait for. The cooldown still outlasts the longest TTL.
func DevnetParams() record.Params {
	p := DefaultParams()
	p.MaxTtlSeconds = 600
	p.StakeCooldownSeconds = 660
	p.ReputationHalfLifeSeconds = 24 * 3600
	return p
}

// Load reads and checks a genesis file.
func Load(path string) (*Genesis, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	g := new(Genesis)
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(g); err != nil {
		return nil, fmt.Errorf("genesis %s: %w", path, err)
	}
	if err := g.Check(); err != nil {
		return nil, fmt.Errorf("genesis %s: %w", path, err)
	}
	return g, nil
}

// Save writes the file that Load reads.
func (g *Genesis) Save(path string) error {
	raw, err := json.MarshalIndent(g, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(raw, '\n'), 0o644)
}

// Check reports what makes the genesis unusable.
func (g *Genesis) Check() error {
	switch {
	case g.ChainID == 0:
		return fmt.Errorf("chainId is 0")
	case g.GasLimit == 0:
		return fmt.Errorf("gasLimit is 0")
	case g.BaseFee == nil || g.BaseFee.ToInt().Sign() <= 0:
		return fmt.Errorf("baseFeePerGas must be positive")
	case g.EIP1559Denominator == 0 || g.EIP1559Elasticity == 0:
		return fmt.Errorf("EIP-1559 denominator and elasticity must be positive")
	}
	if field := bounds.Params(&g.Params); field != "" {
		return fmt.Errorf("params: %s is out of range", field)
	}
	if field := bounds.Policy(&g.Policy); field != "" {
		return fmt.Errorf("policy: %s is out of range", field)
	}
	for a, b := range g.Alloc {
		if b == nil || b.ToInt().Sign() < 0 || b.ToInt().BitLen() > 256 {
			return fmt.Errorf("alloc: balance of %s is out of range", a)
		}
	}
	return nil
}

// Records returns the genesis state in ascending order of keys.
func (g *Genesis) Records() []Record {
	p, policy := g.Params, g.Policy
	rs := []Record{
		{record.ParamsKey, p.Encode()},
		{record.PolicyKey, policy.Encode()},
		{record.TotalsKey, new(record.Totals).Encode()},
	}
	for a, b := range g.Alloc {
		acc := record.Account{Balance: *uint256.MustFromBig(b.ToInt())}
		rs = append(rs, Record{record.AccountKey(a), acc.Encode()})
	}
	slices.SortFunc(rs, func(a, b Record) int { return bytes.Compare(a.Key[:], b.Key[:]) })
	return rs
}

// StateRoot returns the root of the trie over Records.
func (g *Genesis) StateRoot() common.Hash {
	t := agnttrie.New()
	var cs []agnttrie.Change
	for _, r := range g.Records() {
		cs = append(cs, agnttrie.Change{Key: r.Key, ValueHash: agnttrie.HashRecord(r.Value)})
	}
	t.Update(cs)
	return t.Root()
}

// Block returns block 0 (Isthmus from genesis).
func (g *Genesis) Block() *types.Block {
	zero := uint64(0)
	passer := withdrawal.NewTree().Root()
	requests := types.EmptyRequestsHash
	beaconRoot := common.Hash{}
	h := &types.Header{
		UncleHash:        types.EmptyUncleHash,
		Coinbase:         abi.SequencerFeeVault,
		Root:             g.StateRoot(),
		TxHash:           types.EmptyTxsHash,
		ReceiptHash:      types.EmptyReceiptsHash,
		Difficulty:       common.Big0,
		Number:           new(big.Int),
		GasLimit:         uint64(g.GasLimit),
		Time:             uint64(g.Timestamp),
		Extra:            eip1559.EncodeHoloceneExtraData(g.EIP1559Denominator, g.EIP1559Elasticity),
		BaseFee:          g.BaseFee.ToInt(),
		BlobGasUsed:      &zero,
		ExcessBlobGas:    &zero,
		ParentBeaconRoot: &beaconRoot,
		WithdrawalsHash:  &passer,
		RequestsHash:     &requests,
	}
	body := &types.Body{Withdrawals: []*types.Withdrawal{}}
	return types.NewBlock(h, body, nil, trie.NewStackTrie(nil), g.ChainConfig())
}

// ChainConfig returns the Ethereum view of the chain: every fork up to Prague and Isthmus active from genesis.
func (g *Genesis) ChainConfig() *gethparams.ChainConfig {
	zero := uint64(0)
	canyon := g.EIP1559Denominator
	return &gethparams.ChainConfig{
		ChainID: new(big.Int).SetUint64(g.ChainID), HomesteadBlock: common.Big0, EIP150Block: common.Big0, EIP155Block: common.Big0,
		EIP158Block: common.Big0, ByzantiumBlock: common.Big0, ConstantinopleBlock: common.Big0, PetersburgBlock: common.Big0,
		IstanbulBlock: common.Big0, MuirGlacierBlock: common.Big0, BerlinBlock: common.Big0, LondonBlock: common.Big0,
		ArrowGlacierBlock: common.Big0, GrayGlacierBlock: common.Big0, MergeNetsplitBlock: common.Big0, BedrockBlock: common.Big0,
		TerminalTotalDifficulty: common.Big0, ShanghaiTime: &zero, CancunTime: &zero, PragueTime: &zero, RegolithTime: &zero,
		CanyonTime: &zero, EcotoneTime: &zero, FjordTime: &zero, GraniteTime: &zero, HoloceneTime: &zero, IsthmusTime: &zero,
		Optimism: &gethparams.OptimismConfig{EIP1559Elasticity: g.EIP1559Elasticity, EIP1559Denominator: g.EIP1559Denominator, EIP1559DenominatorCanyon: &canyon},
	}
}
