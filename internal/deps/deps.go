//go:build deps

// Temporary: keeps module requirements while packages land.
package deps

import (
	_ "github.com/Layr-Labs/eigenda/api"
	_ "github.com/VictoriaMetrics/fastcache"
	_ "github.com/cloudflare/circl/simd/keccakf1600"
	_ "github.com/cockroachdb/pebble/v2"
	_ "github.com/ethereum-optimism/optimism/op-alt-da"
	_ "github.com/ethereum-optimism/optimism/op-batcher/batcher"
	_ "github.com/ethereum-optimism/optimism/op-challenger/game"
	_ "github.com/ethereum-optimism/optimism/op-e2e/e2eutils/fakebeacon"
	_ "github.com/ethereum-optimism/optimism/op-e2e/e2eutils/geth"
	_ "github.com/ethereum-optimism/optimism/op-node/cmd/genesis"
	_ "github.com/ethereum-optimism/optimism/op-node/node"
	_ "github.com/ethereum-optimism/optimism/op-proposer/proposer"
	_ "github.com/ethereum/go-ethereum/cmd/utils"
	_ "github.com/rollkit/go-da"
	_ "github.com/gorilla/websocket"
	_ "github.com/holiman/uint256"
	_ "github.com/prometheus/client_golang/prometheus/promhttp"
	_ "github.com/stretchr/testify/require"
	_ "github.com/urfave/cli/v2"
	_ "golang.org/x/sync/errgroup"
	_ "golang.org/x/time/rate"
	_ "github.com/google/btree"
	_ "pgregory.net/rapid"
)
