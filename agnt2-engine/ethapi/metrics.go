package ethapi

import (
	"context"
	"reflect"
	"strconv"
	"time"
	"unicode"

	"github.com/ethereum/go-ethereum/rpc"
	"github.com/prometheus/client_golang/prometheus"
)

// metrics count requests by method. Names that a client makes up are counted together: a label per name would let
// anyone fill the registry.
type metrics struct {
	methods  map[string]struct{}
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	refused  *prometheus.CounterVec
	reg      prometheus.Registerer
}

// otherMethod labels what is not a method of this API: also the engine namespace of a shared server.
const otherMethod = "other"

func newMetrics(a *API) *metrics {
	m := &metrics{
		methods: map[string]struct{}{},
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: "agnt2", Subsystem: "rpc", Name: "requests_total", Help: "JSON-RPC requests by server, method and error code (0: success).",
		}, []string{"server", "method", "code"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: "agnt2", Subsystem: "rpc", Name: "request_seconds", Help: "Time to answer a JSON-RPC request, in seconds.",
			Buckets: prometheus.ExponentialBuckets(0.0001, 4, 10),
		}, []string{"server", "method"}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: "agnt2", Subsystem: "rpc", Name: "refused_total", Help: "HTTP requests and connections refused because a limit was reached.",
		}, []string{"server"}),
		reg: a.cfg.Registerer,
	}
	for _, api := range a.APIs() {
		t := reflect.TypeOf(api.Service)
		for i := range t.NumMethod() {
			name := []rune(t.Method(i).Name)
			name[0] = unicode.ToLower(name[0])
			m.methods[api.Namespace+"_"+string(name)] = struct{}{}
		}
	}
	m.methods["eth_subscribe"], m.methods["eth_unsubscribe"] = struct{}{}, struct{}{}
	if m.reg != nil {
		m.reg.MustRegister(m.requests, m.seconds, m.refused)
	}
	return m
}

// watch exports the hub's sizes.
func (m *metrics) watch(h *hub) {
	if m.reg == nil {
		return
	}
	gauge := func(name, help string, value func() int) {
		m.reg.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: "agnt2", Subsystem: "rpc", Name: name, Help: help},
			func() float64 { return float64(value()) }))
	}
	gauge("subscriptions", "Live eth_subscribe subscriptions.", func() int { n, _ := h.counts(); return n })
	gauge("filters", "Installed filters.", func() int { _, n := h.counts(); return n })
}

// Recorder counts the requests of one server; pass it to rpc.Server.SetRecorder. name labels the server, as "http",
// "ws" or "auth".
func (a *API) Recorder(name string) rpc.Recorder { return &recorder{m: a.m, server: name} }

type recorder struct {
	m      *metrics
	server string
}

func (r *recorder) RecordIncoming(_ context.Context, msg rpc.RecordedMsg) rpc.RecordDone {
	method := msg.MsgMethod()
	if _, known := r.m.methods[method]; !known {
		method = otherMethod
	}
	start := time.Now()
	return func(_ context.Context, _, output rpc.RecordedMsg) {
		code := 0
		if output != nil && !isNil(output) {
			if e := output.MsgError(); e != nil {
				code = e.Code
			}
		}
		r.m.seconds.WithLabelValues(r.server, method).Observe(time.Since(start).Seconds())
		r.m.requests.WithLabelValues(r.server, method, strconv.Itoa(code)).Inc()
	}
}

// isNil: the rpc package passes a typed nil for requests without an answer.
func isNil(msg rpc.RecordedMsg) bool {
	v := reflect.ValueOf(msg)
	return v.Kind() == reflect.Pointer && v.IsNil()
}

func (r *recorder) RecordOutgoing(context.Context, rpc.RecordedMsg) rpc.RecordDone { return nil }
