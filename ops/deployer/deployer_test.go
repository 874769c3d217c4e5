package deployer

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/ethclient"
	"github.com/stretchr/testify/require"

	agnt2 "github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/internal/anvil"
)

const (
	deployerKey = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"
	batcherKey  = "0x5de4111afa1a4b94908f83103eb1f1706367c2e68ca870fc3fb9a804cdab365a"
)

// childArg makes the test binary a deployer process that a test can kill.
const childArg = "deployer-child"

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == childArg {
		l1, root, out := os.Args[2], os.Args[3], os.Args[4]
		opt := options(l1, root, out)
		opt.Progress = func(done, total int, what string) { fmt.Printf("STEP %d %d\n", done, total) }
		if _, err := Run(context.Background(), testIntent(), opt); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

func options(l1, root, out string) Options {
	dk, err := ParseKey(deployerKey)
	if err != nil {
		panic(err)
	}
	bk, err := ParseKey(batcherKey)
	if err != nil {
		panic(err)
	}
	return Options{L1RPC: l1, DeployerKey: dk, BatcherKey: bk, Artifacts: ArtifactsIn(root), OutDir: out, Patience: 30 * time.Second}
}

// testIntent has an owner other than the deployer, so that the hand-over is exercised.
func testIntent() Intent {
	in := DevnetIntent()
	in.Owner = common.HexToAddress("0x00000000000000000000000000000000000000aa")
	bk, _ := ParseKey(batcherKey)
	in.Batcher = crypto.PubkeyToAddress(bk.PublicKey)
	in.UnsafeBlockSigner = common.HexToAddress("0x00000000000000000000000000000000000000bb")
	return in
}

// repository returns the checkout, or skips the test if npm's packages or the compiled contracts are missing.
func repository(t *testing.T) string {
	if testing.Short() {
		t.Skip("deploys to a real L1: some seconds")
	}
	root, err := filepath.Abs("../..")
	require.NoError(t, err)
	a := ArtifactsIn(root)
	if _, err := a.OP("SystemConfig"); err != nil {
		t.Skipf("needs the npm packages: %v", err)
	}
	if _, err := a.Own("LayerRoot"); err != nil {
		t.Skipf("needs the compiled contracts: %v", err)
	}
	return root
}

// anvilL1 starts an L1 with blocks of one second and returns its endpoint.
func anvilL1(t *testing.T, root string, extra ...string) (endpoint string, stop func()) {
	return anvil.Start(t, root, append([]string{"--chain-id", "900", "--block-time", "1", "--hardfork", "prague", "--no-request-size-limit", "--gas-limit", "60000000"}, extra...)...)
}

func nonceOf(t *testing.T, endpoint, key string) uint64 {
	c, err := ethclient.Dial(endpoint)
	require.NoError(t, err)
	defer c.Close()
	k, err := ParseKey(key)
	require.NoError(t, err)
	n, err := c.NonceAt(t.Context(), crypto.PubkeyToAddress(k.PublicKey), nil)
	require.NoError(t, err)
	return n
}

// A deployer that is killed in the middle continues where it stopped: no step is sent twice, and a third run sends nothing.
func TestKilledDeploymentContinues(t *testing.T) {
	t.Parallel()
	for name, kill := range map[string]func(t *testing.T, l1, root, out string){
		"with transactions in flight": killInFlight, "after the first confirmations": killAfterFirstStep,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			testKilledDeployment(t, kill)
		})
	}
}

func startChild(t *testing.T, l1, root, out string) (*exec.Cmd, *bufio.Scanner) {
	child := exec.Command(os.Args[0], childArg, l1, root, out)
	stdout, err := child.StdoutPipe()
	require.NoError(t, err)
	child.Stderr = os.Stderr
	require.NoError(t, child.Start())
	return child, bufio.NewScanner(stdout)
}

func killInFlight(t *testing.T, l1, root, out string) {
	child, _ := startChild(t, l1, root, out)
	require.Eventually(t, func() bool {
		st, err := loadState(filepath.Join(out, StateFile))
		return err == nil && st != nil && len(st.Steps) >= 5
	}, 20*time.Second, time.Millisecond)
	require.NoError(t, child.Process.Signal(syscall.SIGKILL))
	require.Error(t, child.Wait())
}

func killAfterFirstStep(t *testing.T, l1, root, out string) {
	child, lines := startChild(t, l1, root, out)
	require.True(t, lines.Scan(), "the child made no step")
	require.NoError(t, child.Process.Signal(syscall.SIGKILL))
	require.Error(t, child.Wait())
}

func testKilledDeployment(t *testing.T, killChild func(t *testing.T, l1, root, out string)) {
	root := repository(t)
	l1, _ := anvilL1(t, root)
	out := t.TempDir()

	killChild(t, l1, root, out)
	require.NoFileExists(t, filepath.Join(out, RollupFile), "killed too late to test anything")

	var steps []string
	opt := options(l1, root, out)
	opt.Progress = func(done, total int, what string) { steps = append(steps, fmt.Sprintf("%d/%d %s", done, total, what)) }
	first, err := Run(t.Context(), testIntent(), opt)
	require.NoError(t, err)
	require.NotEmpty(t, steps)
	require.Contains(t, steps[len(steps)-1], "hand over ProxyAdmin")

	st, err := loadState(filepath.Join(out, StateFile))
	require.NoError(t, err)
	require.Equal(t, st.FirstNonce+uint64(len(st.Steps)), nonceOf(t, l1, deployerKey), "one transaction per step")
	require.EqualValues(t, 1, nonceOf(t, l1, batcherKey), "the bond was paid once")

	again, err := Run(t.Context(), testIntent(), options(l1, root, out))
	require.NoError(t, err)
	require.Equal(t, first.Addresses, again.Addresses)
	require.Equal(t, first.Rollup, again.Rollup)
	require.Equal(t, st.FirstNonce+uint64(len(st.Steps)), nonceOf(t, l1, deployerKey), "a finished deployment sends nothing")
	require.EqualValues(t, 1, nonceOf(t, l1, batcherKey))

	// What is written is what the roles read.
	loaded, err := LoadResult(out)
	require.NoError(t, err)
	require.NoError(t, loaded.Rollup.Check())
	require.Equal(t, loaded.Genesis.Block().Hash(), loaded.Rollup.Genesis.L2.Hash)
	require.Equal(t, loaded.Addresses["LayerRoot"], loaded.Rollup.BatchInboxAddress)
	require.Equal(t, agnt2.Alias(loaded.Addresses["DisputeResolver"]), loaded.Genesis.Policy.DisputeResolver)
	require.True(t, loaded.Rollup.IsIsthmus(loaded.Rollup.Genesis.L2Time))
	_, err = loaded.Rollup.GetOPAltDAConfig()
	require.NoError(t, err)
	require.Empty(t, loaded.Genesis.Alloc)
	require.FileExists(t, filepath.Join(out, L1ChainConfigFile))

	// Other parameters, or another key, do not continue this deployment.
	other := testIntent()
	other.SeqWindowBlocks--
	_, err = Run(t.Context(), other, options(l1, root, out))
	require.ErrorIs(t, err, ErrState)
	opt = options(l1, root, out)
	opt.DeployerKey = opt.BatcherKey
	_, err = Run(t.Context(), testIntent(), opt)
	require.ErrorIs(t, err, ErrState)

	// Neither does another chain with the same id.
	fresh, _ := anvilL1(t, root)
	_, err = Run(t.Context(), testIntent(), options(fresh, root, out))
	require.ErrorIs(t, err, ErrVerify)
}

func TestRunFailsClearly(t *testing.T) {
	t.Parallel()
	root := repository(t)
	l1, _ := anvilL1(t, root)

	in := testIntent()
	in.L1ChainID = 1
	_, err := Run(t.Context(), in, options(l1, root, t.TempDir()))
	require.ErrorIs(t, err, ErrWrongChain)

	in = testIntent()
	in.L1ChainID, in.L2ChainID = 0, 900
	_, err = Run(t.Context(), in, options(l1, root, t.TempDir()))
	require.ErrorIs(t, err, ErrBadIntent)

	poor := options(l1, root, t.TempDir())
	poor.DeployerKey = BenchmarkKey(0)
	_, err = Run(t.Context(), testIntent(), poor)
	require.ErrorIs(t, err, ErrInsufficientFunds)
	require.ErrorContains(t, err, crypto.PubkeyToAddress(poor.DeployerKey.PublicKey).Hex())

	_, err = Run(t.Context(), testIntent(), options("http://127.0.0.1:1", root, t.TempDir()))
	require.ErrorContains(t, err, "127.0.0.1:1")

	missing := options(l1, root, t.TempDir())
	missing.Artifacts = ArtifactsIn(t.TempDir())
	_, err = Run(t.Context(), testIntent(), missing)
	require.ErrorIs(t, err, ErrArtifact)
	require.ErrorContains(t, err, "npm")
}

// Somebody who sends from the deployer's account in the middle makes the planned addresses impossible.
func TestTakenNonceIsNoticed(t *testing.T) {
	t.Parallel()
	root := repository(t)
	l1, _ := anvilL1(t, root)
	out := t.TempDir()
	opt := options(l1, root, out)
	in := testIntent()
	in.L1ChainID = 900
	digest, err := in.digest()
	require.NoError(t, err)
	from := crypto.PubkeyToAddress(opt.DeployerKey.PublicKey)
	st := &state{Version: stateVersion, L1ChainID: 900, Deployer: from, Intent: digest, Steps: map[string]*stepState{}, path: filepath.Join(out, StateFile)}
	require.NoError(t, st.save())

	c, err := ethclient.Dial(l1)
	require.NoError(t, err)
	defer c.Close()
	tx := types.MustSignNewTx(opt.DeployerKey, types.LatestSignerForChainID(big.NewInt(900)), &types.DynamicFeeTx{
		ChainID: big.NewInt(900), To: &from, Gas: 21000, GasFeeCap: big.NewInt(1e10), GasTipCap: big.NewInt(1e9)})
	require.NoError(t, c.SendTransaction(t.Context(), tx))
	require.Eventually(t, func() bool { return nonceOf(t, l1, deployerKey) == 1 }, 10*time.Second, 100*time.Millisecond)
	_, err = Run(t.Context(), in, opt)
	require.ErrorIs(t, err, ErrNonceTaken)
}

func TestIntentCheck(t *testing.T) {
	ok := testIntent()
	require.NoError(t, ok.Check())
	prod := ProductionIntent()
	prod.L1ChainID, prod.L2ChainID = 1, 2
	prod.Owner, prod.Batcher, prod.UnsafeBlockSigner = ok.Owner, ok.Batcher, ok.UnsafeBlockSigner
	require.NoError(t, prod.Check())
	require.LessOrEqual(t, prod.SeqWindowBlocks*12, uint64(600), "force-inclusion within the paper's settlement window")

	for name, breakIt := range map[string]func(*Intent){
		"l2ChainId":       func(in *Intent) { in.L2ChainID = 0 },
		"both":            func(in *Intent) { in.L2ChainID = in.L1ChainID },
		"owner":           func(in *Intent) { in.Owner = common.Address{} },
		"batcher":         func(in *Intent) { in.Batcher = common.Address{} },
		"blockTime":       func(in *Intent) { in.BlockTimeSeconds = 0 },
		"seqWindow":       func(in *Intent) { in.SeqWindowBlocks = 1 },
		"must be shorter": func(in *Intent) { in.DAChallengeWindowBlocks = in.SeqWindowBlocks },
		"positive":        func(in *Intent) { in.DAResolveWindowBlocks = 0 },
		"startBlock":      func(in *Intent) { in.StartBlock = "pending" },
		"l2GasLimit":      func(in *Intent) { in.L2GasLimit = 1_000_000 },
		"genesisBaseFee":  func(in *Intent) { in.GenesisBaseFeeWei = nil },
		"elasticity":      func(in *Intent) { in.EIP1559Elasticity = 0 },
		"depths":          func(in *Intent) { in.Game.MaxDepth = in.Game.SplitDepth },
		"clock":           func(in *Intent) { in.Game.ClockExtensionSeconds = in.Game.MaxClockSeconds + 1 },
		"batcherBond":     func(in *Intent) { in.BatcherBondWei = nil },
		"minTtl":          func(in *Intent) { in.Params.MinTtlSeconds = 0 },
		"passportSources": func(in *Intent) { in.PassportSources = []PassportSource{{ChainID: in.L2ChainID, Registry: in.Owner}} },
		"alloc":           func(in *Intent) { in.Alloc = map[common.Address]*hexutil.Big{{1}: nil} },
	} {
		in := testIntent()
		breakIt(&in)
		err := in.Check()
		require.ErrorIs(t, err, ErrBadIntent, name)
		require.ErrorContains(t, err, name)
	}
}

func TestLoadIntentKeepsTheBaseAndRefusesTypos(t *testing.T) {
	path := filepath.Join(t.TempDir(), "intent.json")
	require.NoError(t, os.WriteFile(path, []byte(`{"seqWindowBlocks": 30, "game": {"maxClockSeconds": 7}}`), 0o644))
	in, err := LoadIntent(path, DevnetIntent())
	require.NoError(t, err)
	require.EqualValues(t, 30, in.SeqWindowBlocks)
	require.EqualValues(t, 7, in.Game.MaxClockSeconds)
	require.Equal(t, DevnetIntent().Game.MaxDepth, in.Game.MaxDepth)
	require.NoError(t, os.WriteFile(path, []byte(`{"seqWindow": 30}`), 0o644))
	_, err = LoadIntent(path, DevnetIntent())
	require.ErrorIs(t, err, ErrBadIntent)

	// An intent survives its own file.
	full := testIntent()
	full.FundBenchmarkAccounts(2)
	full.PassportSources = []PassportSource{{ChainID: 7, Registry: common.Address{1}, GameType: 2}}
	raw, err := json.Marshal(&full)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, raw, 0o644))
	back, err := LoadIntent(path, Intent{})
	require.NoError(t, err)
	require.Equal(t, full, back)
	require.Len(t, back.Alloc, 2)
}

func TestArgumentsByName(t *testing.T) {
	typ := func(s string) abi.Type {
		out, err := abi.NewType(s, "", nil)
		require.NoError(t, err)
		return out
	}
	inputs := abi.Arguments{{Name: "_minimumBondWei", Type: typ("uint128")}, {Name: "systemConfig_", Type: typ("address")}, {Name: "window", Type: typ("uint64")}}
	known := map[string]any{"systemConfig": common.Address{7}, "minimumBond": big.NewInt(5), "windowBlocks": big.NewInt(9)}
	args, err := argumentsByName(inputs, known)
	require.NoError(t, err)
	require.Equal(t, []any{big.NewInt(5), common.Address{7}, uint64(9)}, args)
	_, err = inputs.Pack(args...)
	require.NoError(t, err)

	_, err = argumentsByName(abi.Arguments{{Name: "mystery", Type: typ("uint256")}}, known)
	require.ErrorIs(t, err, ErrArtifact)
	require.ErrorContains(t, err, "mystery")
}

func TestParseKeyNeverShowsTheKey(t *testing.T) {
	_, err := ParseKey("0xdeadbeefdeadbeef")
	require.Error(t, err)
	require.NotContains(t, strings.ToLower(err.Error()), "dead")
	for _, s := range []string{deployerKey, strings.TrimPrefix(deployerKey, "0x")} {
		_, err := ParseKey(s)
		require.NoError(t, err)
	}
}
