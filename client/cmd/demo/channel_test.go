package main

import (
	"bytes"
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	engine "github.com/agnt2/agnt2/agnt2-engine"
	"github.com/agnt2/agnt2/agnt2-engine/enginetest"
	"github.com/agnt2/agnt2/client"
)

// TestChannelDemo runs the demo, and so the client, against an engine.
func TestChannelDemo(t *testing.T) {
	g := enginetest.Genesis(3)
	g.Policy.ChannelWindowSeconds = 60 // blocks of a second come fast here
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
				time.Sleep(30 * time.Millisecond) // a block takes in what is sent while it is built
				if _, err := driver.Finish(id); err != nil {
					return err
				}
			}
			return nil
		}()
	}()
	c, err := client.Dial(ctx, client.Config{RPC: "http://" + node.Addr("http"), PollInterval: 20 * time.Millisecond})
	require.NoError(t, err)
	defer c.Close()
	var out bytes.Buffer
	d := &channelDemo{
		report: &report{out: &out}, c: c,
		payer: c.Account(enginetest.Key(0)), payee: c.Account(enginetest.Key(1)), watchtower: c.Account(enginetest.Key(2)),
	}
	for range 2 { // it can be run again
		require.NoError(t, d.run(ctx), out.String())
	}
	t.Log(out.String())
}
