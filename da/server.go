// Package da is AGNT2's data-availability server: OP's Alt-DA HTTP interface with AGNT2's commitments for batches, and a
// payload store for the params and results of interactions (AGNT2 paper §4.5; OP specs, "Alt-DA mode").
//
// What it must never do: serve, for a commitment, data that says something else. Data that does not match is withheld.
//
//	POST /put            one frame → 0x01 ‖ commitment; on a port of its own if PutAddr is set
//	GET  /get/0x01…      the frame; 503 while it cannot be served, and one byte that derivation skips for what is no
//	                     commitment of this chain and so never will be
//	POST /payload        bytes → {"hash", "length", "pointer"}
//	GET  /payload/0x…    the bytes with that keccak256; HEAD tells whether they are there
//	GET  /healthz, /metrics
package da

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/log"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/agnt2/agnt2/agnt2/manifest"
	"github.com/agnt2/agnt2/agnt2/manifest/frames"
)

// MinRetention is the shortest time for which anything is kept: the longest challenge window of the paper (4 h) and an hour
// for its last move.
const MinRetention = 5 * time.Hour

// Config of a Server.
type Config struct {
	Addr            string // host:port
	PutAddr         string // host:port that takes batches instead of Addr; a frame put by a stranger can block a channel
	DataDir         string
	Chain           frames.Chain
	L2RPC           string        // engine that SEALs' claims come from; empty: nothing is claimed
	Retention       time.Duration // at least MinRetention
	MaxBlobBytes    int64         // of one frame with its version byte
	MaxPayloadBytes int64
	MaxRequests     int // at the same time; further ones get 503
	Log             log.Logger
}

// DefaultConfig has every bound; the rest is the caller's.
func DefaultConfig() Config {
	return Config{
		Addr: "127.0.0.1:3100", Retention: 7 * 24 * time.Hour, MaxBlobBytes: 1 << 20, MaxPayloadBytes: 1 << 20, MaxRequests: 256,
		Log: log.Root(),
	}
}

// Server is a running DA server.
type Server struct {
	cfg      Config
	channels *channels
	payloads *FileStore
	http     *http.Server
	listener net.Listener
	putHTTP  *http.Server // nil: batches are put on the same port
	putLn    net.Listener
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	bytes    *prometheus.CounterVec
	stop     context.CancelFunc
	failed   chan error
}

// skippable is what derivation reads as an empty batch transaction: version byte 0 without a frame.
var skippable = []byte{0}

// New opens the data directory and serves.
func New(cfg Config) (*Server, error) {
	if cfg.Retention < MinRetention {
		return nil, fmt.Errorf("retention %s is below %s, the longest challenge window", cfg.Retention, MinRetention)
	}
	blobs, err := NewFileStore(filepath.Join(cfg.DataDir, "blobs"))
	if err != nil {
		return nil, err
	}
	payloads, err := NewFileStore(filepath.Join(cfg.DataDir, "payloads"))
	if err != nil {
		return nil, err
	}
	var claims *Claims
	if cfg.L2RPC != "" {
		if claims, err = NewClaims(cfg.L2RPC); err != nil {
			return nil, err
		}
	}
	ch, err := newChannels(filepath.Join(cfg.DataDir, "channels"), blobs, cfg.Chain, claims, cfg.Log)
	if err != nil {
		return nil, err
	}
	s := &Server{
		cfg: cfg, channels: ch, payloads: payloads, failed: make(chan error, 2),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "agnt2_da_requests_total", Help: "Requests by route and status code."}, []string{"route", "code"}),
		seconds:  prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "agnt2_da_request_seconds", Help: "Time to answer by route."}, []string{"route"}),
		bytes:    prometheus.NewCounterVec(prometheus.CounterOpts{Name: "agnt2_da_bytes_total", Help: "Bytes stored and served by route."}, []string{"route"}),
	}
	if s.listener, err = net.Listen("tcp", cfg.Addr); err != nil {
		return nil, err
	}
	public, batches := s.handlers()
	if cfg.PutAddr != "" {
		if s.putLn, err = net.Listen("tcp", cfg.PutAddr); err != nil {
			s.listener.Close()
			return nil, err
		}
		s.putHTTP = newHTTPServer(batches)
		go s.serve(s.putHTTP, s.putLn)
	} else {
		public.Handle("POST /put", batches)
		public.Handle("POST /put/", batches)
	}
	s.http = newHTTPServer(public)
	ctx, stop := context.WithCancel(context.Background())
	s.stop = stop
	go s.pruneLoop(ctx)
	go s.serve(s.http, s.listener)
	cfg.Log.Info("DA server listening", "addr", s.Addr(), "dir", cfg.DataDir, "retention", cfg.Retention)
	return s, nil
}

func newHTTPServer(h http.Handler) *http.Server {
	return &http.Server{
		Handler: h, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: time.Minute, WriteTimeout: time.Minute,
		IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
	}
}

func (s *Server) serve(h *http.Server, l net.Listener) {
	if err := h.Serve(l); err != nil && !errors.Is(err, http.ErrServerClosed) {
		s.failed <- err
	}
}

// Addr is where the server listens.
func (s *Server) Addr() string { return s.listener.Addr().String() }

// Failed delivers the error of a server that stopped serving.
func (s *Server) Failed() <-chan error { return s.failed }

// Close finishes running requests.
func (s *Server) Close() error {
	s.stop()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	err := s.http.Shutdown(ctx)
	if s.putHTTP != nil {
		err = errors.Join(err, s.putHTTP.Shutdown(ctx))
	}
	return err
}

// handlers returns what strangers may use and what only the batcher may.
func (s *Server) handlers() (public, batches *http.ServeMux) {
	registry := prometheus.NewRegistry()
	registry.MustRegister(s.requests, s.seconds, s.bytes, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	public, batches = http.NewServeMux(), http.NewServeMux()
	slots := make(chan struct{}, s.cfg.MaxRequests)
	route := func(mux *http.ServeMux, pattern, name string, f func(http.ResponseWriter, *http.Request) error) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			began := time.Now()
			rec := &recorder{ResponseWriter: w, code: http.StatusOK}
			select {
			case slots <- struct{}{}:
				defer func() { <-slots }()
				if err := f(rec, r); err != nil {
					s.fail(rec, r, err)
				}
			default:
				http.Error(rec, "too many requests are being served: try again", http.StatusServiceUnavailable)
			}
			s.requests.WithLabelValues(name, strconv.Itoa(rec.code)).Inc()
			s.seconds.WithLabelValues(name).Observe(time.Since(began).Seconds())
			s.bytes.WithLabelValues(name).Add(float64(rec.bytes + max(r.ContentLength, 0)))
		})
	}
	route(batches, "POST /put", "put", s.put)
	route(batches, "POST /put/", "put", s.put)
	route(public, "GET /get/{key}", "get", s.get)
	route(public, "POST /payload", "putPayload", s.putPayload)
	route(public, "GET /payload/{hash}", "getPayload", s.getPayload)
	public.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	public.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		// A disk that takes nothing is the one way in which this server fails while it answers.
		probe := filepath.Join(s.cfg.DataDir, ".health")
		if err := os.WriteFile(probe, nil, 0o644); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, `{"status":"ok"}`)
	})
	return public, batches
}

// recorder notes what was answered.
type recorder struct {
	http.ResponseWriter
	code  int
	bytes int64
}

func (r *recorder) WriteHeader(code int) { r.code = code; r.ResponseWriter.WriteHeader(code) }
func (r *recorder) Write(b []byte) (int, error) {
	n, err := r.ResponseWriter.Write(b)
	r.bytes += int64(n)
	return n, err
}

// badRequest is an error of the caller's.
type badRequest struct{ error }

func (b badRequest) Unwrap() error { return b.error }

func (s *Server) fail(w http.ResponseWriter, r *http.Request, err error) {
	code := http.StatusInternalServerError
	var tooLarge *http.MaxBytesError
	var bad badRequest
	switch {
	case errors.As(err, &tooLarge):
		code = http.StatusRequestEntityTooLarge
		err = fmt.Errorf("body exceeds %d bytes", tooLarge.Limit)
	case errors.As(err, &bad), errors.Is(err, frames.ErrNotOneFrame), errors.Is(err, frames.ErrBatch), errors.Is(err, frames.ErrFrameSequence),
		errors.Is(err, frames.ErrChannelTooLarge), errors.Is(err, frames.ErrBlockSequence), errors.Is(err, frames.ErrNotProvable),
		errors.Is(err, manifest.ErrFrameNumber), errors.Is(err, manifest.ErrBlockRange):
		code = http.StatusBadRequest
	case errors.Is(err, ErrFrameConflict):
		code = http.StatusConflict
	case errors.Is(err, ErrFramesMissing), errors.Is(err, ErrNotFound), errors.Is(err, ErrCorrupt): // putting them again helps
		code = http.StatusServiceUnavailable
	}
	if code == http.StatusInternalServerError {
		s.cfg.Log.Error("Request failed", "method", r.Method, "path", r.URL.Path, "err", err)
	}
	http.Error(w, err.Error(), code)
}

func (s *Server) put(w http.ResponseWriter, r *http.Request) error {
	data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, s.cfg.MaxBlobBytes))
	if err != nil {
		return err
	}
	c, err := s.channels.put(r.Context(), data)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	_, _ = w.Write(manifest.Key(c)) // a client that hung up asks again and gets the same
	return nil
}

func (s *Server) get(w http.ResponseWriter, r *http.Request) error {
	key, err := hexutil.Decode(r.PathValue("key"))
	if err != nil {
		return badRequest{fmt.Errorf("key: %w", err)}
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	c, err := manifest.DecodeKey(key)
	if err != nil { // every server says the same of it for ever, so a node may go on
		s.cfg.Log.Warn("Asked for what is no commitment", "key", hexutil.Bytes(key), "err", err)
		_, _ = w.Write(skippable)
		return nil
	}
	data, err := s.channels.get(r.Context(), c)
	if err != nil {
		// Undecided: the data may still turn up, or the submission expires. A node must wait, not skip.
		s.cfg.Log.Warn("Data is withheld", "channel", fmt.Sprintf("%x", c.FrameRef().Channel), "frame", c.FrameRef().Number, "err", err)
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return nil
	}
	_, _ = w.Write(data)
	return nil
}

// stored answers POST /payload.
type stored struct {
	Hash    common.Hash `json:"hash"`
	Length  int         `json:"length"`
	Pointer common.Hash `json:"pointer"`
}

func (s *Server) putPayload(w http.ResponseWriter, r *http.Request) error {
	data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, s.cfg.MaxPayloadBytes))
	if err != nil {
		return err
	}
	h, err := s.payloads.Put(r.Context(), data)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	return json.NewEncoder(w).Encode(stored{Hash: h, Length: len(data), Pointer: h})
}

func (s *Server) getPayload(w http.ResponseWriter, r *http.Request) error {
	raw, err := hexutil.Decode(r.PathValue("hash"))
	if err != nil || len(raw) != common.HashLength {
		return badRequest{fmt.Errorf("%q is not a 32-byte hash", r.PathValue("hash"))}
	}
	h := common.BytesToHash(raw)
	notFound := func(err error) error {
		if errors.Is(err, ErrNotFound) || errors.Is(err, ErrCorrupt) {
			http.Error(w, err.Error(), http.StatusNotFound)
			return nil
		}
		return err
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	if r.Method == http.MethodHead {
		n, err := s.payloads.size(h)
		if err != nil {
			return notFound(err)
		}
		w.Header().Set("Content-Length", strconv.FormatInt(n, 10))
		return nil
	}
	data, err := s.payloads.read(h)
	if err != nil {
		return notFound(err)
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(data)))
	_, _ = w.Write(data)
	return nil
}

// pruneLoop forgets what nobody can challenge any more.
func (s *Server) pruneLoop(ctx context.Context) {
	t := time.NewTicker(min(s.cfg.Retention/10, time.Hour))
	defer t.Stop()
	for {
		for _, sub := range []string{"blobs", "payloads", "channels"} {
			n, err := prune(filepath.Join(s.cfg.DataDir, sub), time.Now().Add(-s.cfg.Retention))
			if err != nil {
				s.cfg.Log.Error("Pruning failed", "dir", sub, "err", err)
			} else if n > 0 {
				s.cfg.Log.Info("Pruned", "dir", sub, "files", n)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
	}
}
