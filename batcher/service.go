package batcher

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ethereum-optimism/optimism/op-batcher/batcher"
	"github.com/ethereum-optimism/optimism/op-service/txmgr"
	"github.com/ethereum/go-ethereum/ethclient"
	"github.com/ethereum/go-ethereum/log"
)

// NewService is op-batcher with an InboxTxManager. It is not started. closeApp is what op-batcher calls on an error that it
// cannot live with.
func NewService(ctx context.Context, closeApp context.CancelCauseFunc, version string, cfg *batcher.CLIConfig, l log.Logger) (*batcher.BatcherService, error) {
	return newService(ctx, closeApp, version, cfg, l, resyncPause)
}

func newService(ctx context.Context, closeApp context.CancelCauseFunc, version string, cfg *batcher.CLIConfig, l log.Logger, pause time.Duration) (*batcher.BatcherService, error) {
	l1, err := ethclient.DialContext(ctx, cfg.L1EthRpc) // for as long as the process lives
	if err != nil {
		return nil, fmt.Errorf("connect to L1: %w", err)
	}
	// op-batcher shows its driver in no other way than as this handle; only its Start and Stop are used, as the admin RPC does.
	var driver *batcher.TestBatchSubmitter
	var inner *txmgr.SimpleTxManager
	var innerErr error
	service, err := batcher.BatcherServiceFromCLIConfig(ctx, closeApp, version, cfg, l, func(s *batcher.DriverSetup) {
		// OP's manager again, as op-batcher makes it, on another backend.
		var conf *txmgr.Config
		if conf, innerErr = txmgr.NewConfig(cfg.TxMgrConfig, l); innerErr != nil {
			return
		}
		conf.Backend = &PendingBackend{ETHBackend: conf.Backend, Pending: l1, Inbox: s.RollupConfig.BatchInboxAddress}
		if inner, innerErr = txmgr.NewSimpleTxManagerFromConfig("batcher", l, s.Metr, conf); innerErr != nil {
			return
		}
		s.Txmgr = NewInboxTxManager(inner, s.RollupConfig.BatchInboxAddress, l1, l, func() { resync(driver, inner.IsClosed, l, pause) })
	})
	if err = errors.Join(err, innerErr); err != nil {
		l1.Close()
		return nil, err
	}
	// The service closes its manager first when it stops; that must be the one in use.
	service.TxManager.Close()
	service.TxManager = inner
	driver = service.TestDriver() // before anything is sent: the service is not started yet
	return service, nil
}
