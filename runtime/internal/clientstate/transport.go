package clientstate

import (
	"log/slog"

	"github.com/udsgrpc/udsgrpc/runtime/socket"
)

// transport is what is known of the server by the connections of one transport.
type transport struct {
	name   string
	server serverState
	TransportStats
}

// TransportStats counts the connections of one transport.
type TransportStats struct {
	Connections int64 // that were made
	Reconnects  int64 // those that were the first after the server had been lost
}

// Stats says what a client's connections have done so far. All its numbers only grow.
type Stats struct {
	Direct, HTTP2 TransportStats
	Failed        int64 // attempts of HTTP/2 to connect
	Refused       int64 // those of Failed that met a server which is not permitted
}

// Stats returns what the connections have done so far.
func (m *Monitor) Stats() Stats {
	m.mu.Lock()
	defer m.unlock()
	m.observe() // follow may not have run since a call was answered
	return Stats{Direct: m.direct.TransportStats, HTTP2: m.http2.TransportStats, Failed: m.failed, Refused: m.refused}
}

// DirectConnected records a new connection of the direct transport.
func (m *Monitor) DirectConnected(server socket.Peer) {
	m.mu.Lock()
	defer m.unlock()
	m.succeed()
	m.connected(&m.direct, server)
}

// DirectLost records that there is no server any more for the direct transport.
func (m *Monitor) DirectLost() {
	m.mu.Lock()
	defer m.unlock()
	m.lost(&m.direct)
}

// DirectAccepted records that a permitted server has accepted a connection of the direct transport. It may
// answer or not. If HTTP/2 has a connection, its server has answered, and may have no direct transport.
func (m *Monitor) DirectAccepted() {
	m.mu.Lock()
	defer m.unlock()
	if m.conn != connReady {
		m.lastError = m.conf.Unanswered
	}
}

// DirectFailed records why the direct transport could not connect. HTTP/2 tries the same next, and counts
// it, unless the call has no time left for that.
func (m *Monitor) DirectFailed(err error) {
	m.mu.Lock()
	defer m.unlock()
	m.lastError = err
}

// DirectGaveUp records that the direct transport could not connect for a call that HTTP/2 does not carry, and
// whether that is because the client's policy does not permit the server.
func (m *Monitor) DirectGaveUp(err error, refused bool) {
	m.mu.Lock()
	defer m.unlock()
	m.countFailure(err)
	if refused {
		m.refused++
	}
}

// connected records a new connection whose server has answered. The caller holds mu.
func (m *Monitor) connected(t *transport, server socket.Peer) {
	before := t.server
	t.server, _ = before.after(eventServerConnected)
	t.Connections++
	if before == serverLost {
		t.Reconnects++
	}
	if before != serverUp && m.conf.Log != nil { // a further connection is no news
		m.record(slog.LevelInfo, "connected", slog.String("transport", t.name), m.conf.PeerAttr(server))
	}
}

// lost records that the server has gone, if that is news. The caller holds mu.
func (m *Monitor) lost(t *transport) {
	next, ok := t.server.after(eventServerLost)
	if !ok {
		return
	}
	t.server = next
	m.record(slog.LevelInfo, "server lost", slog.String("transport", t.name))
}
