package challenger

import (
	"context"
	"crypto/ecdsa"
	"encoding/json"
	"fmt"
	"math/big"
	"math/rand"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/ethereum-optimism/optimism/op-challenger/game/fault/contracts"
	"github.com/ethereum-optimism/optimism/op-challenger/game/fault/types"
	"github.com/ethereum-optimism/optimism/op-node/rollup"
	"github.com/ethereum-optimism/optimism/op-service/eth"
	oplog "github.com/ethereum-optimism/optimism/op-service/log"
	opmetrics "github.com/ethereum-optimism/optimism/op-service/metrics"
	"github.com/ethereum-optimism/optimism/op-service/sources/batching/rpcblock"
	"github.com/ethereum-optimism/optimism/op-service/txmgr"
	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	gethtypes "github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/ethclient"
	"github.com/ethereum/go-ethereum/log"
	"github.com/ethereum/go-ethereum/rpc"
	"github.com/stretchr/testify/require"

	"github.com/agnt2/agnt2/internal/anvil"
	"github.com/agnt2/agnt2/ops/deployer"
)

// Anvil's first accounts.
const (
	honestHex = "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"
	liarHex   = "59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d"
	l2ChainID = 901

	splitDepth = 4
	maxDepth   = 4 + 1 + 5 // 32 micro-steps; even, so that a lying proposer's side holds the leaves
	clockSecs  = 5000
	vmSteps    = 20
	safeBlock  = 9 // last L2 block that derives
)

// chain is what the test's L2 consists of: block n's payload is a hash chain, as CountingVM has it.
type chain struct {
	mu     sync.Mutex
	safeDB bool
	inbox  common.Address
	l1     *ethclient.Client
	// headers makes outputs version 0 over real headers, for challengeRootL2Block.
	headers bool
}

func payload(n uint64) common.Hash {
	h := crypto.Keccak256Hash([]byte("genesis"))
	for range n {
		h = crypto.Keccak256Hash(h[:])
	}
	return h
}

// opening is the preimage of output root n.
func opening(n uint64) []byte {
	p := payload(n)
	return append(common.BigToHash(new(big.Int).SetUint64(n)).Bytes(), p[:]...)
}

func outputRoot(n uint64) common.Hash { return crypto.Keccak256Hash(opening(n)) }

func (c *chain) header(n uint64) *gethtypes.Header {
	zero := common.Hash{}
	return &gethtypes.Header{
		Number: new(big.Int).SetUint64(n), Difficulty: new(big.Int), BaseFee: big.NewInt(1), UncleHash: gethtypes.EmptyUncleHash,
		Extra: []byte{}, WithdrawalsHash: &zero, BlobGasUsed: new(uint64), ExcessBlobGas: new(uint64), ParentBeaconRoot: &zero, RequestsHash: &zero,
	}
}

type rollupAPI struct{ c *chain }

func (a rollupAPI) OutputAtBlock(n hexutil.Uint64) (*eth.OutputResponse, error) {
	root := outputRoot(uint64(n))
	out := &eth.OutputResponse{OutputRoot: eth.Bytes32(root)}
	if a.c.headers {
		h := a.c.header(uint64(n))
		out.BlockRef = eth.L2BlockRef{Hash: h.Hash(), Number: uint64(n)}
		v0 := &eth.OutputV0{StateRoot: eth.Bytes32(h.Root), BlockHash: h.Hash()}
		out.OutputRoot, out.WithdrawalStorageRoot, out.StateRoot = eth.OutputRoot(v0), common.Hash{}, h.Root
	}
	return out, nil
}

func (a rollupAPI) SafeHeadAtL1Block(n hexutil.Uint64) (*eth.SafeHeadResponse, error) {
	a.c.mu.Lock()
	defer a.c.mu.Unlock()
	if !a.c.safeDB {
		return nil, fmt.Errorf("safe head database not enabled")
	}
	return &eth.SafeHeadResponse{L1Block: eth.BlockID{Number: uint64(n)}, SafeHead: eth.BlockID{Number: safeBlock}}, nil
}

func (a rollupAPI) SyncStatus(ctx context.Context) (*eth.SyncStatus, error) {
	n, err := a.c.l1.BlockNumber(ctx)
	return &eth.SyncStatus{CurrentL1: eth.L1BlockRef{Number: n + 1}}, err
}

func (a rollupAPI) RollupConfig() *rollup.Config {
	return &rollup.Config{BatchInboxAddress: a.c.inbox, L2ChainID: big.NewInt(l2ChainID), L1ChainID: big.NewInt(900)}
}

type engineAPI struct{ c *chain }

func (a engineAPI) GetBlockByNumber(n rpc.BlockNumber, _ bool) *gethtypes.Header {
	return a.c.header(uint64(n))
}

// countingProver lays out CountingVM's trace. lie flips its verdict and its chain.
type countingProver struct{ steps uint64 }

type countingState struct {
	Step, Steps uint64
	Chain       [32]byte
	Right       bool
}

func (s countingState) encode() []byte {
	word := func(b []byte) []byte { return common.LeftPadBytes(b, 32) }
	right := []byte{0}
	if s.Right {
		right[0] = 1
	}
	var out []byte
	for _, w := range [][]byte{new(big.Int).SetUint64(s.Step).Bytes(), new(big.Int).SetUint64(s.Steps).Bytes(), s.Chain[:], right} {
		out = append(out, word(w)...)
	}
	return out
}

func (s countingState) hash() common.Hash {
	h := crypto.Keccak256Hash(s.encode())
	switch {
	case s.Step < s.Steps:
		h[0] = StatusUnfinished
	case s.Right:
		h[0] = StatusValid
	default:
		h[0] = StatusInvalid
	}
	return h
}

func (p countingProver) AbsolutePrestate() common.Hash { return countingState{Steps: p.steps}.hash() }

type countingTrace struct {
	states  []countingState // states[i] is the one before step i
	opening []byte
}

func (p countingProver) NewTrace(_ context.Context, in TraceInputs) (Trace, error) {
	if outputRoot(in.AgreedBlock) != in.Agreed {
		return nil, fmt.Errorf("agreed root %s is not that of block %d", in.Agreed, in.AgreedBlock)
	}
	expected := in.Agreed
	if in.AgreedBlock < in.ClaimedBlock && in.AgreedBlock < safeBlock {
		expected = outputRoot(in.AgreedBlock + 1)
	}
	t := &countingTrace{opening: opening(in.AgreedBlock), states: []countingState{{Steps: p.steps}}}
	s := t.states[0]
	for i := range p.steps {
		if i == 0 {
			s.Right = expected == in.Disputed
			s.Chain = crypto.Keccak256Hash(in.Agreed[:], in.Disputed[:], in.L1Head[:])
		} else {
			s.Chain = crypto.Keccak256Hash(s.Chain[:], common.BigToHash(new(big.Int).SetUint64(s.Step)).Bytes())
		}
		s.Step++
		t.states = append(t.states, s)
	}
	return t, nil
}

func (t *countingTrace) Len(context.Context) (uint64, error) { return uint64(len(t.states) - 1), nil }

func (t *countingTrace) StateHash(_ context.Context, i uint64) (common.Hash, error) {
	return t.states[min(i+1, uint64(len(t.states)-1))].hash(), nil
}

func (t *countingTrace) StepData(_ context.Context, i uint64) (state, witness []byte, err error) {
	if i == 0 {
		witness = t.opening
	}
	return t.states[min(i, uint64(len(t.states)-1))].encode(), witness, nil
}

// stage is an L1 with the game's contracts, and an L2 node.
type stage struct {
	t            *testing.T
	c            *chain
	arts         *deployer.Artifacts
	eth          *ethclient.Client
	endpoints    Endpoints
	weth, vm     common.Address
	log          log.Logger
	honest, liar *ecdsa.PrivateKey
	onlyAttacks  bool // the liar's moves: they lead to step 0
}

func newStage(t *testing.T) *stage {
	t.Helper()
	if testing.Short() {
		t.Skip("plays on a real L1: some seconds")
	}
	root, err := filepath.Abs("..")
	require.NoError(t, err)
	s := &stage{t: t, arts: deployer.ArtifactsIn(root), c: &chain{safeDB: true}}
	for name, load := range map[string]func(string) (*deployer.Artifact, error){"FaultDisputeGame": s.arts.OP, "CountingVM": s.arts.Own, "LayerRoot": s.arts.Own} {
		if _, err := load(name); err != nil {
			t.Skipf("needs compiled contracts: %v", err)
		}
	}
	s.honest, err = crypto.HexToECDSA(honestHex)
	require.NoError(t, err)
	s.liar, err = crypto.HexToECDSA(liarHex)
	require.NoError(t, err)
	s.log = oplog.NewLogger(os.Stderr, oplog.CLIConfig{Level: log.LevelWarn, Format: oplog.FormatLogFmt})
	if testing.Verbose() {
		s.log = oplog.NewLogger(os.Stderr, oplog.CLIConfig{Level: log.LevelInfo, Format: oplog.FormatLogFmt})
	}

	s.endpoints.L1, _ = anvil.Start(t, root, "--chain-id", "900", "--hardfork", "prague", "--gas-limit", "60000000")
	s.eth, err = ethclient.Dial(s.endpoints.L1)
	require.NoError(t, err)
	t.Cleanup(s.eth.Close)
	s.c.l1 = s.eth
	require.Eventually(t, func() bool { _, err := s.eth.ChainID(t.Context()); return err == nil }, 20*time.Second, 20*time.Millisecond)

	for name, service := range map[string]any{"optimism": rollupAPI{s.c}, "eth": engineAPI{s.c}} {
		server := rpc.NewServer()
		require.NoError(t, server.RegisterName(name, service))
		h := httptest.NewServer(server)
		t.Cleanup(h.Close)
		if name == "eth" {
			s.endpoints.L2 = h.URL
		} else {
			s.endpoints.Rollup = h.URL
		}
	}
	s.deploy()
	return s
}

// deploy puts OP's published contracts on L1, with CountingVM as the machine.
func (s *stage) deploy() {
	me := crypto.PubkeyToAddress(s.honest.PublicKey)
	type out struct {
		Root          [32]byte
		L2BlockNumber *big.Int
	}
	type anchor struct {
		GameType   uint32
		OutputRoot out
	}
	proxied := func(name string, impl common.Address, init []byte) common.Address {
		p := s.create(s.arts.OP, "Proxy", me)
		if impl != (common.Address{}) {
			s.send(s.honest, p, nil, s.pack("Proxy", "upgradeToAndCall", impl, init))
		}
		return p
	}
	config := s.create(s.arts.OP, "SuperchainConfig")
	s.endpoints.Factory = proxied("DisputeGameFactory", s.create(s.arts.OP, "DisputeGameFactory"), s.pack("DisputeGameFactory", "initialize", me))
	asr := proxied("AnchorStateRegistry", s.create(s.arts.OP, "AnchorStateRegistry", s.endpoints.Factory),
		s.pack("AnchorStateRegistry", "initialize", []anchor{{0, out{outputRoot(0), new(big.Int)}}}))
	s.weth = proxied("DelayedWETH", s.create(s.arts.OP, "DelayedWETH", big.NewInt(60)), s.pack("DelayedWETH", "initialize", me, config))
	oracle := s.create(s.arts.OP, "PreimageOracle", big.NewInt(126_000), big.NewInt(20))
	s.vm = s.create(s.arts.Own, "CountingVM", oracle, uint64(safeBlock))
	s.c.inbox = s.create(s.arts.Own, "LayerRoot", config, big.NewInt(1), uint64(3), uint64(4), uint64(50))
	game := s.create(s.arts.OP, "FaultDisputeGame", uint32(0), [32]byte(countingProver{vmSteps}.AbsolutePrestate()), big.NewInt(maxDepth),
		big.NewInt(splitDepth), uint64(30), uint64(clockSecs), s.vm, s.weth, asr, big.NewInt(l2ChainID))
	s.send(s.honest, s.endpoints.Factory, nil, s.pack("DisputeGameFactory", "setImplementation", uint32(0), game))
	s.send(s.honest, s.endpoints.Factory, nil, s.pack("DisputeGameFactory", "setInitBond", uint32(0), big.NewInt(8e16)))
}

func (s *stage) pack(contract, method string, args ...any) []byte {
	art, err := s.arts.OP(contract)
	require.NoError(s.t, err)
	data, err := art.ABI.Pack(method, args...)
	require.NoError(s.t, err, "%s.%s", contract, method)
	return data
}

func (s *stage) create(load func(string) (*deployer.Artifact, error), name string, args ...any) common.Address {
	art, err := load(name)
	require.NoError(s.t, err)
	packed, err := art.ABI.Pack("", args...)
	require.NoError(s.t, err, name)
	r, err := s.trySend(s.honest, nil, nil, append(append([]byte{}, art.Bytecode...), packed...))
	require.NoError(s.t, err, name)
	return r.ContractAddress
}

func (s *stage) send(key *ecdsa.PrivateKey, to common.Address, value *big.Int, data []byte) *gethtypes.Receipt {
	s.t.Helper()
	r, err := s.trySend(key, &to, value, data)
	require.NoError(s.t, err)
	return r
}

// trySend signs and waits; a transaction that would revert is not sent.
func (s *stage) trySend(key *ecdsa.PrivateKey, to *common.Address, value *big.Int, data []byte) (*gethtypes.Receipt, error) {
	ctx := s.t.Context()
	from := crypto.PubkeyToAddress(key.PublicKey)
	gas, err := s.eth.EstimateGas(ctx, ethereum.CallMsg{From: from, To: to, Value: value, Data: data})
	if err != nil {
		return nil, err
	}
	nonce, err := s.eth.PendingNonceAt(ctx, from)
	if err != nil {
		return nil, err
	}
	tx := gethtypes.MustSignNewTx(key, gethtypes.LatestSignerForChainID(big.NewInt(900)), &gethtypes.DynamicFeeTx{
		ChainID: big.NewInt(900), Nonce: nonce, To: to, Value: value, Data: data, Gas: gas * 3 / 2, GasFeeCap: big.NewInt(1e10), GasTipCap: big.NewInt(1e9),
	})
	if err := s.eth.SendTransaction(ctx, tx); err != nil {
		return nil, err
	}
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if r, err := s.eth.TransactionReceipt(ctx, tx.Hash()); err == nil {
			if r.Status != 1 {
				return r, fmt.Errorf("%s reverted", tx.Hash())
			}
			return r, nil
		}
	}
	return nil, fmt.Errorf("%s is not mined", tx.Hash())
}

// mine lets L1 time pass.
func (s *stage) mine(seconds, blocks int) {
	require.NoError(s.t, s.eth.Client().Call(new(json.RawMessage), "evm_increaseTime", seconds))
	require.NoError(s.t, s.eth.Client().Call(new(json.RawMessage), "anvil_mine", hexutil.Uint64(blocks)))
}

// propose creates a game and returns it.
func (s *stage) propose(key *ecdsa.PrivateKey, root common.Hash, block uint64) common.Address {
	s.mine(1, 10) // past the proof window
	extra := common.BigToHash(new(big.Int).SetUint64(block)).Bytes()
	s.send(key, s.endpoints.Factory, big.NewInt(8e16), s.pack("DisputeGameFactory", "create", uint32(0), [32]byte(root), extra))
	return s.view("DisputeGameFactory", s.endpoints.Factory, "games", uint32(0), [32]byte(root), extra)[0].(common.Address)
}

func (s *stage) view(contract string, at common.Address, method string, args ...any) []any {
	s.t.Helper()
	art, err := s.arts.OP(contract)
	require.NoError(s.t, err)
	out, err := s.eth.CallContract(s.t.Context(), ethereum.CallMsg{To: &at, Data: s.pack(contract, method, args...)}, nil)
	require.NoError(s.t, err, "%s.%s", contract, method)
	v, err := art.ABI.Unpack(method, out)
	require.NoError(s.t, err)
	return v
}

func (s *stage) config() *Config {
	tx := txmgr.NewCLIConfig(s.endpoints.L1, txmgr.DefaultChallengerFlagValues)
	tx.PrivateKey, tx.NumConfirmations, tx.ReceiptQueryInterval = honestHex, 1, 50*time.Millisecond
	return &Config{
		Endpoints: s.endpoints, Window: 24 * time.Hour, Poll: 50 * time.Millisecond, Concurrency: 2, Pending: 10, MinBalance: new(big.Int),
		TxMgr: tx, Metrics: opmetrics.CLIConfig{}, HealthAddr: "127.0.0.1",
	}
}

func (s *stage) service() (*Service, error) {
	m := NewMetrics()
	cfg := s.config()
	clients, err := Dial(s.t.Context(), s.log, m, cfg.Endpoints)
	if err != nil {
		return nil, err
	}
	s.t.Cleanup(clients.Close)
	return NewService(s.t.Context(), s.log, cfg, m, clients, countingProver{vmSteps})
}

func (s *stage) start() *Service {
	s.t.Helper()
	svc, err := s.service()
	require.NoError(s.t, err)
	require.NoError(s.t, svc.Start(s.t.Context()))
	s.t.Cleanup(func() { require.NoError(s.t, svc.Stop(context.Background())) })
	return svc
}

// claims reads a game through op-challenger's bindings.
func (s *stage) claims(svc *Service, game common.Address) []types.Claim {
	c, err := contracts.NewFaultDisputeGameContract(s.t.Context(), svc.m, game, svc.clients.Caller)
	require.NoError(s.t, err)
	out, err := c.GetAllClaims(s.t.Context(), rpcblock.Latest)
	require.NoError(s.t, err)
	return out
}

func (s *stage) status(game common.Address) uint8 {
	return s.view("FaultDisputeGame", game, "status")[0].(uint8)
}

// lie counters every claim of the honest side that has no counter of the liar's yet, with nonsense in random places; it
// returns how many moves it made.
func (s *stage) lie(svc *Service, game common.Address, rng *rand.Rand) (moves int) {
	liar, honest := crypto.PubkeyToAddress(s.liar.PublicKey), crypto.PubkeyToAddress(s.honest.PublicKey)
	all := s.claims(svc, game)
	answered := map[int]bool{}
	for _, c := range all {
		if c.Claimant == liar {
			answered[c.ParentContractIndex] = true
		}
	}
	for _, c := range all {
		if c.Claimant != honest || answered[c.ContractIndex] || c.Depth() == maxDepth {
			continue
		}
		for attempt := 0; ; attempt++ {
			require.Less(s.t, attempt, 40, "the liar finds no move against claim %d at depth %d", c.ContractIndex, c.Depth())
			attack := c.ContractIndex == 0 || s.onlyAttacks || rng.Intn(2) == 0
			pos := c.Attack()
			if !attack {
				pos = c.Defend()
			}
			value := crypto.Keccak256Hash([]byte("lie"), new(big.Int).SetInt64(rng.Int63()).Bytes())
			value[0] = byte(rng.Intn(2)) // valid or invalid; some positions ask for one of them
			bond := s.view("FaultDisputeGame", game, "getRequiredBond", pos.ToGIndex())[0].(*big.Int)
			data := s.pack("FaultDisputeGame", "move", [32]byte(c.Value), big.NewInt(int64(c.ContractIndex)), [32]byte(value), attack)
			if _, err := s.trySend(s.liar, &game, bond, data); err == nil {
				moves++
				break
			}
		}
	}
	return moves
}
