package direct

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/stats"
	"google.golang.org/grpc/status"

	"github.com/udsgrpc/udsgrpc/runtime/internal/direct/wire"
	"github.com/udsgrpc/udsgrpc/runtime/internal/methodname"
)

// ServerConfig configures how a Server handles calls.
type ServerConfig struct {
	Base  context.Context               // what the contexts of all calls derive from; nil for the background's
	Unary []grpc.UnaryServerInterceptor // the first is the outermost
	// Permits, Allowed and Result are for a server where Unary only decides whether a call may be made, and makes
	// its error fit for the client. If Permits reports that this one may, it is made without Unary, so that the stub
	// need not make what interceptors get; Allowed is called once the request is read, when Unary would be, and Result
	// gets the error. Otherwise Unary does all. All may be nil.
	Permits  func(ctx context.Context, method string) bool
	Allowed  func(ctx context.Context, method string)
	Result   func(method string, err error) error
	Stream   []grpc.StreamServerInterceptor
	Stats    handlers
	MaxRecv  int   // bytes of a message; 0 for grpc's 4 MiB
	MaxConns int   // how many connections to serve at once; more are told to use HTTP/2
	Budget   int64 // bytes that may wait in all streams; 0 for 64 MiB
	MaxFiles int   // open files of a message from a client
	Rings    Rings
	// FilesFrom reports whether a client may call at least one of these methods, which take open files, and its
	// user. Others can send none. nil permits nobody.
	FilesFrom func(client credentials.AuthInfo, methods []string) (uid int, ok bool)
}

// Server serves calls on connections that its owner accepts. Register all services before the
// first connection.
type Server struct {
	conf    ServerConfig
	unary   grpc.UnaryServerInterceptor // nil if there is none
	stream  grpc.StreamServerInterceptor
	codec   codec
	budget  *budget
	methods map[string]*method // by full name
	known   map[string]bool    // names of services
	files   serverFiles
	rings   *ringUse // nil for none

	mu       sync.Mutex    // guards what follows
	serving  int           // connections, also those that are coming
	unserved chan struct{} // closed when serving becomes 0; nil if nobody waits for that
	conns    map[*serverConn]struct{}
	hangups  *hangups // nil until the first connection
	draining bool     // connections end after their current call, or the first one they are about to have
	refusing bool     // no further call begins
	stopped  bool     // accepts no more connections
}

// method says how a method is called.
type method struct {
	fullName string
	impl     any
	desc     grpc.StreamDesc
	unary    *grpc.MethodDesc // nil for a stream
}

// NewServer returns a server without services.
func NewServer(conf ServerConfig) *Server {
	if conf.Base == nil {
		conf.Base = context.Background()
	}
	if conf.MaxRecv == 0 {
		conf.MaxRecv = defaultMaxRecv
	}
	return &Server{
		conf:    conf,
		unary:   chainUnaryServer(conf.Unary),
		stream:  chainStreamServer(conf.Stream),
		codec:   newCodec(&wire.Buffers{}),
		budget:  newBudget(conf.Budget),
		methods: map[string]*method{},
		known:   map[string]bool{},
		conns:   map[*serverConn]struct{}{},
		rings:   newRingUse(conf.Rings, nil),
	}
}

// SendWaits returns how often the SendMsg of a handler waited because the budget was used up.
func (s *Server) SendWaits() int64 { return s.budget.waited.Load() }

// Register adds a service.
func (s *Server) Register(desc *grpc.ServiceDesc, impl any) {
	s.known[desc.ServiceName] = true
	s.files.register(desc)
	add := func(name string, m method) {
		m.fullName = methodname.Full(desc.ServiceName, name)
		m.impl = impl
		s.methods[m.fullName] = &m
	}
	for i := range desc.Methods {
		add(desc.Methods[i].MethodName, method{unary: &desc.Methods[i]})
	}
	for _, d := range desc.Streams {
		add(d.StreamName, method{desc: d})
	}
}

// unimplemented returns grpc's error for a method that does not exist.
func (s *Server) unimplemented(fullName string) *status.Status {
	name, ok := strings.CutPrefix(fullName, "/")
	pos := strings.LastIndex(name, "/")
	switch {
	case !ok || pos < 0:
		return status.Newf(codes.Unimplemented, "malformed method name: %q", fullName)
	case !s.known[name[:pos]]:
		return status.Newf(codes.Unimplemented, "unknown service %v", name[:pos])
	default:
		return status.Newf(codes.Unimplemented, "unknown method %v for service %v", name[pos+1:], name[:pos])
	}
}

// Coming announces a connection that another goroutine will pass to Serve or Decline, perhaps much later. Drain
// waits for it until done is called.
func (s *Server) Coming() (done func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.serving++
	return s.left
}

// left is called when a connection is no longer served. No WaitGroup counts them: one must not begin again while
// somebody still waits for its end, and clients come at any time.
func (s *Server) left() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.serving--; s.serving == 0 && s.unserved != nil {
		close(s.unserved)
		s.unserved = nil
	}
}

// Serve serves a connection whose preface was read, until either end closes it. The error says what the
// client did wrong; it is nil if it did nothing wrong.
func (s *Server) Serve(c *net.UnixConn, preface []byte, info credentials.AuthInfo) error {
	nc, err := newConn(c, info, s.codec.pool)
	if err != nil {
		c.Close()
		return nil
	}
	sc := &serverConn{conn: nc, server: s}
	answer := sc.prepareFiles(preface)
	answer.Rings = sc.prepareRings(preface)
	defer sc.leaveFiles()
	if answer.Full, err = s.add(sc); err != nil {
		c.Close()
		return nil
	}
	defer s.remove(sc)
	err = sc.serve(preface, answer)
	if v := wire.Violation(""); !errors.As(err, &v) && !errors.Is(err, errFull) {
		return nil // the client went away, as it may
	}
	return err
}

var errStopped = errors.New("direct transport: the server is stopping")

func (s *Server) add(sc *serverConn) (full bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped {
		return false, errStopped
	}
	if s.hangups == nil {
		if s.hangups, err = newHangups(); err != nil {
			return false, err
		}
	}
	if sc.forget, err = s.hangups.add(sc.conn, sc.hungUp); err != nil {
		return false, err
	}
	full = len(s.conns) >= s.conf.MaxConns
	s.conns[sc] = struct{}{}
	sc.draining, sc.refusing = s.draining, s.refusing
	s.serving++
	return full, nil
}

func (s *Server) remove(sc *serverConn) {
	sc.forget()
	sc.Close()
	sc.stopWaiting()
	if sc.statsBegun {
		s.conf.Stats.conn(sc.peerValues, &stats.ConnEnd{})
	}
	s.mu.Lock()
	delete(s.conns, sc)
	s.mu.Unlock()
	s.closeHangups()
	s.left()
}

// Drain lets running calls finish, accepts no new ones, and returns when they have ended. A connection
// that was accepted before may still arrive with a call that is to be served; call Drain again to wait for
// it.
func (s *Server) Drain() {
	s.mu.Lock()
	s.draining = true
	for sc := range s.conns {
		sc.drain()
	}
	if s.unserved == nil && s.serving > 0 {
		s.unserved = make(chan struct{})
	}
	unserved := s.unserved
	s.mu.Unlock()
	if unserved != nil {
		<-unserved
	}
	s.closeHangups()
}

// RefuseCalls lets no more calls begin. Their clients are told that they are unprocessed.
func (s *Server) RefuseCalls() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refusing = true
	for sc := range s.conns {
		sc.refuse()
	}
}

// AnswerCalls ends all calls whose handlers run with err, whatever the handlers do, and lets no more calls begin on
// their connections. It does not wait until clients have received that.
func (s *Server) AnswerCalls(err error) {
	s.mu.Lock()
	var left []*serverStream
	for sc := range s.conns {
		if call := sc.running(); call != nil {
			left = append(left, call)
		}
	}
	s.mu.Unlock()
	for _, call := range left { // without mu: stats handlers are told
		call.end(err, true)
	}
}

// Stop closes all connections. Handlers may still run for a while, with a context that has ended. Clients whose call
// has not begun are told so; their connections' goroutines may not have run for long.
func (s *Server) Stop() {
	s.mu.Lock()
	s.draining, s.refusing, s.stopped = true, true, true
	for sc := range s.conns {
		sc.refuse()
		sc.turnAway()
		sc.hungUp()
		sc.Close()
	}
	s.mu.Unlock()
	s.closeHangups()
}

// closeHangups ends the watch for hang-ups when the last connection has gone and no more are accepted.
func (s *Server) closeHangups() {
	s.mu.Lock()
	h := s.hangups
	if !s.draining || len(s.conns) > 0 {
		h = nil
	}
	if h != nil {
		s.hangups = nil
	}
	s.mu.Unlock()
	if h != nil {
		h.close()
	}
}

func chainUnaryServer(chain []grpc.UnaryServerInterceptor) grpc.UnaryServerInterceptor {
	if len(chain) < 2 {
		return first(chain)
	}
	outer, inner := chain[0], chainUnaryServer(chain[1:])
	return func(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
		return outer(ctx, req, info, func(ctx context.Context, req any) (any, error) {
			return inner(ctx, req, info, handler)
		})
	}
}

func chainStreamServer(chain []grpc.StreamServerInterceptor) grpc.StreamServerInterceptor {
	if len(chain) < 2 {
		return first(chain)
	}
	outer, inner := chain[0], chainStreamServer(chain[1:])
	return func(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
		return outer(srv, ss, info, func(srv any, ss grpc.ServerStream) error {
			return inner(srv, ss, info, handler)
		})
	}
}

// first returns the only element, or the zero value.
func first[T any](s []T) (only T) {
	if len(s) > 0 {
		only = s[0]
	}
	return only
}
