package inspect

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"

	inspectv1 "github.com/udsgrpc/udsgrpc/proto/udsgrpc/inspect/v1"
)

// Config says what an Inspection is about. Its functions may be called concurrently.
type Config struct {
	Server   *inspectv1.Server
	Draining <-chan struct{} // closed when the server drains

	// Caller returns who makes the call whose context it is.
	Caller func(context.Context) Caller
	// Transport returns what carries the call whose context it is.
	Transport func(context.Context) inspectv1.Transport
	// Totals and Connections tell what the server counts by itself.
	Totals      func() *inspectv1.Totals
	Connections func() *inspectv1.Connections
}

// Inspection is the service for viewers of one server. Its methods may be called concurrently. A nil
// *Inspection counts nothing.
type Inspection struct {
	config Config

	taps     taps
	programs programs
	counting atomic.Pointer[counting] // nil while nobody looks; changed with mu held
	stopped  context.Context          // ends with Stop
	stop     context.CancelFunc

	mu      sync.Mutex
	viewers int // open streams
}

// New returns the service of a server.
func New(config Config) *Inspection {
	i := &Inspection{config: config}
	i.stopped, i.stop = context.WithCancel(context.Background())
	return i
}

const (
	defaultInterval = time.Second
	minInterval     = 100 * time.Millisecond
)

// viewer is the service for one connection.
type viewer struct {
	inspectv1.UnimplementedInspectServiceServer
	*Inspection
	contents func() // is called when it asks for what is in calls; nil if it may not see that
}

// Serve serves the viewer at the other end of conn until that hangs up, or Stop is called. Streams end when the
// server drains, and the connection, too, if the viewer reads that. Serve closes conn. It calls contents
// each time before the viewer sees what is in calls, which it may not if that is nil.
func (i *Inspection) Serve(conn *net.UnixConn, contents func()) {
	server := grpc.NewServer(grpc.WaitForHandlers(true))
	inspectv1.RegisterInspectServiceServer(server, viewer{Inspection: i, contents: contents})
	l := listenerOf(conn)
	defer l.end()
	// It closes the connection, too, which grpc waits for while it has no HTTP/2.
	defer context.AfterFunc(i.stopped, l.end)()
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		select {
		case <-i.config.Draining:
			server.GracefulStop()
		case <-l.over:
		}
	}()
	_ = server.Serve(l) // the error says that the viewer has gone
	l.end()
	server.Stop()
	<-drained
}

// Stop ends all viewers, also those that Serve is called for later.
func (i *Inspection) Stop() {
	if i != nil {
		i.stop()
	}
}

// Snapshots implements the service.
func (v viewer) Snapshots(req *inspectv1.SnapshotsRequest, stream grpc.ServerStreamingServer[inspectv1.SnapshotsResponse]) error {
	interval := defaultInterval
	if req.GetInterval() != nil {
		interval = max(req.GetInterval().AsDuration(), minInterval)
	}
	c := v.enter()
	defer v.leave()
	next := time.NewTicker(interval)
	defer next.Stop()
	for {
		// It waits for the viewer, and the ticker does not wait for it.
		if err := stream.Send(v.snapshot(c)); err != nil {
			return err
		}
		if err := wait(v.Inspection, stream, next.C); err != nil {
			return err
		}
	}
}

// enter is called when a viewer begins to look, and leave when it ends.
func (i *Inspection) enter() *counting {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.viewers == 0 {
		i.counting.Store(newCounting())
	}
	i.viewers++
	return i.counting.Load()
}

func (i *Inspection) leave() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.viewers--
	if i.viewers == 0 {
		i.counting.Store(nil)
	}
}

// listener accepts one connection. Then Accept waits until that is closed, or the listener is.
type listener struct {
	first  chan net.Conn
	addr   net.Addr
	end    func()        // closes the connection
	over   chan struct{} // closed when the connection is closed
	closed context.Context
	close  context.CancelFunc
}

func listenerOf(conn *net.UnixConn) *listener {
	l := &listener{first: make(chan net.Conn, 1), addr: conn.LocalAddr(), over: make(chan struct{})}
	l.closed, l.close = context.WithCancel(context.Background())
	l.end = sync.OnceFunc(func() {
		conn.Close()
		close(l.over)
		l.close()
	})
	l.first <- viewerConn{conn, l.end}
	return l
}

func (l *listener) Accept() (net.Conn, error) {
	select {
	case conn := <-l.first:
		return conn, nil
	case <-l.closed.Done():
		return nil, net.ErrClosed
	}
}

func (l *listener) Close() error {
	l.close()
	return nil
}

func (l *listener) Addr() net.Addr { return l.addr }

// viewerConn tells its listener when it is closed.
type viewerConn struct {
	*net.UnixConn
	end func()
}

func (c viewerConn) Close() error {
	c.end()
	return nil
}
