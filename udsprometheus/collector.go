// Package udsprometheus shows Prometheus what the servers and clients of package runtime count:
//
//	registry.MustRegister(udsprometheus.NewServerCollector(srv))
//
// Numbers are read when Prometheus asks, nothing is counted twice, and calls are not intercepted. Times and
// outcomes of calls are what a [runtime.StatsHandler] measures, such as that of OpenTelemetry.
//
// A dashboard for Grafana is in dashboard.json beside this file.
package udsprometheus

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/udsgrpc/udsgrpc/runtime"
)

// NewServerCollector returns a collector of what srv counts. All its metrics are counters named
// udsgrpc_server_…_total, with the label socket, which is the server's path. It may be registered before and
// after the server serves, and be used concurrently; it does not block. Two servers of one process have
// different paths, so that their metrics differ.
func NewServerCollector(srv *runtime.Server) prometheus.Collector {
	return newCollector("udsgrpc_server_", prometheus.Labels{"socket": srv.Path()}, serverCounters, srv.Stats)
}

// NewClientCollector returns a collector of what conn counts. All its metrics are counters named
// udsgrpc_client_…_total, with the label socket, which is the path that conn was dialed with. It may be used
// concurrently, also after conn was closed; it does not block. Where a process has several clients of one
// socket, tell them apart with a label of their own, or the second cannot be registered:
//
//	prometheus.WrapRegistererWith(prometheus.Labels{"client": "backup"}, registry).MustRegister(…)
func NewClientCollector(conn *runtime.ClientConn) prometheus.Collector {
	return newCollector("udsgrpc_client_", prometheus.Labels{"socket": conn.Path()}, clientCounters, conn.Stats)
}

// counter is a metric: a number for each value of its label, or only one if it has none.
type counter[Stats any] struct {
	name, help string
	label      string
	numbers    func(Stats) []number
}

type number struct {
	label string // the value
	n     int64
}

var serverCounters = []counter[runtime.ServerStats]{
	{"connections_total", "Connections accepted.", "transport",
		func(s runtime.ServerStats) []number { return byTransport(s.Connections) }},
	{"connections_turned_away_total", "Connections closed because their user has its share, or for want of descriptors.", "",
		func(s runtime.ServerStats) []number { return only(s.TurnedAway) }},
	{"accept_failures_total", "Attempts to accept a client that failed, as for want of descriptors.", "",
		func(s runtime.ServerStats) []number { return only(s.NotAccepted) }},
	{"calls_total", "Calls received, for methods that the server has.", "transport",
		func(s runtime.ServerStats) []number { return byTransport(s.Calls) }},
	{"calls_refused_total", "Calls of peers whom a rule keeps out.", "",
		func(s runtime.ServerStats) []number { return only(s.Refused) }},
	{"send_waits_total", "Sends of streams that waited because the send budget was used up.", "",
		func(s runtime.ServerStats) []number { return only(s.SendWaits) }},
	{"ring_connections_total", "Connections that have moved to rings in shared memory.", "",
		func(s runtime.ServerStats) []number { return only(s.Rings) }},
	{"rebinds_total", "How often the socket file was lost and bound again.", "",
		func(s runtime.ServerStats) []number { return only(s.Rebound) }},
	{"handovers_total", "Handovers of the listening socket.", "result",
		func(s runtime.ServerStats) []number {
			return []number{{"received", s.Handovers.Received}, {"given", s.Handovers.Given}, {"failed", s.Handovers.Failed}}
		}},
}

var clientCounters = []counter[runtime.ClientStats]{
	{"connections_total", "Connections made to servers that the policy permits.", "transport",
		func(s runtime.ClientStats) []number { return byTransport(s.Connections) }},
	{"reconnects_total", "First connections after the server had been lost.", "transport",
		func(s runtime.ClientStats) []number { return byTransport(s.Reconnects) }},
	{"connect_failures_total", "Attempts to connect that failed.", "",
		func(s runtime.ClientStats) []number { return only(s.Failed) }},
	{"servers_refused_total", "Attempts to connect that met a server whom the policy refuses; they are among the failed ones.", "",
		func(s runtime.ClientStats) []number { return only(s.Refused) }},
	{"calls_total", "Calls made.", "transport",
		func(s runtime.ClientStats) []number { return byTransport(s.Calls) }},
	{"send_waits_total", "Sends of streams that waited because the send budget was used up.", "",
		func(s runtime.ClientStats) []number { return only(s.SendWaits) }},
	{"ring_connections_total", "Connections that have moved to rings in shared memory.", "",
		func(s runtime.ClientStats) []number { return only(s.Rings) }},
}

func byTransport(n runtime.ByTransport) []number {
	return []number{{"direct", n.Direct}, {"http2", n.HTTP2}}
}

func only(n int64) []number { return []number{{n: n}} }

// collector is a [prometheus.Collector] of a server or a client.
type collector[Stats any] struct {
	counters []counter[Stats]
	descs    []*prometheus.Desc // of the counters
	stats    func() Stats
}

func newCollector[Stats any](prefix string, socket prometheus.Labels, counters []counter[Stats], stats func() Stats) *collector[Stats] {
	c := &collector[Stats]{counters: counters, stats: stats}
	for _, m := range counters {
		var labels []string
		if m.label != "" {
			labels = []string{m.label}
		}
		c.descs = append(c.descs, prometheus.NewDesc(prefix+m.name, m.help, labels, socket))
	}
	return c
}

// Describe implements [prometheus.Collector].
func (c *collector[Stats]) Describe(descs chan<- *prometheus.Desc) {
	for _, desc := range c.descs {
		descs <- desc
	}
}

// Collect implements [prometheus.Collector].
func (c *collector[Stats]) Collect(metrics chan<- prometheus.Metric) {
	stats := c.stats()
	for i, m := range c.counters {
		for _, value := range m.numbers(stats) {
			var labels []string
			if m.label != "" {
				labels = []string{value.label}
			}
			metrics <- prometheus.MustNewConstMetric(c.descs[i], prometheus.CounterValue, float64(value.n), labels...)
		}
	}
}
