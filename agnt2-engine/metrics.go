package engine

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/agnt2/agnt2/agnt2-engine/chain"
)

// metrics of the chain; mempool and RPC have their own.
type metrics struct {
	height *prometheus.GaugeVec
	blocks *prometheus.CounterVec
	txs    *prometheus.CounterVec
	gas    prometheus.Counter
}

func newMetrics(r prometheus.Registerer) *metrics {
	m := &metrics{
		height: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "agnt2_chain_height", Help: "Block number by label."}, []string{"label"}),
		blocks: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "agnt2_chain_blocks_total", Help: "Blocks that joined or left the canonical chain."}, []string{"change"}),
		txs:    prometheus.NewCounterVec(prometheus.CounterOpts{Name: "agnt2_chain_transactions_total", Help: "Transactions in adopted blocks by outcome."}, []string{"outcome"}),
		gas:    prometheus.NewCounter(prometheus.CounterOpts{Name: "agnt2_chain_gas_total", Help: "Gas used by adopted blocks."}),
	}
	r.MustRegister(m.height, m.blocks, m.txs, m.gas)
	return m
}

func (m *metrics) head(c *chain.Chain) {
	m.height.WithLabelValues("unsafe").Set(float64(c.Head().Number.Uint64()))
	m.height.WithLabelValues("safe").Set(float64(c.Safe().Number.Uint64()))
	m.height.WithLabelValues("finalized").Set(float64(c.Finalized().Number.Uint64()))
}

func (m *metrics) adopted(c *chain.Chain, a *chain.Adopted) {
	m.head(c)
	m.blocks.WithLabelValues("applied").Add(float64(len(a.Applied)))
	m.blocks.WithLabelValues("undone").Add(float64(len(a.Undone)))
	for _, x := range a.Applied {
		m.gas.Add(float64(x.Header.GasUsed))
		var ok, failed, void float64
		for _, r := range x.Receipts {
			switch {
			case r.Status == 1:
				ok++
			case r.GasUsed == 0:
				void++
			default:
				failed++
			}
		}
		m.txs.WithLabelValues("succeeded").Add(ok)
		m.txs.WithLabelValues("failed").Add(failed)
		m.txs.WithLabelValues("void").Add(void)
	}
}
