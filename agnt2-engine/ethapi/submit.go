package ethapi

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/crypto"
)

// submit refuses what is too large for anybody to look at; everything else is the pool's to judge.
func (e *ethAPI) submit(ctx context.Context, raw []byte) error {
	if len(raw) > abi.MaxTransactionBytes {
		return fmt.Errorf("%w: %d bytes, at most %d", abi.ErrTooLarge, len(raw), abi.MaxTransactionBytes)
	}
	return e.a.b.SubmitTransaction(ctx, raw)
}

// SendRawTransaction implements eth_sendRawTransaction.
func (e *ethAPI) SendRawTransaction(ctx context.Context, raw hexutil.Bytes) (common.Hash, error) {
	if err := e.submit(ctx, raw); err != nil {
		return common.Hash{}, err
	}
	return crypto.Keccak256Hash(raw), nil
}

// Milliseconds is a duration as a JSON number or a hex quantity.
type Milliseconds uint64

func (m *Milliseconds) UnmarshalJSON(raw []byte) error {
	s := strings.Trim(string(raw), `"`)
	v, err := strconv.ParseUint(s, 0, 64)
	if err != nil {
		return fmt.Errorf("timeout %.32q is not a number of milliseconds", s)
	}
	*m = Milliseconds(v)
	return nil
}

// syncWait is the time to wait for: the default if none is asked for, cut at the maximum.
func (c *Config) syncWait(asked *Milliseconds) time.Duration {
	if asked == nil || *asked == 0 {
		return c.SyncTimeout
	}
	if *asked > Milliseconds(c.MaxSyncTimeout/time.Millisecond) {
		return c.MaxSyncTimeout
	}
	return time.Duration(*asked) * time.Millisecond
}

// SendRawTransactionSync implements eth_sendRawTransactionSync (EIP-7966): submits and answers with the receipt, or
// after the timeout with error 4 and the transaction's hash as data.
func (e *ethAPI) SendRawTransactionSync(ctx context.Context, raw hexutil.Bytes, timeout *Milliseconds) (json.RawMessage, error) {
	if err := e.a.syncs.enter(ctx); err != nil {
		return nil, err
	}
	defer e.a.syncs.leave()
	// Listening starts before submission, so no head can be missed. One slot is enough: a head that finds it full has
	// a look-up still to come.
	l, err := e.a.hub.listen(topicHeads, nil, 1)
	if err != nil {
		return nil, err
	}
	defer e.a.hub.unlisten(topicHeads, l, nil)
	if err := e.submit(ctx, raw); err != nil {
		return nil, err
	}
	hash, wait := crypto.Keccak256Hash(raw), e.a.cfg.syncWait(timeout)
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for {
		if r := e.a.receipt(hash); r != nil {
			return r, nil
		}
		select {
		case <-l.ch:
		case <-timer.C:
			return nil, syncTimeout(hash, wait)
		case <-ctx.Done():
			return nil, syncTimeout(hash, wait)
		case <-e.a.hub.quit:
			return nil, errClosed
		}
	}
}
