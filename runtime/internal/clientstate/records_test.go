package clientstate

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"google.golang.org/grpc/connectivity"

	"github.com/udsgrpc/udsgrpc/runtime/socket"
)

var server = socket.Peer{UID: 7}

func TestRecordsAndCounters(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		run     func(*rig)
		records []string
		stats   Stats
		last    error
		state   connState
	}{
		"nothing happens": {run: func(*rig) {}, state: connIdle},
		"server accepts": {
			run:   func(r *rig) { r.accepted() },
			last:  errUnanswered,
			state: connUnanswered,
		},
		"server answers": {
			run:     func(r *rig) { r.connect() },
			records: []string{"connected http2 7"},
			stats:   Stats{HTTP2: TransportStats{Connections: 1}},
			state:   connReady,
		},
		"server never answers": {
			run: func(r *rig) {
				r.accepted()
				r.shows(connectivity.TransientFailure)
				r.accepted()
				r.accepted()
			},
			records: []string{"cannot connect the server does not answer"},
			stats:   Stats{Failed: 2},
			last:    errUnanswered,
			state:   connUnanswered,
		},
		"server never answers a client with a dialer of its own": {
			run: func(r *rig) {
				r.Accepted(server)
				r.Accepted(server)
			},
			records: []string{"cannot connect the server does not answer"},
			stats:   Stats{Failed: 1},
			last:    errUnanswered,
			state:   connUnanswered,
		},
		"server does not answer, and is replaced by one that is refused": {
			run: func(r *rig) {
				r.accepted()
				r.ServerRefused(errRefused)
			},
			records: []string{"cannot connect the server does not answer", "cannot connect the server is not trusted"},
			stats:   Stats{Failed: 2, Refused: 1},
			last:    errRefused,
			state:   connUnreachable,
		},
		"attempts fail": {
			run: func(r *rig) {
				r.fail(errNoFile)
				r.fail(errNoFile)
				r.fail(errOther)
				r.fail(errNoFile)
			},
			records: []string{"cannot connect " + errNoFile.Error(), "cannot connect " + errOther.Error(), "cannot connect " + errNoFile.Error()},
			stats:   Stats{Failed: 4},
			last:    errNoFile,
			state:   connAbsent,
		},
		"server is restarted, and attempts fail meanwhile": {
			run: func(r *rig) {
				r.fail(errNoFile)
				r.connect()
				r.shows(connectivity.Idle)
				r.fail(errNoFile)
				r.fail(errNoFile)
				r.connect()
			},
			records: []string{"cannot connect " + errNoFile.Error(), "connected http2 7", "server lost http2", "cannot connect " + errNoFile.Error(), "connected http2 7"},
			stats:   Stats{HTTP2: TransportStats{Connections: 2, Reconnects: 1}, Failed: 3},
			state:   connReady,
		},
		"server is replaced at once": {
			run: func(r *rig) {
				r.connect()
				r.shows(connectivity.Idle)
				r.connect()
			},
			records: []string{"connected http2 7", "server lost http2", "connected http2 7"},
			stats:   Stats{HTTP2: TransportStats{Connections: 2, Reconnects: 1}},
			state:   connReady,
		},
		"connection ends": { // which says nothing about the server, unless an attempt fails
			run: func(r *rig) {
				r.connect()
				r.shows(connectivity.Idle)
				r.begin()
			},
			records: []string{"connected http2 7"},
			stats:   Stats{HTTP2: TransportStats{Connections: 1}},
			state:   connConnecting,
		},
		"attempt is given up": { // for example by Close, which says nothing about the server either
			run: func(r *rig) {
				r.connect()
				r.shows(connectivity.Idle)
				r.fail(fmt.Errorf("connect: %w", context.Canceled))
			},
			records: []string{"connected http2 7"},
			stats:   Stats{HTTP2: TransportStats{Connections: 1}},
			last:    context.Canceled,
			state:   connIdle,
		},
		"server that does not answer is given up": {
			run: func(r *rig) {
				r.connect()
				r.shows(connectivity.Idle)
				r.accepted()
				r.fail(fmt.Errorf("connect: %w", context.Canceled))
			},
			records: []string{"connected http2 7", "server lost http2", "cannot connect the server does not answer"},
			stats:   Stats{HTTP2: TransportStats{Connections: 1}, Failed: 1},
			last:    context.Canceled,
			state:   connIdle,
		},
		"server is unknown": { // with credentials of the program's own
			run: func(r *rig) {
				r.fail(errNoFile)
				r.begin()
				r.shows(connectivity.Ready)
				r.shows(connectivity.Idle)
				r.fail(errNoFile)
			},
			records: []string{"cannot connect " + errNoFile.Error(), "cannot connect " + errNoFile.Error()},
			stats:   Stats{Failed: 2},
			last:    errNoFile,
			state:   connAbsent,
		},
		"client is closed": {
			run: func(r *rig) {
				r.connect()
				r.shows(connectivity.Shutdown)
				r.AttemptFailed(errOther)
				r.ServerRefused(errOther)
				r.Accepted(server)
			},
			records: []string{"connected http2 7"},
			stats:   Stats{HTTP2: TransportStats{Connections: 1}},
			state:   connClosed,
		},
		"server does not answer one transport, and the other does not find it": {
			run: func(r *rig) {
				r.accepted()
				r.DirectFailed(errNoFile)
				r.begin()
			},
			records: []string{"cannot connect the server does not answer"},
			stats:   Stats{Failed: 1},
			last:    errUnanswered,
			state:   connConnecting,
		},
		"direct connections": {
			run: func(r *rig) {
				r.DirectAccepted()
				r.DirectConnected(server)
				r.DirectConnected(server)
			},
			records: []string{"connected direct 7"},
			stats:   Stats{Direct: TransportStats{Connections: 2}},
			state:   connIdle,
		},
		"direct server is lost": {
			run: func(r *rig) {
				r.DirectLost() // there was none yet
				r.DirectConnected(server)
				r.DirectLost()
				r.DirectLost()
				r.DirectConnected(server)
				r.DirectConnected(server)
			},
			records: []string{"connected direct 7", "server lost direct", "connected direct 7"},
			stats:   Stats{Direct: TransportStats{Connections: 3, Reconnects: 1}},
			state:   connIdle,
		},
		"direct server does not answer": {
			run:   func(r *rig) { r.DirectAccepted() },
			last:  errUnanswered,
			state: connIdle,
		},
		"direct attempt fails": {
			run:   func(r *rig) { r.DirectFailed(errNoFile) },
			last:  errNoFile,
			state: connIdle,
		},
		"direct attempt fails while HTTP/2 has a connection": { // which has not answered again since
			run: func(r *rig) {
				r.connect()
				r.DirectFailed(errOther)
			},
			records: []string{"connected http2 7"},
			stats:   Stats{HTTP2: TransportStats{Connections: 1}},
			last:    errOther,
			state:   connReady,
		},
		"server of HTTP/2 is asked again for the direct transport": { // and answers that it has none
			run: func(r *rig) {
				r.connect()
				r.DirectAccepted()
			},
			records: []string{"connected http2 7"},
			stats:   Stats{HTTP2: TransportStats{Connections: 1}},
			state:   connReady,
		},
		"transports lose the server each for itself": {
			run: func(r *rig) {
				r.DirectConnected(server)
				r.connect()
				r.DirectLost()
				r.shows(connectivity.Idle)
				r.fail(errNoFile)
				r.DirectConnected(server)
				r.fail(errNoFile) // which is worth saying again, as there was a server
			},
			records: []string{
				"connected direct 7", "connected http2 7", "server lost direct", "server lost http2",
				"cannot connect " + errNoFile.Error(), "connected direct 7", "cannot connect " + errNoFile.Error(),
			},
			stats: Stats{Direct: TransportStats{Connections: 2, Reconnects: 1}, HTTP2: TransportStats{Connections: 1}, Failed: 2},
			last:  errNoFile,
			state: connAbsent,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, nil, func(t *testing.T, r *rig) {
				c.run(r)
				r.log.check(t, c.records...)
				if got := r.Stats(); got != c.stats {
					t.Errorf("counted %+v, want %+v", got, c.stats)
				}
				if got := r.view().conn; got != c.state {
					t.Errorf("the connection is %s, want %s", connNames[got], connNames[c.state])
				}
				if got := r.LastError(); !errors.Is(got, c.last) || (got == nil) != (c.last == nil) {
					t.Errorf("the last error is %v, want %v", got, c.last)
				}
			})
		})
	}
}

func TestWithoutALogNothingIsWritten(t *testing.T) {
	t.Parallel()
	inBubble(t, nil, func(t *testing.T, r *rig) {
		r.conf.Log = nil
		r.connect()
		if len(r.records) > 0 || r.Stats().HTTP2.Connections != 1 {
			t.Errorf("%d records are kept, and %+v counted", len(r.records), r.Stats())
		}
	})
}

// A logger may use the client, and other goroutines do meanwhile. No record comes before one of what has
// happened earlier.
func TestRecordsAreInOrderWhateverTheLoggerDoes(t *testing.T) {
	t.Parallel()
	inBubble(t, nil, func(t *testing.T, r *rig) {
		writing, write := make(chan struct{}), make(chan struct{})
		r.log.hook = func(message string) {
			if message != "connected" || r.Stats().Direct.Connections > 1 {
				return
			}
			r.DirectLost()
			close(writing)
			<-write
		}
		connected := make(chan struct{})
		go func() {
			defer close(connected)
			r.DirectConnected(server)
		}()
		<-writing
		r.DirectConnected(server) // does not wait for the logger
		r.log.check(t, "connected direct 7")
		close(write)
		<-connected
		r.log.check(t, "connected direct 7", "server lost direct", "connected direct 7")
	})
}
