package ethapi

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/ethereum/go-ethereum/rpc"
	"github.com/rs/cors"
)

// ServerConfig bounds one port. A zero field takes its value from DefaultServerConfig.
type ServerConfig struct {
	Name string // label in metrics: "http", "ws", …

	MaxBodyBytes          int // of one HTTP request or WebSocket message
	MaxBatchItems         int
	MaxBatchResponseBytes int

	MaxRequests    int           // HTTP requests served at the same time; further ones get 503
	MaxConnections int           // WebSocket connections; further ones get 503
	RequestTimeout time.Duration // of one HTTP request

	// Trusted marks the authenticated port: full blocks are served at once, however many strangers queue for theirs.
	Trusted bool

	// AnyOrigin lets web pages of any origin call the port: right for a public port, which holds no secrets and no
	// keys; never for one that trusts its callers.
	AnyOrigin bool

	// Routes are served beside the RPC at "/": /healthz, /metrics and the like.
	Routes map[string]http.Handler
}

// DefaultServerConfig returns the limits of a public port. The body limit fits a batch of the largest transactions.
func DefaultServerConfig() ServerConfig {
	return ServerConfig{
		Name:                  "http",
		MaxBodyBytes:          5 << 20,
		MaxBatchItems:         1000,
		MaxBatchResponseBytes: 25 << 20,
		MaxRequests:           1024,
		MaxConnections:        1024,
		RequestTimeout:        30 * time.Second,
	}
}

func (c ServerConfig) withDefaults() ServerConfig {
	d := DefaultServerConfig()
	orDefault(&c.Name, d.Name)
	orDefault(&c.MaxBodyBytes, d.MaxBodyBytes)
	orDefault(&c.MaxBatchItems, d.MaxBatchItems)
	orDefault(&c.MaxBatchResponseBytes, d.MaxBatchResponseBytes)
	orDefault(&c.MaxRequests, d.MaxRequests)
	orDefault(&c.MaxConnections, d.MaxConnections)
	orDefault(&c.RequestTimeout, d.RequestTimeout)
	return c
}

// NewServer returns an rpc.Server with the services and limits of a port. Stop it before closing the API.
func (a *API) NewServer(cfg ServerConfig, services []rpc.API) (*rpc.Server, error) {
	cfg = cfg.withDefaults()
	s := rpc.NewServer()
	s.SetBatchLimits(cfg.MaxBatchItems, cfg.MaxBatchResponseBytes)
	s.SetHTTPBodyLimit(cfg.MaxBodyBytes)
	s.SetWebsocketReadLimit(int64(cfg.MaxBodyBytes))
	s.SetRecorder(a.Recorder(cfg.Name))
	for _, x := range services {
		if e, ok := x.Service.(*ethAPI); ok {
			x.Service = &ethAPI{a: e.a, trusted: cfg.Trusted}
		}
		if err := s.RegisterName(x.Namespace, x.Service); err != nil {
			s.Stop()
			return nil, fmt.Errorf("rpc namespace %s: %w", x.Namespace, err)
		}
	}
	return s, nil
}

// NewHTTPHandler serves JSON-RPC over HTTP POST with a server from NewServer.
func (a *API) NewHTTPHandler(s *rpc.Server, cfg ServerConfig) http.Handler {
	cfg = cfg.withDefaults()
	timed := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), cfg.RequestTimeout)
		defer cancel()
		s.ServeHTTP(w, r.WithContext(ctx))
	})
	return cfg.mux(cfg.allowOrigins(a.limited(cfg.Name, cfg.MaxRequests, timed)))
}

// NewWSHandler serves JSON-RPC over WebSocket with a server from NewServer. Idle connections are pinged and dropped by
// the rpc package.
func (a *API) NewWSHandler(s *rpc.Server, cfg ServerConfig) http.Handler {
	cfg = cfg.withDefaults()
	var origins []string
	if cfg.AnyOrigin {
		origins = []string{"*"}
	}
	return cfg.mux(a.limited(cfg.Name, cfg.MaxConnections, s.WebsocketHandler(origins)))
}

// NewHTTPServer is an http.Server whose clients cannot hold a connection by being slow. It serves the handlers above;
// WebSocket connections leave its time-outs when they are upgraded.
func NewHTTPServer(h http.Handler) *http.Server {
	return &http.Server{
		Handler: h, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second, WriteTimeout: time.Minute,
		IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
	}
}

func (c *ServerConfig) mux(root http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", root)
	for path, h := range c.Routes {
		mux.Handle(path, h)
	}
	return mux
}

func (c *ServerConfig) allowOrigins(next http.Handler) http.Handler {
	if !c.AnyOrigin {
		return next
	}
	return cors.New(cors.Options{
		AllowedOrigins: []string{"*"}, AllowedMethods: []string{http.MethodPost, http.MethodGet}, AllowedHeaders: []string{"*"}, MaxAge: 600,
	}).Handler(next)
}

// limited refuses what exceeds a number of requests at the same time.
func (a *API) limited(name string, most int, next http.Handler) http.Handler {
	slots := make(chan struct{}, most)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case slots <- struct{}{}:
			defer func() { <-slots }()
			next.ServeHTTP(w, r)
		default:
			a.m.refused.WithLabelValues(name).Inc()
			w.Header().Set("Retry-After", "1")
			http.Error(w, "too many requests at the same time: retry in a moment", http.StatusServiceUnavailable)
		}
	})
}
