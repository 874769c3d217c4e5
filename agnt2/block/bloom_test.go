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

func TestBloomIsEthereums(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for n := range 64 {
		logs := randomLogs(r, n%9)
		require.Equal(t, types.CreateBloom(&types.Receipt{Logs: logs}), bloomOf(logs))
	}
	require.Equal(t, types.Bloom{}, bloomOf([]*types.Log{})) // and one without topics sets the address only
	require.Equal(t, types.CreateBloom(&types.Receipt{Logs: []*types.Log{{Address: abi.Address}}}), bloomOf([]*types.Log{{Address: abi.Address}}))
}

func BenchmarkBloom(b *testing.B) {
	logs := []*types.Log{{Address: abi.Address, Topics: []common.Hash{abi.InvokedTopic, {1}, {2}, {3}}}}
	b.Run("block", func(b *testing.B) {
		for b.Loop() {
			bloomOf(logs)
		}
	})
	b.Run("types", func(b *testing.B) {
		rc := &types.Receipt{Logs: logs}
		for b.Loop() {
			types.CreateBloom(rc)
		}
	})
}
