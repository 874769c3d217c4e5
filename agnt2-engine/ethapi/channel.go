package ethapi

import (
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/rpc"

	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/agnt2/record"
)

// Names of IAGNT2.ChannelStatus, by value.
var channelStatus = []string{"none", "open", "closing", "closed"}

func channelView(c *record.Channel) abi.ChannelView {
	return abi.ChannelView{
		Status: c.Status, AgentA: c.AgentA, AgentB: c.AgentB, FundedA: c.FundedA, FundedB: c.FundedB, DepositA: c.DepositA, DepositB: c.DepositB,
		BalanceA: c.BalanceA, BalanceB: c.BalanceB, Nonce: c.Nonce, InteractionCount: c.InteractionCount, MaxInteractions: c.MaxInteractions,
		OpenedAt: c.OpenedAt, ExpiresAt: c.ExpiresAt, ClosesAt: c.ClosesAt, HeartbeatSeconds: c.HeartbeatSeconds,
	}
}

func getChannel(v *reading, c *abi.GetChannelCall) ([]byte, error) {
	r, err := v.records()
	if err != nil {
		return nil, err
	}
	x, err := readOr(r, record.ChannelKey(c.Id), record.DecodeChannel)
	if err != nil {
		return nil, err
	}
	return (&abi.GetChannelReturn{Ret0: channelView(&x)}).Encode(), nil
}

func getChannelPair(v *reading, c *abi.GetChannelPairCall) ([]byte, error) {
	r, err := v.records()
	if err != nil {
		return nil, err
	}
	a, b := c.AgentA, c.AgentB
	if a.Cmp(b) > 0 {
		a, b = b, a
	}
	x, err := readOr(r, record.ChannelPairKey(a, b), record.DecodeChannelPair)
	if err != nil {
		return nil, err
	}
	return (&abi.GetChannelPairReturn{Ret0: abi.ChannelPairView(x)}).Encode(), nil
}

// ChannelInfo is what agnt2_getChannel answers. Amounts are wei, times Unix seconds.
type ChannelInfo struct {
	ID               common.Hash    `json:"id"`
	Status           string         `json:"status"`
	AgentA           common.Address `json:"agentA"`
	AgentB           common.Address `json:"agentB"`
	FundedA          *hexutil.Big   `json:"fundedA"`
	FundedB          *hexutil.Big   `json:"fundedB"`
	DepositA         *hexutil.Big   `json:"depositA"`
	DepositB         *hexutil.Big   `json:"depositB"`
	BalanceA         *hexutil.Big   `json:"balanceA"`
	BalanceB         *hexutil.Big   `json:"balanceB"`
	Nonce            hexutil.Uint64 `json:"nonce"`
	InteractionCount hexutil.Uint64 `json:"interactionCount"`
	MaxInteractions  hexutil.Uint64 `json:"maxInteractions"`
	OpenedAt         hexutil.Uint64 `json:"openedAt"`
	ExpiresAt        hexutil.Uint64 `json:"expiresAt"`
	ClosesAt         hexutil.Uint64 `json:"closesAt"`
	HeartbeatSeconds hexutil.Uint64 `json:"heartbeatSeconds"`
	BlockNumber      *hexutil.Big   `json:"blockNumber"`
	BlockHash        common.Hash    `json:"blockHash"`
}

// GetChannel implements agnt2_getChannel; null if there is no such channel.
func (x *agnt2API) GetChannel(id common.Hash, at *rpc.BlockNumberOrHash) (*ChannelInfo, error) {
	r, h, err := x.a.records(at)
	if err != nil {
		return nil, err
	}
	c, err := read(r, record.ChannelKey(id), record.DecodeChannel)
	if c == nil || err != nil {
		return nil, err
	}
	return &ChannelInfo{
		ID: id, Status: statusName(channelStatus, c.Status), AgentA: c.AgentA, AgentB: c.AgentB, FundedA: wei(&c.FundedA), FundedB: wei(&c.FundedB),
		DepositA: wei(&c.DepositA), DepositB: wei(&c.DepositB), BalanceA: wei(&c.BalanceA), BalanceB: wei(&c.BalanceB),
		Nonce: hexutil.Uint64(c.Nonce), InteractionCount: hexutil.Uint64(c.InteractionCount), MaxInteractions: hexutil.Uint64(c.MaxInteractions),
		OpenedAt: hexutil.Uint64(c.OpenedAt), ExpiresAt: hexutil.Uint64(c.ExpiresAt), ClosesAt: hexutil.Uint64(c.ClosesAt),
		HeartbeatSeconds: hexutil.Uint64(c.HeartbeatSeconds), BlockNumber: (*hexutil.Big)(h.Number), BlockHash: h.Hash(),
	}, nil
}
