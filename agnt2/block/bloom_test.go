package block

import (
	"math/rand/v2"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/stretchr/testify/require"

	"github.com/agnt2/agnt2/agnt2/abi"
)

func randomLogs(r *rand.Rand, n int) (logs []*types.Log) {
	word := func() (h common.Hash) {
		for i := range h {
			h[i] = byte(r.Uint32())
		}
		return h
	}
	events := []common.Hash{abi.InvokedTopic, abi.RespondedTopic, abi.TimedOutTopic, abi.AgentRegisteredTopic, word()}
	for range n {
		l := &types.Log{Address: abi.Address, Topics: []common.Hash{events[r.IntN(len(events))]}}
		if r.IntN(3) == 0 {
			l.Address = common.BytesToAddress(word().Bytes())
		}
		for range r.IntN(4) {
			l.Topics = append(l.Topics, word())
		}
		if r.IntN(8) == 0 {
			l.Topics = append(l.Topics, abi.InvokedTopic)
		}
		logs = append(logs, l)
	}
	return logs
}

func TestBloomsAreEthereums(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	rs := types.Receipts{{}, {Logs: []*types.Log{{Address: abi.Address}}}} // no log, and one without topics
	for n := range 200 {
		rs = append(rs, &types.Receipt{Logs: randomLogs(r, n%9)})
	}
	for from := range rs { // every receipt first, and with others before it
		for _, rc := range rs {
			rc.Bloom = types.Bloom{}
		}
		setBlooms(rs[from:])
		for i, rc := range rs[from:] {
			require.Equal(t, types.CreateBloom(rc), rc.Bloom, "receipt %d of those from %d on", i, from)
		}
	}
}

func BenchmarkBlooms(b *testing.B) {
	rs := make(types.Receipts, 1000)
	for i := range rs {
		rs[i] = &types.Receipt{Logs: []*types.Log{{Address: abi.Address, Topics: []common.Hash{abi.InvokedTopic, {1}, {2}, {byte(i)}}}}}
	}
	b.Run("block", func(b *testing.B) {
		for b.Loop() {
			setBlooms(rs)
		}
	})
	b.Run("types", func(b *testing.B) {
		for b.Loop() {
			for _, rc := range rs {
				types.CreateBloom(rc)
			}
		}
	})
}
