package engine

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/agnt2/vm"
)

// ErrPayloadUnavailable: the result that a RESPOND names cannot be fetched, so it would be paid for and never delivered
// (AGNT2 paper App. F.3). Put the payload into the DA server's payload store first.
var ErrPayloadUnavailable = errors.New("result payload is not in the payload store: put it there before RESPOND")

const (
	localBackend    = 1
	precheckTimeout = 2 * time.Second
)

// newPreCheck refuses transactions that could only fail, and, if there is a DA server, OK responses whose result it does
// not have. This is mempool policy: blocks are valid without it.
func newPreCheck(daURL string) func(*abi.Transaction) error {
	client := &http.Client{Timeout: precheckTimeout, Transport: &http.Transport{MaxIdleConnsPerHost: 64, MaxConnsPerHost: 256}}
	daURL = strings.TrimSuffix(daURL, "/")
	return func(tx *abi.Transaction) error {
		if err := vm.CheckCall(tx); err != nil {
			return err
		}
		if daURL == "" || tx.To == nil || *tx.To != abi.Address {
			return nil
		}
		data := vm.Operation(tx.Data)
		if [4]byte(data) != abi.RespondSelector {
			return nil
		}
		c, err := abi.DecodeRespondCall(data[4:])
		if err != nil || c.Status != uint8(vm.OK) || c.Da.Backend != localBackend {
			return nil
		}
		ctx, cancel := context.WithTimeout(context.Background(), precheckTimeout)
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, http.MethodHead, daURL+"/payload/"+c.ResultHash.Hex(), nil)
		if err != nil {
			return err
		}
		resp, err := client.Do(req)
		if err != nil {
			return nil // a DA server that is down must not stop the chain: the interaction's rules hold without it
		}
		resp.Body.Close()
		if resp.StatusCode == http.StatusNotFound {
			return fmt.Errorf("%w: %s", ErrPayloadUnavailable, c.ResultHash)
		}
		return nil
	}
}
