# AGNT2: everything that a fresh machine with Go, Node and npm needs is installed and built by these recipes.

set shell := ["bash", "-euo", "pipefail", "-c"]

platform := if os() == "macos" { "darwin" } else { "linux" }
cpu := if arch() == "aarch64" { "arm64" } else { "amd64" }
forge := justfile_directory() / "node_modules/@foundry-rs/forge-" + platform + "-" + cpu / "bin/forge"
contracts_dir := "packages/contracts-bedrock-fork"

# list the recipes
default:
    @just --list --justfile {{ justfile() }} 2>/dev/null || npx --yes rust-just --list

# install npm packages (contract artifacts, anvil, forge, solc, viem) if the lock file changed
[private]
setup:
    @if ! cmp -s package-lock.json node_modules/.installed 2>/dev/null; then \
        echo "» npm packages"; npm install --no-save --no-audit --no-fund --loglevel=error --ignore-scripts && cp package-lock.json node_modules/.installed; \
    fi

# compile the contracts and regenerate what is generated: Go bindings from the interfaces, Solidity from both
contracts: setup
    @echo "» contracts"
    @cd {{ contracts_dir }} && {{ forge }} build --offline --quiet src/interfaces/*.sol src/dispute/IFrames.sol test/harness/IUnpackSample.sol
    @go generate ./agnt2/... ./client/ts/gen
    @cd {{ contracts_dir }} && {{ forge }} fmt src/dispute/lib/KeccakSponge.sol && {{ forge }} build --offline --quiet

# build every binary into bin/
build: contracts
    @mkdir -p bin
    @for b in agnt2-engine=./agnt2-engine/cmd op-agnt2-node=./op-agnt2-node/cmd batcher=./batcher/cmd proposer=./proposer/cmd challenger=./challenger/cmd \
        da-server=./da/cmd deployer=./ops/deployer/cmd devnet=./devnet/cmd l1=./devnet/l1 \
        demo=./client/cmd/demo summarizer=./client/cmd/summarizer buyer=./client/cmd/buyer bench=./bench/cmd; do \
        echo "» bin/${b%%=*}"; go build -o "bin/${b%%=*}" "${b#*=}"; \
    done

# start a local rollup; returns when the first transaction can be submitted
devnet-up *ARGS: build
    @bin/devnet up {{ ARGS }}

# stop the local rollup
devnet-down:
    @bin/devnet down

# heads, verifier agreement, games, processes (--json for machines)
devnet-status *ARGS:
    @bin/devnet status {{ ARGS }}

# print a process's log (devnet-logs engine -f)
devnet-logs *ARGS:
    @bin/devnet logs {{ ARGS }}

# stop the local rollup and delete its data
devnet-clean:
    @bin/devnet clean

# two agents do business on the running devnet
demo *ARGS:
    @bin/demo {{ ARGS }}

# all tests
test: test-unit test-e2e

# unit, property and contract tests with fuzz seeds
test-unit: contracts
    go test -timeout 30m $(go list ./... | grep -v /e2e)
    cd {{ contracts_dir }} && {{ forge }} test --offline

# end-to-end tests on a private port range
test-e2e: build
    go test -count=1 -timeout 40m -v ./e2e/...

# measure this machine (docs/benchmarks.md)
bench *ARGS: build
    @bin/bench {{ ARGS }}

# formatting, vet, staticcheck, import directions
lint: contracts
    @test -z "$(gofmt -l $(git ls-files '*.go'))" || { gofmt -l $(git ls-files '*.go'); echo "gofmt: run gofmt -w"; exit 1; }
    go vet ./...
    go tool staticcheck ./...
    go test ./internal/layout
    cd {{ contracts_dir }} && {{ forge }} fmt --check
    @git diff --exit-code --stat agnt2 client/ts {{ contracts_dir }}/src/dispute/lib {{ contracts_dir }}/test/harness || { echo "generated bindings are stale: commit the result of 'just contracts'"; exit 1; }
