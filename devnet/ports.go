package devnet

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"
)

// ErrPortBusy says that another program listens on a port that the devnet needs.
var ErrPortBusy = errors.New("port busy")

// enginePorts are the ports of one engine and its node.
type enginePorts struct {
	HTTP, WS, Auth, Node       int
	EngineMetrics, NodeMetrics int
}

// portMap is every port of a devnet. Metrics are on 7300–7399.
type portMap struct {
	L1HTTP, L1Beacon                int
	DA                              int
	Sequencer, Verifier             enginePorts
	Batcher, Proposer, Challenger   int
	BatcherMetrics, ProposerMetrics int
	ChallengerMetrics               int
	followers                       []enginePorts
}

// maxFollowers keeps the followers' ports, 100 apart from 9745, clear of 10545.
const maxFollowers = 8

func (c *Config) ports() portMap {
	s := c.PortShift
	block := func(base, metrics int) enginePorts {
		return enginePorts{HTTP: base + s, WS: base + 1 + s, Auth: base + 6 + s, Node: base + 2 + s,
			EngineMetrics: metrics + s, NodeMetrics: metrics + 1 + s}
	}
	p := portMap{
		L1HTTP: 8545 + s, L1Beacon: 8546 + s, DA: 3100 + s,
		Sequencer: block(9545, 7301), Verifier: block(9645, 7305),
		Batcher: 8548 + s, BatcherMetrics: 7303 + s, Proposer: 8560 + s, ProposerMetrics: 7304 + s,
		Challenger: 8561 + s, ChallengerMetrics: 7308 + s,
	}
	for i := range c.Followers {
		p.followers = append(p.followers, block(9745+100*i, 7310+2*i))
	}
	return p
}

func (p *portMap) highest() int {
	return p.Sequencer.Auth + 100*(1+maxFollowers)
}

// portPatience is how long a busy port may take to become free: a process that has just been stopped, or a program being
// started that has inherited a listener until it runs, may hold one a moment longer.
const portPatience = time.Second

// freePorts reports every busy port at once.
func freePorts(specs []spec) error {
	busy := busyPorts(specs)
	for deadline := time.Now().Add(portPatience); len(busy) > 0 && time.Now().Before(deadline); busy = busyPorts(specs) {
		time.Sleep(50 * time.Millisecond)
	}
	if len(busy) > 0 {
		return fmt.Errorf("%w: %s: another devnet or program uses it; stop that, or choose other ports with a port shift",
			ErrPortBusy, strings.Join(busy, ", "))
	}
	return nil
}

func busyPorts(specs []spec) (busy []string) {
	for _, s := range specs {
		for _, name := range sortedNames(s.ports) {
			l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", s.ports[name]))
			if err != nil {
				busy = append(busy, fmt.Sprintf("%d (%s %s)", s.ports[name], s.role, name))
				continue
			}
			l.Close()
		}
	}
	return busy
}

func sortedNames(m map[string]int) []string {
	var names []string
	for n := range m {
		names = append(names, n)
	}
	slices.SortFunc(names, func(a, b string) int { return m[a] - m[b] })
	return names
}
