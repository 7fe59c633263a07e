package runtime

import "sync/atomic"

// ByTransport is a number for each of the two ways in which calls are carried.
type ByTransport struct {
	Direct int64 // the direct transport
	HTTP2  int64
}

// ServerStats says what a [Server] has done so far. All its numbers only grow. Its fields are numbers, so
// package expvar and every metrics library can publish it; see the example.
type ServerStats struct {
	// Connections that were accepted. A client of this package makes one of the direct transport for each
	// concurrent call. Those of HTTP/2 are not counted if other credentials were given with
	// [GRPCServerOptions].
	Connections ByTransport
	// Calls that were received, for methods that the server has, including those in Refused.
	Calls ByTransport
	// Refused counts calls of peers that the method's rule refuses.
	Refused int64
	// NotAccepted counts failed attempts to accept a client, most likely because there were no
	// descriptors. The client waits; the server tries again.
	NotAccepted int64
	// TurnedAway counts connections that were closed because their user has its share, see
	// [MaxConnsPerUser], or because no descriptor was left. It includes half-open ones that were closed to
	// make room.
	TurnedAway int64
	// Rebound counts how often the socket file was lost, and bound again.
	Rebound int64
	// SendWaits counts how often a handler's SendMsg waited because the [SendBudget] was used up.
	SendWaits int64
	// Rings counts connections of the direct transport that have moved to rings in shared memory.
	Rings int64
	// Handovers counts those of [Takeover].
	Handovers HandoverStats
}

// HandoverStats counts handovers of a server's listening socket.
type HandoverStats struct {
	Received int64 // from the process that served before: at most one
	Given    int64 // to the one that serves next: at most one, as Serve returns then
	Failed   int64 // the next process gave up, or was not permitted; this server continues to serve
}

// Stats returns what the server has done so far. It is cheap, and works after the server's end too. It
// does not count what is in flight; a [StatsHandler] is told of the beginning and end of all connections
// and calls.
func (s *Server) Stats() ServerStats {
	c := s.config.counters
	stats := ServerStats{
		Connections: c.connections.load(),
		Calls:       c.calls.load(),
		Refused:     c.refused.Load(),
		NotAccepted: c.notAccepted.Load(),
		TurnedAway:  c.turnedAway.Load(),
		Rebound:     c.rebound.Load(),
		Handovers: HandoverStats{
			Received: c.handoversReceived.Load(),
			Given:    c.handoversGiven.Load(),
			Failed:   c.handoversFailed.Load(),
		},
	}
	if s.direct != nil {
		stats.SendWaits, stats.Rings = s.direct.SendWaits(), s.direct.RingsMoved()
	}
	return stats
}

// ClientStats says what a [ClientConn] has done so far. All its numbers only grow.
type ClientStats struct {
	// Connections that were made, to servers that the policy permits. The direct transport has one for
	// each concurrent call.
	Connections ByTransport
	// Reconnects counts first connections after the server had been lost: it ended, crashed, or could not
	// be reached.
	Reconnects ByTransport
	// Calls that were made. A unary call of the direct transport counts when it has ended, all others when
	// they begin.
	Calls ByTransport
	// Failed counts attempts to connect that failed.
	Failed int64
	// SendWaits counts how often SendMsg of a stream waited because the [WithSendBudget] was used up.
	SendWaits int64
	// Rings counts connections of the direct transport that have moved to rings in shared memory.
	Rings int64
	// Refused counts those of Failed that met a server that the [WithServerPolicy] refuses.
	Refused int64
}

// Stats returns what the client has done so far. It is cheap, and works after Close too.
func (c *ClientConn) Stats() ClientStats {
	connections := c.monitor.Stats()
	stats := ClientStats{
		Connections: ByTransport{Direct: connections.Direct.Connections, HTTP2: connections.HTTP2.Connections},
		Reconnects:  ByTransport{Direct: connections.Direct.Reconnects, HTTP2: connections.HTTP2.Reconnects},
		Calls:       c.calls.load(),
		Failed:      connections.Failed,
		Refused:     connections.Refused,
	}
	if c.direct != nil {
		stats.SendWaits, stats.Rings = c.direct.SendWaits(), c.direct.RingsMoved()
	}
	return stats
}

// serverCounters is what the parts of a server count.
type serverCounters struct {
	connections, calls transportCounter

	refused, notAccepted, turnedAway, rebound          atomic.Int64
	handoversReceived, handoversGiven, handoversFailed atomic.Int64
}

type transportCounter struct{ direct, http2 atomic.Int64 }

func (c *transportCounter) add(direct bool) {
	if direct {
		c.direct.Add(1)
	} else {
		c.http2.Add(1)
	}
}

func (c *transportCounter) load() ByTransport {
	return ByTransport{Direct: c.direct.Load(), HTTP2: c.http2.Load()}
}
