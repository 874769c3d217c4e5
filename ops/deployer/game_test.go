package deployer

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/stretchr/testify/require"
)

// writeArtifact writes what forge would: code with placeholders where addresses of libraries belong.
func writeArtifact(t *testing.T, dir, file, name, constructor, object, links string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Join(dir, file+".sol"), 0o755))
	body := fmt.Sprintf(`{"abi":[%s],"bytecode":{"object":"0x%s","linkReferences":{%s}}}`, constructor, object, links)
	require.NoError(t, os.WriteFile(filepath.Join(dir, file+".sol", name+".json"), []byte(body), 0o644))
}

func TestVerifierIsDeployedWithItsLibraries(t *testing.T) {
	dir := t.TempDir()
	hole := "__$" + strings.Repeat("a1", 17) + "$__"
	writeArtifact(t, dir, "Steps", "InnerSteps", "", "60aa", "")
	writeArtifact(t, dir, "Steps", "OuterSteps", "", "61"+hole+"62", `"src/dispute/Steps.sol":{"InnerSteps":[{"start":1,"length":20}]}`)
	writeArtifact(t, dir, "OriginLeaves", "OriginLeaves", "", "65", "")
	writeArtifact(t, dir, verifierName, verifierName,
		`{"type":"constructor","inputs":[{"name":"_config","type":"tuple","components":[{"name":"layerRoot","type":"address"},{"name":"proofLag","type":"uint64"},{"name":"genesis","type":"tuple","components":[{"name":"number","type":"uint64"},{"name":"hash","type":"bytes32"}]}]},{"name":"oracle_","type":"address"}]}`,
		"63"+hole+hole+"64", `"src/dispute/Steps.sol":{"OuterSteps":[{"start":1,"length":20}],"InnerSteps":[{"start":21,"length":20}]}`)
	in := testIntent()
	p := &plan{arts: &Artifacts{OwnDir: dir}, addrs: map[string]common.Address{"LayerRoot": {1}, "PreimageOracle": {2}}}
	at := p.machine(&in, &startBlock{Number: 77, Hash: common.Hash{7}})
	require.NoError(t, p.err)
	require.Equal(t, at, p.machineOf())
	var names []string
	for _, s := range p.steps {
		names = append(names, s.name)
	}
	require.Equal(t, []string{"OriginLeaves", "InnerSteps", "OuterSteps", verifierName}, names, "each library once, before what calls it")
	inner, outer := crypto.CreateAddress(common.Address{}, 1), crypto.CreateAddress(common.Address{}, 2)
	require.Equal(t, "61"+hex.EncodeToString(inner[:])+"62", hex.EncodeToString(p.steps[2].data))
	require.True(t, bytes.HasPrefix(p.steps[3].data, append(append(append([]byte{0x63}, outer[:]...), inner[:]...), 0x64)))
	args := p.steps[3].data[42:]
	require.Equal(t, common.LeftPadBytes(common.Address{1}.Bytes(), 32), args[:32])
	require.Equal(t, common.BigToHash(num(in.ProofWindowBlocks())).Bytes(), args[32:64])
	require.Equal(t, common.BigToHash(num(77)).Bytes(), args[64:96])
	require.Equal(t, common.Hash{7}.Bytes(), args[96:128])
	require.Equal(t, common.LeftPadBytes(common.Address{2}.Bytes(), 32), args[128:])

	_, err := (&Artifact{Name: "x", Links: []Link{{Library: "Missing"}}}).Linked(nil)
	require.ErrorIs(t, err, ErrArtifact)
	require.ErrorContains(t, err, "Missing")
}

func TestCheckoutWithoutVerifierUsesMIPS(t *testing.T) {
	root := repository(t)
	in := testIntent()
	p := &plan{arts: &Artifacts{OPDir: ArtifactsIn(root).OPDir, OwnDir: t.TempDir()}, addrs: map[string]common.Address{}}
	at := p.machine(&in, new(startBlock))
	require.NoError(t, p.err)
	require.Equal(t, at, p.machineOf())
	require.Equal(t, "MIPS", p.steps[0].name)

	// A verifier that is there but unusable is an error, not a reason to deploy something else.
	require.NoError(t, os.MkdirAll(filepath.Join(p.arts.OwnDir, verifierName+".sol"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(p.arts.OwnDir, verifierName+".sol", verifierName+".json"), []byte("{"), 0o644))
	p.machine(&in, new(startBlock))
	require.ErrorIs(t, p.err, ErrArtifact)
}

func TestTupleArgumentsAreChecked(t *testing.T) {
	tuple, err := abi.NewType("tuple", "", []abi.ArgumentMarshaling{{Name: "owner", Type: "uint256"}})
	require.NoError(t, err)
	_, err = argumentsByName(abi.Arguments{{Name: "c", Type: tuple}}, map[string]any{"owner": common.Address{1}})
	require.ErrorIs(t, err, ErrArtifact)
	_, err = argumentsByName(abi.Arguments{{Name: "c", Type: tuple}}, map[string]any{"other": big.NewInt(1)})
	require.ErrorContains(t, err, "owner")
}
