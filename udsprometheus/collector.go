package main

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/udsgrpc/udsgrpc/runtime"
)

// collector shows what a server has counted; a client's is the same with [runtime.ClientStats].
type collector struct {
	server *runtime.Server

	connections, notAccepted, turnedAway, calls, refused, rebound, sendWaits, handovers *prometheus.Desc
}

func newCollector(server *runtime.Server) *collector {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("udsgrpc_server_"+name, help, labels, prometheus.Labels{"socket": server.Path()})
	}
	return &collector{
		server:      server,
		connections: desc("connections_total", "Connections accepted.", "transport"),
		notAccepted: desc("accept_failures_total", "Attempts to accept a client that failed, as for want of descriptors."),
		turnedAway:  desc("turned_away_total", "Connections that were closed because their user has its share."),
		calls:       desc("calls_total", "Calls that have come.", "transport"),
		refused:     desc("calls_refused_total", "Calls of peers whom a rule keeps out."),
		rebound:     desc("rebound_total", "How often the socket file was lost and bound again."),
		sendWaits:   desc("send_waits_total", "Sends of streams that have waited because the send budget was used up."),
		handovers:   desc("handovers_total", "Handovers of the listening socket.", "result"),
	}
}

func (c *collector) Describe(descs chan<- *prometheus.Desc) { prometheus.DescribeByCollect(c, descs) }

func (c *collector) Collect(metrics chan<- prometheus.Metric) {
	counter := func(desc *prometheus.Desc, n int64, labels ...string) {
		metrics <- prometheus.MustNewConstMetric(desc, prometheus.CounterValue, float64(n), labels...)
	}
	stats := c.server.Stats()
	counter(c.connections, stats.Connections.Direct, "direct")
	counter(c.connections, stats.Connections.HTTP2, "http2")
	counter(c.notAccepted, stats.NotAccepted)
	counter(c.turnedAway, stats.TurnedAway)
	counter(c.calls, stats.Calls.Direct, "direct")
	counter(c.calls, stats.Calls.HTTP2, "http2")
	counter(c.refused, stats.Refused)
	counter(c.rebound, stats.Rebound)
	counter(c.sendWaits, stats.SendWaits)
	counter(c.handovers, stats.Handovers.Received, "received")
	counter(c.handovers, stats.Handovers.Given, "given")
	counter(c.handovers, stats.Handovers.Failed, "failed")
}
