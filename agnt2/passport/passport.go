// Package passport is the portability of agents between AGNT2 chains: what agnt2_exportAgent answers, and a verifier of it that
// needs nothing but an output root that one trusts, for example the anchor of the chain's dispute games. L1's AgentPassport makes
// the same checks (docs/spec/passport.md). It does no I/O.
package passport

import (
	"errors"
	"fmt"
	"slices"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"

	"github.com/agnt2/agnt2/agnt2/record"
	"github.com/agnt2/agnt2/agnt2/trie"
	"github.com/agnt2/agnt2/agnt2/vm"
)

//go:generate go run ../abi/gen -pkg passport -out bindings.go ../../packages/contracts-bedrock-fork/out/IAgentPassport.sol/IAgentPassport.json

// ErrProof says that an export does not follow from the output root.
var ErrProof = errors.New("export is not proven")

// Output is what an output root of version 0 is the hash of (OP specs, "L2 Output Root Proposals").
type Output struct {
	Version                  common.Hash `json:"version"`
	StateRoot                common.Hash `json:"stateRoot"`
	MessagePasserStorageRoot common.Hash `json:"messagePasserStorageRoot"`
	LatestBlockhash          common.Hash `json:"latestBlockhash"`
}

// Root is the output root.
func (o *Output) Root() common.Hash {
	return record.Keccak256(slices.Concat(o.Version[:], o.StateRoot[:], o.MessagePasserStorageRoot[:], o.LatestBlockhash[:]))
}

// Export is an agent as a block has it.
type Export struct {
	ChainID     hexutil.Uint64 `json:"chainId"`
	BlockNumber hexutil.Uint64 `json:"blockNumber"`
	Agent       common.Address `json:"agent"`
	OutputRoot  common.Hash    `json:"outputRoot"`
	Output      Output         `json:"output"`
	// Records as the trie has them, and their proofs in canonical encoding. An agent that nobody has called yet has no
	// Reputation; the proof then shows that.
	Identity        hexutil.Bytes  `json:"identity"`
	IdentityProof   hexutil.Bytes  `json:"identityProof"`
	Reputation      *hexutil.Bytes `json:"reputation"`
	ReputationProof hexutil.Bytes  `json:"reputationProof"`
}

// ForeignID is where the agent is recorded on other chains.
func (e *Export) ForeignID() common.Address { return vm.ForeignAgent(uint64(e.ChainID), e.Agent) }

// Verify checks the export against an output root, and returns what is proven. Chain id and block number are not: they are those
// of whoever vouches for the root.
func (e *Export) Verify(root common.Hash) (identity record.Agent, reputation record.Reputation, err error) {
	if e.Output.Version != (common.Hash{}) {
		return identity, reputation, fmt.Errorf("%w: output root of version %s", ErrProof, e.Output.Version)
	}
	if got := e.Output.Root(); got != root {
		return identity, reputation, fmt.Errorf("%w: the output root is %s, not %s", ErrProof, got, root)
	}
	if e.Identity == nil {
		return identity, reputation, fmt.Errorf("%w: no identity", ErrProof)
	}
	if err := e.prove(record.AgentKey(e.Agent), e.Identity, e.IdentityProof); err != nil {
		return identity, reputation, fmt.Errorf("identity: %w", err)
	}
	if identity, err = record.DecodeAgent(e.Identity); err != nil {
		return identity, reputation, fmt.Errorf("%w: identity: %w", ErrProof, err)
	}
	var counters []byte
	if e.Reputation != nil {
		counters = *e.Reputation
		if reputation, err = record.DecodeReputation(counters); err != nil {
			return identity, reputation, fmt.Errorf("%w: reputation: %w", ErrProof, err)
		}
	}
	if err := e.prove(record.ReputationKey(e.Agent), counters, e.ReputationProof); err != nil {
		return identity, reputation, fmt.Errorf("reputation: %w", err)
	}
	return identity, reputation, nil
}

// prove checks a record, or the absence of one that is nil.
func (e *Export) prove(key record.Key, value, encoded []byte) error {
	p, err := trie.DecodeProof(encoded)
	switch {
	case err != nil:
	case value == nil:
		err = trie.VerifyAbsence(trie.Hash(e.Output.StateRoot), trie.Key(key), p)
	default:
		err = trie.VerifyInclusion(trie.Hash(e.Output.StateRoot), trie.Key(key), trie.HashRecord(value), p)
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrProof, err)
	}
	return nil
}

// Call is what L1's AgentPassport is called with to bring the agent to another chain. The export must be one that Verify accepts.
func (e *Export) Call() (*ImportAgentCall, error) {
	identity, reputation, err := e.Verify(e.OutputRoot)
	if err != nil {
		return nil, err
	}
	return &ImportAgentCall{
		SourceChainId: uint64(e.ChainID), Output: OutputRootProof(e.Output), Agent: e.Agent,
		Identity: IRecordsAgent(identity), IdentityProof: e.IdentityProof,
		Reputation: IRecordsReputation(reputation), ReputationProof: e.ReputationProof,
	}, nil
}
