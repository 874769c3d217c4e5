package main

import (
	"math/big"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/agnt2/agnt2/client"
)

func TestChoose(t *testing.T) {
	offer := func(id byte, price uint64, score uint16) client.Provider {
		return client.Provider{Agent: common.Address{id}, PriceWei: *uint256.NewInt(price), Score: score}
	}
	all := []client.Provider{offer(1, 5, 10), offer(2, 6, 20), offer(3, 4, 20), offer(4, 4, 20), offer(5, 50, 9000), offer(6, 1, 9999)}
	self, limit := common.Address{6}, big.NewInt(9)
	p, ok := choose(all, self, common.Address{}, limit)
	require.True(t, ok)
	require.Equal(t, common.Address{3}, p.Agent, "best score, then price, then address; never itself, never above the limit")
	p, _ = choose(all, self, common.Address{1}, limit)
	require.Equal(t, common.Address{1}, p.Agent)
	p, _ = choose(all, self, common.Address{5}, limit)
	require.Equal(t, common.Address{3}, p.Agent, "a preference does not lift the limit")
	_, ok = choose(all[5:], self, common.Address{}, limit)
	require.False(t, ok)
}
