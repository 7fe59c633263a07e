package runtime

import "sync/atomic"

// ByTransport is a number for each of the two ways in which calls are carried.
type ByTransport struct {
	Direct int64 // the direct transport
	HTTP2  int64
}

// ServerStats says what a [Server] has done so far. All its numbers only ever grow. Its fields are
// numbers, so package expvar and every metrics library can publish it; see the example.
type ServerStats struct {
	// Connections were accepted. A client of this package makes one of the direct transport for
	// each call that it has at a time. Those of HTTP/2 are not counted if other credentials were
	// given with [GRPCServerOptions].
	Connections ByTransport
	// Calls have come, for methods that the server has; those in Refused are among them.
	Calls ByTransport
	// Refused are calls of peers whom the method's rule keeps out.
	Refused int64
	// NotAccepted are attempts to accept a client that failed, most likely for want of descriptors. The
	// client waits; the server goes on trying.
	NotAccepted int64
	// TurnedAway are connections that were closed because their user has its share; see
	// [MaxConnsPerUser]. Among them are half-open ones that have made room for the user's next.
	TurnedAway int64
	// Rebound is how often the socket file was lost, and bound again.
	Rebound int64
	// SendWaits is how often a handler's SendMsg has waited because the [SendBudget] was used up.
	SendWaits int64
	// Handovers are those of [Takeover].
	Handovers HandoverStats
}

// HandoverStats counts handovers of a server's listening socket.
type HandoverStats struct {
	Received int64 // from the process that served before: at most one
	Given    int64 // to the one that serves next: at most one, as Serve returns then
	Failed   int64 // the next one gave up, or was not entitled; this server serves on
}

// Stats returns what the server has done so far. It costs next to nothing, and goes on to work after
// the server's end. What is in flight at the moment is not counted; a [StatsHandler] is told of
// the beginning and end of all connections and calls.
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
		stats.SendWaits = s.direct.SendWaits()
	}
	return stats
}

// ClientStats says what a [ClientConn] has done so far. All its numbers only ever grow.
type ClientStats struct {
	// Connections were made, to servers that the policy permits. The direct transport has one for
	// each call at a time.
	Connections ByTransport
	// Reconnects are connections that were the first after the server had been lost: it ended,
	// crashed, or could not be reached.
	Reconnects ByTransport
	// Calls were made. A unary call of the direct transport counts when it has ended, all others when
	// they begin.
	Calls ByTransport
	// Failed are attempts to connect that came to nothing.
	Failed int64
	// SendWaits is how often SendMsg of a stream has waited because the [WithSendBudget] was used up.
	SendWaits int64
	// Refused are those of Failed that met a server that the [WithServerPolicy] refuses.
	Refused int64
}

// Stats returns what the client has done so far. It costs next to nothing, and goes on to work after
// Close.
func (c *ClientConn) Stats() ClientStats {
	stats := ClientStats{
		Connections: ByTransport{Direct: c.links.direct.made.Load(), HTTP2: c.links.http2.made.Load()},
		Reconnects:  ByTransport{Direct: c.links.direct.regained.Load(), HTTP2: c.links.http2.regained.Load()},
		Calls:       c.calls.load(),
		Failed:      c.links.failed.Load(),
		Refused:     c.links.refused.Load(),
	}
	if c.direct != nil {
		stats.SendWaits = c.direct.SendWaits()
	}
	return stats
}

// serverCounters are what a server's parts count.
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
