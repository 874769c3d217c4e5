package challenger

import (
	"math/big"

	opmetrics "github.com/ethereum-optimism/optimism/op-challenger/metrics"
	"github.com/ethereum-optimism/optimism/op-service/eth"
	"github.com/prometheus/client_golang/prometheus"
)

// Metrics are op-challenger's (op_challenger_…) and what is watched here (agnt2_challenger_…), in one registry.
type Metrics struct {
	*opmetrics.Metrics

	games        *prometheus.GaugeVec
	losing       prometheus.Gauge
	lost         prometheus.Counter
	unplayable   prometheus.Gauge
	safeDBErrors prometheus.Counter
	proveSeconds prometheus.Histogram
	traceLength  prometheus.Gauge
	balanceWei   prometheus.Gauge
	balanceLow   prometheus.Gauge
	l1Head       prometheus.Gauge
}

// NewMetrics returns metrics with a registry of their own.
func NewMetrics() *Metrics {
	m := &Metrics{
		Metrics: opmetrics.NewMetrics(),
		games: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "agnt2_challenger_games",
			Help: "games of the window by this node's opinion of the root claim and by who wins if nobody moves again",
		}, []string{"opinion", "outcome"}),
		losing:       prometheus.NewGauge(prometheus.GaugeOpts{Name: "agnt2_challenger_games_losing", Help: "games that go against this node's opinion, a quarter of a clock after it could act"}),
		lost:         prometheus.NewCounter(prometheus.CounterOpts{Name: "agnt2_challenger_games_lost_total", Help: "games that resolved against this node's opinion"}),
		unplayable:   prometheus.NewGauge(prometheus.GaugeOpts{Name: "agnt2_challenger_games_unplayable", Help: "games that are not played: unknown prestate or starting root, or no safe head at the proof head"}),
		safeDBErrors: prometheus.NewCounter(prometheus.CounterOpts{Name: "agnt2_challenger_safedb_errors_total", Help: "safe heads that the rollup node could not tell"}),
		proveSeconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "agnt2_challenger_prove_seconds", Help: "time to lay out the trace of a disputed block",
			Buckets: []float64{.1, .3, 1, 3, 10, 30, 100},
		}),
		traceLength: prometheus.NewGauge(prometheus.GaugeOpts{Name: "agnt2_challenger_trace_steps", Help: "micro-steps of the last disputed block"}),
		balanceWei:  prometheus.NewGauge(prometheus.GaugeOpts{Name: "agnt2_challenger_balance_ether", Help: "L1 balance of the challenger's account"}),
		balanceLow:  prometheus.NewGauge(prometheus.GaugeOpts{Name: "agnt2_challenger_balance_low", Help: "1 if the balance does not cover the bonds of one game"}),
		l1Head:      prometheus.NewGauge(prometheus.GaugeOpts{Name: "agnt2_challenger_l1_head", Help: "newest L1 block that games were looked at"}),
	}
	m.Registry().MustRegister(m.games, m.losing, m.lost, m.unplayable, m.safeDBErrors, m.proveSeconds, m.traceLength,
		m.balanceWei, m.balanceLow, m.l1Head)
	return m
}

func (m *Metrics) recordBalance(wei *big.Int, low bool) {
	m.balanceWei.Set(eth.WeiToEther(wei))
	if low {
		m.balanceLow.Set(1)
	} else {
		m.balanceLow.Set(0)
	}
}
