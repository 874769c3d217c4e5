package main

import (
	"bytes"
	"context"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/stretchr/testify/require"
)

func TestAGNTShowsEveryWei(t *testing.T) {
	for want, n := range map[string]*big.Int{
		"0.0000": big.NewInt(0), "1.0000": big.NewInt(1e18), "0.000000000000000001": big.NewInt(1), "-2.5000": big.NewInt(-25e17), "0.0010": big.NewInt(1e15),
	} {
		require.Equal(t, want, agnt(n))
	}
}

func TestReportRemembersWhatFailed(t *testing.T) {
	var out bytes.Buffer
	r := &report{out: &out}
	r.begin("Step")
	r.equal("same", big.NewInt(5), big.NewInt(5))
	r.equal("off by one", big.NewInt(5), big.NewInt(6))
	r.check(true, "fine", "")
	require.Equal(t, 3, r.checks)
	require.Equal(t, []string{"Step: off by one"}, r.failed)
	require.Contains(t, out.String(), "off by -1")
	columns := map[int]bool{}
	for _, line := range strings.Split(out.String(), "\n") {
		if at := strings.Index(line, "5 wei, expected"); at >= 0 {
			columns[len([]rune(line[:at]))] = true
		} else if at := strings.Index(line, "0.000000000000000005"); at >= 0 {
			columns[len([]rune(line[:at]))] = true
		}
	}
	require.Len(t, columns, 1, "values are aligned")
}

func TestReadDevnet(t *testing.T) {
	dir := t.TempDir()
	_, err := readDevnet(dir)
	require.ErrorContains(t, err, "devnet-up")
	write := func(name, content string) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600))
	}
	write("addresses.json", `{"OptimismPortalProxy":"0x0000000000000000000000000000000000000009"}`)
	key := strings.Repeat("0", 63) + "1"
	write("keys.json", `{"agent1":{"address":"0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf","privateKey":"0x`+key+`"}}`)
	d, err := readDevnet(dir)
	require.NoError(t, err)
	require.Equal(t, common.Address{19: 9}, d.portal)
	require.Equal(t, common.HexToAddress("0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf"), crypto.PubkeyToAddress(d.keys["agent1"].PublicKey))
	write("keys.json", `{"agent1":{"privateKey":"0xsecret"}}`)
	_, err = readDevnet(dir)
	require.ErrorContains(t, err, "agent1")
	require.NotContains(t, err.Error(), "secret")
}

func TestChildReportsEventsAndFailures(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 8*time.Second)
	defer cancel()
	script := filepath.Join(t.TempDir(), "agent")
	require.NoError(t, os.WriteFile(script, []byte("#!/bin/sh\necho noise\necho '{\"event\":\"ready\",\"http\":\"'$AGNT2_KEY'\"}'\necho trouble >&2\nif [ \"$1\" = stay ]; then cat; fi\nexit 3\n"), 0o700))
	key, err := crypto.GenerateKey()
	require.NoError(t, err)

	c, err := start(script, key, []byte{}, "go")
	require.NoError(t, err)
	e, err := c.next(ctx, "ready")
	require.NoError(t, err)
	require.Len(t, e.HTTP, 66, "the key is in the environment")
	_, err = c.next(ctx, "settled")
	require.ErrorContains(t, err, "trouble", "what the process said last is in the error")
	code, err := c.wait(ctx)
	require.NoError(t, err)
	require.Equal(t, 3, code)
	c.stop()

	c, err = start(script, key, nil, "stay")
	require.NoError(t, err)
	_, err = c.next(ctx, "ready")
	require.NoError(t, err)
	c.stop()
	c.stop()
	require.NotNil(t, c.cmd.ProcessState, "stopped and reaped")
}
