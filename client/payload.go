package client

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/agnt2/agnt2/agnt2/abi"
)

// MaxPayloadBytes bounds what this package sends to or reads from a payload store.
const MaxPayloadBytes = 16 << 20

// BackendLocal is DAPointer.backend for the DA server's own payload store, found by content hash alone.
const BackendLocal = 1

// PayloadStore keeps params and results off-chain by keccak256 (AGNT2 paper §4.5). Implementations are safe for
// concurrent use; Get of an unknown hash wraps ErrPayloadNotFound.
type PayloadStore interface {
	Put(ctx context.Context, payload []byte) (common.Hash, error)
	Get(ctx context.Context, hash common.Hash) ([]byte, error)
}

// HTTPPayloads is the payload store of a DA server: POST {url}/payload, GET {url}/payload/0x{keccak256}.
type HTTPPayloads struct {
	url  string
	http *http.Client
}

var _ PayloadStore = (*HTTPPayloads)(nil)

// NewHTTPPayloads returns a store at a DA server's base URL; timeout bounds one request.
func NewHTTPPayloads(url string, timeout time.Duration) *HTTPPayloads {
	return &HTTPPayloads{url: strings.TrimRight(url, "/"), http: &http.Client{Timeout: timeout}}
}

// Put stores a payload and returns its keccak256, having checked that the server computed the same.
func (s *HTTPPayloads) Put(ctx context.Context, payload []byte) (common.Hash, error) {
	want := crypto.Keccak256Hash(payload)
	if len(payload) > MaxPayloadBytes {
		return want, fmt.Errorf("put payload %v: %w: %d bytes, at most %d", want, ErrPayloadTooLarge, len(payload), MaxPayloadBytes)
	}
	body, err := s.do(ctx, http.MethodPost, s.url+"/payload", payload)
	if err != nil {
		return want, fmt.Errorf("put payload %v: %w", want, err)
	}
	var answer struct {
		Hash common.Hash `json:"hash"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return want, fmt.Errorf("put payload %v: answer: %w", want, err)
	}
	if answer.Hash != want {
		return want, fmt.Errorf("put payload %v: %w: server says %v", want, ErrPayloadHash, answer.Hash)
	}
	return want, nil
}

// Get fetches a payload and checks its hash.
func (s *HTTPPayloads) Get(ctx context.Context, hash common.Hash) ([]byte, error) {
	body, err := s.do(ctx, http.MethodGet, s.url+"/payload/"+hash.Hex(), nil)
	if err != nil {
		return nil, fmt.Errorf("get payload %v: %w", hash, err)
	}
	if got := crypto.Keccak256Hash(body); got != hash {
		return nil, fmt.Errorf("get payload %v: %w: got %v", hash, ErrPayloadHash, got)
	}
	return body, nil
}

func (s *HTTPPayloads) do(ctx context.Context, method, url string, payload []byte) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(payload))
	if err != nil {
		return nil, err
	}
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/octet-stream")
	}
	res, err := s.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, MaxPayloadBytes+1))
	switch {
	case err != nil:
		return nil, err
	case res.StatusCode == http.StatusNotFound:
		return nil, ErrPayloadNotFound
	case res.StatusCode/100 != 2:
		return nil, fmt.Errorf("%s: %s", res.Status, bytes.TrimSpace(body[:min(len(body), 200)]))
	case len(body) > MaxPayloadBytes:
		return nil, fmt.Errorf("%w: more than %d bytes", ErrPayloadTooLarge, MaxPayloadBytes)
	}
	return body, nil
}

// put stores a payload and returns the pointer that goes on-chain.
func (c *Client) put(ctx context.Context, payload []byte) (abi.DAPointer, error) {
	if c.payloads == nil {
		return abi.DAPointer{}, ErrNoPayloadStore
	}
	hash, err := c.payloads.Put(ctx, payload)
	if err != nil {
		return abi.DAPointer{}, err
	}
	if want := crypto.Keccak256Hash(payload); hash != want {
		return abi.DAPointer{}, fmt.Errorf("put payload %v: %w: store says %v", want, ErrPayloadHash, hash)
	}
	return abi.DAPointer{ContentHash: hash, LengthBytes: uint32(len(payload)), Backend: BackendLocal}, nil
}

// Payload fetches what a hash names. Whatever the store answers, the bytes returned have that hash.
func (c *Client) Payload(ctx context.Context, hash common.Hash) ([]byte, error) {
	if c.payloads == nil {
		return nil, ErrNoPayloadStore
	}
	p, err := c.payloads.Get(ctx, hash)
	if err != nil {
		return nil, err
	}
	if got := crypto.Keccak256Hash(p); got != hash {
		return nil, fmt.Errorf("get payload %v: %w: got %v", hash, ErrPayloadHash, got)
	}
	return p, nil
}
