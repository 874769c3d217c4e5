package client

import (
	"context"
	"errors"
	"math/big"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/stretchr/testify/require"

	engine "github.com/agnt2/agnt2/agnt2-engine"
	"github.com/agnt2/agnt2/agnt2-engine/enginetest"
	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/agnt2/vm"
)

// TestDisputePruned: against an engine, a caller objects to a call that has left the state.
func TestDisputePruned(t *testing.T) {
	g := enginetest.Genesis(2)
	g.Policy.RecentSeconds, g.Policy.DisputeWindowSeconds = 2, 3600
	node, err := engine.New(engine.Config{
		Genesis: g, DataDir: t.TempDir(), CacheBytes: 32 << 20, HistoryBlocks: 64, HTTPAddr: "127.0.0.1:0",
	})
	require.NoError(t, err)
	driver := enginetest.New(node)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	stopped := make(chan error, 1)
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-stopped)
		require.NoError(t, node.Close())
	})
	go func() {
		stopped <- func() error {
			for ctx.Err() == nil {
				id, err := driver.Start(driver.Attributes(driver.Head(), false))
				if err != nil {
					return err
				}
				time.Sleep(20 * time.Millisecond)
				if _, err := driver.Finish(id); err != nil {
					return err
				}
			}
			return nil
		}()
	}()
	_, da := newFakePayloads(t)
	c, err := Dial(ctx, Config{RPC: "http://" + node.Addr("http"), DAURL: da, PollInterval: 10 * time.Millisecond})
	require.NoError(t, err)
	defer c.Close()
	buyer, seller := c.Account(enginetest.Key(0)), c.Account(enginetest.Key(1))
	_, err = seller.operate(ctx, "register", big.NewInt(1e16), (&abi.RegisterCall{Name: "s", Capabilities: []abi.Capability{{Name: "x"}}}).Encode())
	require.NoError(t, err)
	ids := make([]common.Hash, 3)
	for i := range ids {
		call := &abi.InvokeCall{Salt: common.Hash{byte(i)}, Callee: seller.Address(), Capability: vm.CapabilityID("x"), TtlSeconds: 60}
		_, err = buyer.operate(ctx, "invoke", big.NewInt(7), call.Encode())
		require.NoError(t, err)
		ids[i] = vm.InteractionID(buyer.Address(), call.Salt)
		_, err = seller.operate(ctx, "respond", nil, (&abi.RespondCall{Id: ids[i], Status: uint8(vm.Error)}).Encode())
		require.NoError(t, err)
	}
	request := DisputeRequest{Interaction: ids[1], Evidence: []byte("nothing came"), BondWei: (*big.Int)(g.Policy.DisputeBondWei.ToBig())}
	_, err = buyer.DisputePruned(ctx, request)
	require.ErrorContains(t, err, "not in the history")
	for {
		if _, err = c.HistoryProof(ctx, ids[2]); err == nil {
			break
		}
		require.NoError(t, ctx.Err())
		time.Sleep(50 * time.Millisecond)
	}
	_, err = buyer.Dispute(ctx, request)
	var unknown *abi.InteractionUnknown
	require.True(t, errors.As(err, &unknown), "%v", err)
	_, err = buyer.DisputePruned(ctx, request)
	require.NoError(t, err)
	d, err := c.DisputeOf(ctx, ids[1])
	require.NoError(t, err)
	require.Equal(t, buyer.Address(), d.Claimant)
	require.Equal(t, seller.Address(), d.Agent)
	_, err = buyer.DisputePruned(ctx, request)
	var exists *abi.DisputeExists
	require.True(t, errors.As(err, &exists), "%v", err)
}
