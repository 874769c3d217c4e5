package client

import (
	"context"
	"errors"
	"fmt"
	"math/big"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/rpc"

	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/agnt2/passport"
	"github.com/agnt2/agnt2/agnt2/vm"
)

// Portability: an agent of one AGNT2 chain is shown to another one, with what it has done at home.

var anchorABI = mustABI(`[{"type":"function","name":"anchors","stateMutability":"view","inputs":[{"name":"gameType","type":"uint32"}],
	"outputs":[{"name":"root","type":"bytes32"},{"name":"l2BlockNumber","type":"uint256"}]}]`)

// carryAttempts bounds how often CarryAgent follows an anchor that moves on before its transaction is in.
const carryAttempts = 5

// ForeignID is where an agent of an AGNT2 chain is recorded on others.
func ForeignID(chainID uint64, agent common.Address) common.Address {
	return vm.ForeignAgent(chainID, agent)
}

// ExportAgent returns an agent of this chain as a block (nil: the latest) has it. The proofs hold against the output root that the
// export itself says; whether that is the chain's is the caller's to know: CarryAgent asks L1.
func (c *Client) ExportAgent(ctx context.Context, agent common.Address, block *big.Int) (*passport.Export, error) {
	rctx, cancel := c.request(ctx)
	defer cancel()
	at := "latest"
	if block != nil {
		at = hexutil.EncodeBig(block)
	}
	var e *passport.Export
	if err := c.rc.CallContext(rctx, &e, "agnt2_exportAgent", agent, at); err != nil {
		return nil, callError("agnt2_exportAgent", err)
	}
	if e == nil {
		return nil, &OperationError{Op: "agnt2_exportAgent", Revert: &abi.NotRegistered{Agent: agent}}
	}
	if e.Agent != agent || uint64(e.ChainID) != c.chainID.Uint64() {
		return nil, fmt.Errorf("%w: the node exports %v of chain %d", passport.ErrProof, e.Agent, uint64(e.ChainID))
	}
	if _, _, err := e.Verify(e.OutputRoot); err != nil {
		return nil, err
	}
	return e, nil
}

// ForeignAgent returns what this chain knows of an agent of another one, and the score in 1/10000 that its counters make by this
// chain's rules; SourceChainId 0 if nothing was imported.
func (c *Client) ForeignAgent(ctx context.Context, chainID uint64, agent common.Address) (*abi.IRecordsForeign, uint64, error) {
	out, err := c.view(ctx, "getForeignAgent", (&abi.GetForeignAgentCall{Id: ForeignID(chainID, agent)}).Encode())
	if err != nil {
		return nil, 0, err
	}
	r, err := abi.DecodeGetForeignAgentReturn(out)
	if err != nil {
		return nil, 0, err
	}
	return &r.Agent, r.Score.Uint64(), nil
}

// Anchor is the output root of a source chain that AgentPassport accepts now, and its block.
func (l *L1) Anchor(ctx context.Context, agentPassport common.Address, chainID uint64) (root common.Hash, block *big.Int, err error) {
	fail := func(err error) (common.Hash, *big.Int, error) {
		return common.Hash{}, nil, fmt.Errorf("anchor of chain %d: %w", chainID, err)
	}
	call := func(to common.Address, data []byte) ([]byte, error) {
		rctx, cancel := l.c.request(ctx)
		defer cancel()
		return l.c.ec.CallContract(rctx, ethereum.CallMsg{To: &to, Data: data}, nil)
	}
	out, err := call(agentPassport, (&passport.SourceOfCall{ChainId: chainID}).Encode())
	if err != nil {
		return fail(err)
	}
	source, err := passport.DecodeSourceOfReturn(out)
	if err != nil {
		return fail(err)
	}
	if source.Registry == (common.Address{}) {
		return fail(&passport.SourceUnknown{ChainId: chainID})
	}
	data, err := anchorABI.Pack("anchors", source.GameType)
	if err != nil {
		return fail(err)
	}
	if out, err = call(source.Registry, data); err != nil {
		return fail(err)
	}
	values, err := anchorABI.Unpack("anchors", out)
	if err != nil {
		return fail(err)
	}
	return values[0].([32]byte), values[1].(*big.Int), nil
}

// Carried is an agent on its way: the deposit, for WaitDeposit on the chain that it goes to, and what it brings.
type Carried struct {
	*Deposit
	Export *passport.Export
}

// CarryAgent exports an agent of the source chain at its anchor and brings it to the chain of this depositor's portal, through
// that chain's AgentPassport. Anybody may do that for any agent. If the anchor moves on meanwhile, it begins again.
func (d *Depositor) CarryAgent(ctx context.Context, source *Client, agentPassport, agent common.Address) (*Carried, error) {
	chain := source.chainID.Uint64()
	var last error
	for range carryAttempts {
		root, block, err := d.l1.Anchor(ctx, agentPassport, chain)
		if err != nil {
			return nil, err
		}
		e, err := source.ExportAgent(ctx, agent, block)
		if err != nil {
			return nil, fmt.Errorf("block %v of chain %d, its anchor: %w", block, chain, err)
		}
		if e.OutputRoot != root {
			return nil, fmt.Errorf("%w: block %v of chain %d has output root %v, its anchor is %v", passport.ErrProof, block, chain, e.OutputRoot, root)
		}
		call, err := e.Call()
		if err != nil {
			return nil, err
		}
		receipt, err := d.s.transact(ctx, txRequest{op: "AgentPassport.importAgent", to: agentPassport, data: call.Encode()})
		if err == nil {
			deposit, err := d.depositIn(receipt)
			return &Carried{deposit, e}, err
		}
		last = passportError(err)
		if now, _, err := d.l1.Anchor(ctx, agentPassport, chain); err != nil || now == root {
			return nil, last // for another reason
		}
	}
	return nil, fmt.Errorf("the anchor of chain %d moved on %d times: %w", chain, carryAttempts, last)
}

// passportError names AgentPassport's custom error, if the node has said it.
func passportError(err error) error {
	var de rpc.DataError
	if errors.As(err, &de) {
		if text, ok := de.ErrorData().(string); ok {
			if data, decodeErr := hexutil.Decode(text); decodeErr == nil {
				if r := passport.DecodeRevert(data); r != nil {
					return fmt.Errorf("AgentPassport.importAgent: %w", r)
				}
			}
		}
	}
	return err
}
