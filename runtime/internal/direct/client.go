package direct

import (
	"context"
	"errors"
	"net"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"

	"github.com/udsgrpc/udsgrpc/internal/openfile"
	"github.com/udsgrpc/udsgrpc/runtime/internal/direct/wire"
)

// ErrHTTP2 is returned for a call that has to go over HTTP/2: the server speaks only that or is not there,
// the call needs something that this package lacks, or too many calls are running. The call has not begun:
// neither the server nor a stats handler has seen it.
var ErrHTTP2 = errors.New("direct transport: the call has to go over HTTP/2")

// ClientConfig configures how a Client connects and calls.
type ClientConfig struct {
	// Dial connects to the server and finds out who it is. After an error the call goes over HTTP/2, which
	// tries the same and reports it.
	Dial func(context.Context) (*net.UnixConn, credentials.AuthInfo, error)
	// Connected is called for each new connection. Lost is called when there is no server, or when the
	// server has ended, once however many calls notice it. Either may be nil.
	Connected func(credentials.AuthInfo)
	Lost      func()
	// HTTP2Ready reports whether HTTP/2 has a connection now whose server has answered. nil means no.
	HTTP2Ready func() bool
	Stats      handlers
	MaxRecv    int   // bytes of a message; 0 for grpc's 4 MiB
	MaxConns   int   // connections, and so calls at once; more go over HTTP/2
	Budget     int64 // bytes that may wait in all streams; 0 for 64 MiB
	MaxFiles   int   // open files of a message from the server
	Rings      Rings
	// Unanswered returns the error of a call that was sent to a server which has not answered before that ended,
	// with what to know about such a server. hungUp says that the server has ended the connection. nil is for
	// the error itself.
	Unanswered func(err error, hungUp bool) error
	// Unreachable returns the status of a call that cannot go over HTTP/2, for the error of Dial or another
	// reason why there is no connection. nil is for codes.Unavailable with that text.
	Unreachable func(error) error
}

// Client makes calls. Its methods may be called concurrently; Close ends it.
type Client struct {
	conf   ClientConfig
	codec  codec
	pool   pool
	budget *budget
	files  *openfile.Quota // of those that the server sent
	rings  *ringUse        // nil for none

	closing context.Context // ends with Close
	close   context.CancelFunc

	answerTimeout time.Duration // the constant, but in tests

	// probing is held by the call that connects while it is not known whether the server speaks this
	// protocol, so that one call finds out and not a hundred.
	probing chan struct{}
	proven  atomic.Bool
	unsure  atomic.Bool // the last call that went with a preface may or may not have been processed, so none does

	generation atomic.Int64 // of connections; changes when a server is lost

	http2       atomic.Int64 // counts HTTP/2's connections
	plainFor    atomic.Int64 // see plain
	fullUntil   deadline     // until then no new connection to a full server is tried
	silentUntil deadline     // until then a server that did not answer is not asked again
}

// NewClient returns a client. It connects when a call needs a connection.
func NewClient(conf ClientConfig) *Client {
	if conf.MaxRecv == 0 {
		conf.MaxRecv = defaultMaxRecv
	}
	if conf.Connected == nil {
		conf.Connected = func(credentials.AuthInfo) {}
	}
	if conf.HTTP2Ready == nil {
		conf.HTTP2Ready = func() bool { return false }
	}
	if conf.Lost == nil {
		conf.Lost = func() {}
	}
	if conf.Unreachable == nil {
		conf.Unreachable = func(why error) error { return status.Error(codes.Unavailable, why.Error()) }
	}
	if conf.Unanswered == nil {
		conf.Unanswered = func(err error, _ bool) error { return err }
	}
	c := &Client{
		conf:    conf,
		codec:   newCodec(&wire.Buffers{}),
		pool:    pool{max: conf.MaxConns, sweepEvery: sweepPause},
		budget:  newBudget(conf.Budget),
		files:   openfile.NewQuota(filesPerUser, nil),
		probing: make(chan struct{}, 1),

		answerTimeout: answerTimeout,
	}
	c.rings = newRingUse(conf.Rings, c.pool.inUse)
	c.closing, c.close = context.WithCancel(context.Background())
	return c
}

// SendWaits returns how often the Send of a stream waited because the budget was used up.
func (c *Client) SendWaits() int64 { return c.budget.waited.Load() }

// Close closes all connections. Running calls fail with codes.Canceled.
func (c *Client) Close() {
	c.pool.close()
	c.close()
}

// HTTP2Connected must be called whenever HTTP/2's connection was accepted, because that may be by another
// server than before. Later calls go to that server too, and it may speak this protocol even if the previous
// one did not.
func (c *Client) HTTP2Connected() {
	if dead := c.pool.closeIdle(); dead != nil {
		c.lost(dead.generation)
	}
	c.silentUntil.Store(nil)
	c.http2.Add(1)
}

// plain reports whether the server is known to speak only HTTP/2. What it has answered counts until HTTP/2
// connects the next time: that may be to another one, even a moment later.
func (c *Client) plain() bool { return c.plainFor.Load() == c.http2.Load()+1 }

// answers reports whether the server speaks this protocol, as far as is known: it did when it was last
// asked.
func (c *Client) answers() bool { return c.proven.Load() && !c.plain() }
