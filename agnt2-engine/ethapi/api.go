package ethapi

import (
	"context"
	"fmt"
	"math/big"
	"slices"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/log"
	"github.com/ethereum/go-ethereum/rpc"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/agnt2/agnt2/agnt2/record"
	"github.com/agnt2/agnt2/agnt2/reputation"
)

// Config bounds what a client can ask for. A zero field takes its value from DefaultConfig.
type Config struct {
	ClientVersion string // web3_clientVersion

	MaxLogBlocks  uint64 // blocks that one eth_getLogs or eth_getFilterLogs may span
	MaxLogResults int    // logs that one answer may hold, and entries that one filter may accumulate

	MaxFilters   int           // filters of all clients together
	FilterExpiry time.Duration // a filter that nobody polls for that long is removed

	MaxSubscriptions              int // of all connections together
	MaxSubscriptionsPerConnection int
	SubscriptionQueue             int // events that may wait for one slow subscriber before its connection is closed

	MaxFeeHistoryBlocks int // blocks of one eth_feeHistory
	MaxFeeRewardBlocks  int // the same when percentiles are asked for, which needs every receipt

	SyncTimeout    time.Duration // default wait of eth_sendRawTransactionSync
	MaxSyncTimeout time.Duration
	MaxSyncWaiters int

	CallTimeout  time.Duration // one dry run, log query or fee history
	MaxReads     int           // of those, and of full blocks, running at the same time; further ones wait
	MaxReadQueue int           // of those waiting; further ones are refused

	MaxPoolContent int // transactions in one txpool_content or txpool_inspect

	// Score computes a reputation score in 1/10000 at a time in Unix seconds; reputation.Score unless a test replaces it.
	Score func(r *record.Reputation, now uint64, halfLifeSeconds uint32) uint64

	Registerer prometheus.Registerer // nil: no metrics are exported
	Log        log.Logger            // nil: the root logger
}

// DefaultConfig returns the limits of a public endpoint.
func DefaultConfig() Config {
	return Config{
		ClientVersion:                 "agnt2-engine",
		MaxLogBlocks:                  10_000,
		MaxLogResults:                 10_000,
		MaxFilters:                    1_000,
		FilterExpiry:                  5 * time.Minute,
		MaxSubscriptions:              10_000,
		MaxSubscriptionsPerConnection: 64,
		SubscriptionQueue:             256,
		MaxFeeHistoryBlocks:           1024,
		MaxFeeRewardBlocks:            128,
		SyncTimeout:                   2 * time.Second,
		MaxSyncTimeout:                10 * time.Second,
		MaxSyncWaiters:                4096,
		CallTimeout:                   5 * time.Second,
		MaxReads:                      16,
		MaxReadQueue:                  1024,
		MaxPoolContent:                10_000,
		Score:                         reputation.Score,
	}
}

func (c Config) withDefaults() Config {
	d := DefaultConfig()
	orDefault(&c.ClientVersion, d.ClientVersion)
	orDefault(&c.MaxLogBlocks, d.MaxLogBlocks)
	orDefault(&c.MaxLogResults, d.MaxLogResults)
	orDefault(&c.MaxFilters, d.MaxFilters)
	orDefault(&c.FilterExpiry, d.FilterExpiry)
	orDefault(&c.MaxSubscriptions, d.MaxSubscriptions)
	orDefault(&c.MaxSubscriptionsPerConnection, d.MaxSubscriptionsPerConnection)
	orDefault(&c.SubscriptionQueue, d.SubscriptionQueue)
	orDefault(&c.MaxFeeHistoryBlocks, d.MaxFeeHistoryBlocks)
	orDefault(&c.MaxFeeRewardBlocks, d.MaxFeeRewardBlocks)
	orDefault(&c.SyncTimeout, d.SyncTimeout)
	orDefault(&c.MaxSyncTimeout, d.MaxSyncTimeout)
	orDefault(&c.MaxSyncWaiters, d.MaxSyncWaiters)
	orDefault(&c.CallTimeout, d.CallTimeout)
	orDefault(&c.MaxReads, d.MaxReads)
	orDefault(&c.MaxReadQueue, d.MaxReadQueue)
	orDefault(&c.MaxPoolContent, d.MaxPoolContent)
	if c.Score == nil {
		c.Score = d.Score
	}
	if c.Log == nil {
		c.Log = log.Root()
	}
	return c
}

func orDefault[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}

// API is the JSON-RPC surface. It may be registered with several servers. Close it when they have stopped.
type API struct {
	b      Backend
	cfg    Config
	signer types.Signer
	hub    *hub
	reads  *gate
	syncs  *gate
	proofs *gate // of whole blocks: a prover does not queue behind everybody's reads
	fees   *feeCache
	m      *metrics
}

// New starts following the backend's heads and pool.
func New(b Backend, cfg Config) *API {
	cfg = cfg.withDefaults()
	a := &API{
		b:      b,
		cfg:    cfg,
		signer: types.LatestSignerForChainID(b.ChainConfig().ChainID), // as agnt2/abi, so that cached senders are shared
		reads:  newGate(cfg.MaxReads, cfg.MaxReadQueue),
		syncs:  newGate(cfg.MaxSyncWaiters, 0),
		proofs: newGate(witnessesAtOnce, witnessQueue),
		fees:   newFeeCache(),
	}
	a.m = newMetrics(a)
	a.hub = newHub(b, cfg, a.m)
	return a
}

// Close ends all filters and subscriptions.
func (a *API) Close() { a.hub.close() }

// APIs lists the services for registration with rpc.Server. With names, only those namespaces: a port that strangers can
// reach should leave out "miner", whose one method throttles the sequencer.
func (a *API) APIs(namespaces ...string) []rpc.API {
	all := []rpc.API{
		{Namespace: "eth", Service: &ethAPI{a: a}},
		{Namespace: "net", Service: &netAPI{a}},
		{Namespace: "web3", Service: &web3API{a}},
		{Namespace: "txpool", Service: &txPoolAPI{a}},
		{Namespace: "miner", Service: &minerAPI{a}},
		{Namespace: "agnt2", Service: &agnt2API{a}},
	}
	if len(namespaces) == 0 {
		return all
	}
	return slices.DeleteFunc(all, func(x rpc.API) bool { return !slices.Contains(namespaces, x.Namespace) })
}

// The services keep the API in a field, not embedded: every exported method of a service becomes a JSON-RPC method.
type (
	ethAPI struct {
		a       *API
		trusted bool // full blocks do not queue behind other clients' reads
	}
	netAPI    struct{ a *API }
	web3API   struct{ a *API }
	txPoolAPI struct{ a *API }
	minerAPI  struct{ a *API }
	agnt2API  struct{ a *API }
)

func (a *API) head() (*types.Header, error) {
	h := a.b.HeaderByNumber(rpc.LatestBlockNumber)
	if h == nil {
		return nil, errHeaderNotFound
	}
	return h, nil
}

// header resolves a method's block argument; absent means latest.
func (a *API) header(at *rpc.BlockNumberOrHash) (*types.Header, error) {
	if at == nil {
		return a.head()
	}
	if hash, ok := at.Hash(); ok {
		h := a.b.HeaderByHash(hash)
		if h == nil {
			return nil, errHashNotFound
		}
		if at.RequireCanonical && a.b.CanonicalHash(h.Number.Uint64()) != hash {
			return nil, errNotCanonical
		}
		return h, nil
	}
	number, ok := at.Number()
	if !ok {
		return a.head()
	}
	return a.headerByNumber(number)
}

func (a *API) headerByNumber(number rpc.BlockNumber) (*types.Header, error) {
	if h := a.b.HeaderByNumber(number); h != nil {
		return h, nil
	}
	switch number {
	case rpc.SafeBlockNumber:
		return nil, errSafeNotFound
	case rpc.FinalizedBlockNumber:
		return nil, errFinalizedNotFound
	}
	return nil, errHeaderNotFound
}

// records opens the state of a block.
func (a *API) records(at *rpc.BlockNumberOrHash) (Records, *types.Header, error) {
	h, err := a.header(at)
	if err != nil {
		return nil, nil, err
	}
	r, err := a.recordsOf(h)
	return r, h, err
}

func (a *API) recordsOf(h *types.Header) (Records, error) {
	r, err := a.b.RecordsAt(h)
	if err != nil {
		return nil, fmt.Errorf("block %d: %w", h.Number, err)
	}
	return r, nil
}

// account reads an account; an absent record is all zeros.
func account(r Records, who common.Address) (record.Account, error) {
	return readOr(r, record.AccountKey(who), record.DecodeAccount)
}

// readOr decodes a record, or returns the zero record if it is absent.
func readOr[T any](r Records, key record.Key, decode func([]byte) (T, error)) (x T, err error) {
	raw := r.Get(key)
	if raw == nil {
		return x, nil
	}
	return decodeRecord(key, raw, decode)
}

// read decodes a record; nil if it is absent.
func read[T any](r Records, key record.Key, decode func([]byte) (T, error)) (*T, error) {
	raw := r.Get(key)
	if raw == nil {
		return nil, nil
	}
	x, err := decodeRecord(key, raw, decode)
	return &x, err
}

func decodeRecord[T any](key record.Key, raw []byte, decode func([]byte) (T, error)) (T, error) {
	x, err := decode(raw)
	if err != nil {
		return x, &rpcError{code: codeInternal, msg: fmt.Sprintf("record %v: %v", key, err)}
	}
	return x, nil
}

// sender of a transaction; go-ethereum caches it inside the transaction.
func (a *API) sender(tx *types.Transaction) common.Address {
	from, err := types.Sender(a.signer, tx)
	if err != nil { // cannot be part of a block or of the pool
		return common.Address{}
	}
	return from
}

// effectiveGasPrice is what a transaction pays per gas, in wei, at a base fee.
func effectiveGasPrice(tx *types.Transaction, baseFee *big.Int) *big.Int {
	if tx.IsDepositTx() {
		return new(big.Int)
	}
	if baseFee == nil {
		return tx.GasFeeCap()
	}
	price := new(big.Int).Add(tx.GasTipCap(), baseFee)
	if tx.GasFeeCapIntCmp(price) < 0 {
		return tx.GasFeeCap()
	}
	return price
}

// bounded runs an expensive read with the API's time and concurrency limits.
func (a *API) bounded(ctx context.Context) (context.Context, context.CancelFunc, error) {
	ctx, cancel := context.WithTimeout(ctx, a.cfg.CallTimeout)
	if err := a.reads.enter(ctx); err != nil {
		cancel()
		return nil, nil, err
	}
	return ctx, func() { a.reads.leave(); cancel() }, nil
}
