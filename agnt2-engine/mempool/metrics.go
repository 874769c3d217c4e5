package mempool

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

const metricsNamespace = "agnt2_mempool"

type metrics struct {
	added, promoted, eventsDropped prometheus.Counter
	rejected, removed              *prometheus.CounterVec
	taken                          prometheus.Counter
	journalSyncs, journalFailures  prometheus.Counter
	journalRewrites, journalBytes  prometheus.Counter
}

func newMetrics(reg prometheus.Registerer, p *Pool) *metrics {
	f := promauto.With(reg)
	counter := func(name, help string) prometheus.Counter {
		return f.NewCounter(prometheus.CounterOpts{Namespace: metricsNamespace, Name: name, Help: help})
	}
	vec := func(name, help string) *prometheus.CounterVec {
		return f.NewCounterVec(prometheus.CounterOpts{Namespace: metricsNamespace, Name: name, Help: help}, []string{"reason"})
	}
	gauge := func(name, help string, read func() float64) {
		f.NewGaugeFunc(prometheus.GaugeOpts{Namespace: metricsNamespace, Name: name, Help: help}, func() float64 {
			p.mu.RLock()
			defer p.mu.RUnlock()
			return read()
		})
	}
	gauge("pending", "executable transactions", func() float64 { return float64(p.pending) })
	gauge("queued", "transactions that wait for a nonce or funds", func() float64 { return float64(len(p.all) - p.pending) })
	gauge("bytes", "encoded size of all transactions", func() float64 { return float64(p.bytes) })
	gauge("senders", "senders with transactions", func() float64 { return float64(len(p.order)) })
	gauge("cursors", "open blocks that take transactions", func() float64 { return float64(len(p.cursors)) })
	f.NewGaugeFunc(prometheus.GaugeOpts{Namespace: metricsNamespace, Name: "inflight_bytes", Help: "transactions being admitted"},
		func() float64 { return float64(p.inflight.Load()) })
	return &metrics{
		added:           counter("added_total", "accepted transactions, replacements included"),
		promoted:        counter("promoted_total", "transactions that became executable"),
		eventsDropped:   counter("events_dropped_total", "transactions not announced to a subscriber because its channel was full"),
		rejected:        vec("rejected_total", "refused transactions"),
		removed:         vec("removed_total", "transactions that left the pool"),
		taken:           counter("taken_total", "transactions handed to the builder"),
		journalSyncs:    counter("journal_syncs_total", "fsyncs of the journal"),
		journalFailures: counter("journal_failures_total", "failed writes, fsyncs or rewrites of the journal"),
		journalRewrites: counter("journal_rewrites_total", "rewrites of the journal"),
		journalBytes:    counter("journal_bytes_total", "bytes appended to the journal"),
	}
}
