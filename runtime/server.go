package runtime

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/reflection"

	"github.com/udsgrpc/udsgrpc/runtime/internal/direct"
	"github.com/udsgrpc/udsgrpc/runtime/socket"
)

// Server serves gRPC on a Unix domain socket that it owns. [NewServer], or a generated
// constructor that calls it, makes one. Its methods may be called concurrently.
//
// A Server holds its path until Serve has returned or Close was called; call one of them in
// any case.
type Server struct {
	addr   socket.Address
	grpc   *grpc.Server
	direct *direct.Server // nil if there is HTTP/2 only
	health *health.Server // nil unless asked for
	config *serverConfig

	handovers    context.Context // ends when the listener is not to be handed over any more
	endHandovers context.CancelFunc
	handedOver   chan struct{} // closed when another process has the listener
	draining     chan struct{} // closed in stateDraining and after it
	successors   sync.WaitGroup
	arrivals     arrivals
	admission    *admission

	mu          sync.Mutex
	listener    *socket.Listener // the one that has the path
	state       serverState
	registerErr error
}

// serverState is where in its life a server is. It only goes forward, and may leave states out; see
// start and advance.
type serverState int

const (
	stateNew serverState = iota
	stateServing
	stateDraining
	stateClosed
)

// NewServer claims path, in any form that [socket.ParseAddress] reads, and listens on it.
// When it returns, clients can connect; their calls wait until Serve runs. So register the
// services, then call Serve; several services may share one server.
//
// Unless told otherwise, the socket file has mode 0600 and only processes of the same user may
// call; see [Authorize].
//
// If systemd has passed a listener on path to this process, that one is used; see
// [socket.Activated]. It stays systemd's, which has made it with the mode and owner that its
// unit names: [SocketMode], [SocketOwner], [CreateDir] and [AllowUnsafeDir] have no effect, and
// the socket file is not removed at the end.
//
// The errors are those of [socket.ListenConfig.Listen]: [socket.ErrInUse] when another
// process owns the path, [socket.ErrNotSocket] when something else is there,
// [socket.ErrPathTooLong], [socket.ErrUnsafeDir] and [socket.ErrUnsupported]. An option that
// makes no sense is an error too, and so is a rule for a user or group of an unknown name; see
// [AllowUserName]. Nothing is left behind by a NewServer that failed.
func NewServer(path string, opts ...ServerOption) (*Server, error) {
	config, err := newServerConfig(opts)
	if err != nil {
		return nil, err
	}
	addr, err := resolve(path)
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	config.events, config.auth.audit = logFor(addr, config.events), logFor(addr, config.auth.audit)
	s := &Server{config: config, addr: addr, handedOver: make(chan struct{}), draining: make(chan struct{})}
	s.handovers, s.endHandovers = context.WithCancel(context.Background())
	config.divert, config.greeted = s.divert, func() { s.arrivals.handshakes.Add(1) }
	config.draining = s.draining
	s.arrivals.unknown = len(config.raw) > 0
	if s.grpc, err = newGRPCServer(config); err != nil {
		return nil, err
	}
	s.direct = config.directServer()
	s.admission = config.newAdmission()
	// NewServer has no context: claiming a path does not block.
	if s.listener, err = acquire(context.Background(), config, addr); err != nil {
		return nil, err
	}
	config.warn(addr)
	if config.health {
		s.health = health.NewServer()
		healthv1.RegisterHealthServer(s, healthService{s.health})
	}
	if config.reflection {
		reflection.Register(s)
	}
	return s, nil
}

// newGRPCServer turns the panic with which grpc.NewServer answers contradicting options
// into an error. Only options given through [GRPCServerOptions] can contradict.
func newGRPCServer(config *serverConfig) (s *grpc.Server, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("options given to GRPCServerOptions: %v", r)
		}
	}()
	return grpc.NewServer(config.grpcOptions()...), nil
}

// Path returns the absolute path of the socket, or "@" and the name for an abstract one.
func (s *Server) Path() string { return s.addr.String() }

// RegisterService adds a service; generated RegisterXxxServer functions call it. It must be
// called before Serve. Rules that its .proto file declares are enforced. A service that
// cannot be served (registered twice, nil, of the wrong type, too late, or with a rule for users
// whom the socket's mode keeps out or who are unknown) makes Serve return an error that says so.
func (s *Server) RegisterService(desc *grpc.ServiceDesc, impl any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.checkService(desc, impl)
	if err == nil {
		err = s.config.declare(declaredPolicies(desc), s.addr)
	}
	if err != nil {
		s.registerErr = errors.Join(s.registerErr, fmt.Errorf("register service %s on %s: %w", desc.ServiceName, s.Path(), err))
		return
	}
	s.grpc.RegisterService(desc, impl)
	if s.direct != nil {
		s.direct.Register(desc, impl)
	}
}

// checkService finds out beforehand what makes grpc end the whole process.
func (s *Server) checkService(desc *grpc.ServiceDesc, impl any) error {
	if s.state != stateNew {
		return errors.New("the server was started or closed already: register before Serve")
	}
	if _, ok := s.grpc.GetServiceInfo()[desc.ServiceName]; ok {
		return errors.New("it is registered already: register each service once")
	}
	if impl == nil {
		return errors.New("the implementation is nil")
	}
	want := reflect.TypeOf(desc.HandlerType).Elem()
	if got := reflect.TypeOf(impl); !got.Implements(want) {
		return fmt.Errorf("%v does not implement %v", got, want)
	}
	return nil
}

// GetServiceInfo returns the registered services by their full names, as
// [grpc.Server.GetServiceInfo] does.
func (s *Server) GetServiceInfo() map[string]grpc.ServiceInfo { return s.grpc.GetServiceInfo() }

// Serve answers calls until ctx ends. Then it drains: the socket file is removed, so that no
// new client comes; calls of clients that are connected already are finished; whatever still
// runs after the [ShutdownTimeout], as open streams may, is cancelled. Then the path is free
// for a successor, and Serve returns nil. Handlers learn of the drain by [DrainingFromContext].
//
// Serve also returns nil when Close is called meanwhile, and when another process has taken over; see
// [Takeover] and [Server.HandedOver]. It returns an error if a service could not be registered, if
// [AuthorizeMethod] names a method that none of them has, if the server was served or closed before, or if
// the listener fails; the path is given free in these cases, too, but for a Serve that found another one
// running.
//
// A socket that is systemd's stays; whoever connects to it during the drain waits for the next
// process that systemd starts. If NOTIFY_SOCKET is set, systemd is told READY=1 when the first
// server of the process serves, and STOPPING=1 when the last one drains or closes (sd_notify(3)).
// A systemd that cannot be told does not matter.
//
// If somebody removes the socket file meanwhile, or puts something in its place that is not in
// use, Serve binds the path again at once; connections are not touched by that. A directory that was removed
// and made anew is checked as at the start, and the path is claimed there, at once or within ten
// seconds. What another process has made of the path is left alone; the [EventLog] tells, and [Health] says
// NOT_SERVING until the path is the server's again.
//
// A ctx of [signal.NotifyContext] goes on catching signals after the first: a second SIGINT does not cut
// the drain short, unless its stop function is called when ctx ends, as with [context.AfterFunc].
//
// A handler that ignores its context may outlive Serve.
func (s *Server) Serve(ctx context.Context) error {
	if err := s.start(); err != nil {
		return err
	}
	if err := s.commit(); err != nil {
		return err
	}
	ctx, leave := underParent(ctx, s.current())
	defer leave()
	served := s.accept(s.current())
	s.notifyReady()
	s.config.event(slog.LevelInfo, "serving")
	err := s.serveUntil(ctx, served)
	if err != nil {
		err = fmt.Errorf("serve on %s: %w", s.Path(), err)
	}
	return errors.Join(err, s.Close())
}

// serveUntil returns when ctx has ended, or another process has the listener, and the calls
// are finished; or when accepting fails.
func (s *Server) serveUntil(ctx context.Context, served <-chan error) error {
	watching, stopWatching := context.WithCancel(ctx)
	rebound := make(chan *socket.Listener)
	go s.lookAfter(watching, s.current(), rebound)
	endWatch := func() {
		stopWatching()
		for l := range rebound {
			l.UnixListener.Close()
		}
	}
	defer endWatch()
	for {
		select {
		case err := <-served:
			return err
		case l, ok := <-rebound:
			if ok { // else ctx has ended, and so has the watch
				served = s.moveTo(l, served)
			}
		case <-ctx.Done():
			stopWatching()
			for l := range rebound { // clients may have come to it already
				served = s.moveTo(l, served)
			}
			s.drain()
			return <-served
		case <-s.handedOver:
			endWatch()
			s.leave(served)
			return nil
		}
	}
}

// advance makes the step to a later state, if the server is not there yet.
func (s *Server) advance(to serverState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state < stateDraining && to >= stateDraining {
		close(s.draining)
	}
	s.state = max(s.state, to)
}

func (s *Server) isClosed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state == stateClosed
}

// start makes the step from new to serving, which can be made once.
func (s *Server) start() error {
	s.mu.Lock()
	state, registerErr := s.state, s.registerErr
	if state == stateNew && registerErr == nil {
		s.state = stateServing
	}
	s.mu.Unlock()
	switch {
	case state == stateServing, state == stateDraining:
		return fmt.Errorf("serve on %s: the server is serving already", s.Path())
	case state == stateClosed:
		return fmt.Errorf("serve on %s: %w", s.Path(), grpc.ErrServerStopped)
	case registerErr != nil:
		return errors.Join(registerErr, s.Close())
	}
	if len(s.config.raw) == 0 { // else there can be a handler of methods that are not registered
		if err := s.config.auth.checkMethods(s.grpc.GetServiceInfo()); err != nil {
			return errors.Join(fmt.Errorf("serve on %s: %w", s.Path(), err), s.Close())
		}
	}
	s.config.auth.settle()
	s.setHealth(healthv1.HealthCheckResponse_SERVING)
	return nil
}

// Close stops the server now: the socket file is removed, connections are closed, running
// calls are cancelled, and the path is free. Close does not wait for handlers to return. It
// may be called at any time; closing again does nothing. A socket file that could not be removed is an
// error, of Serve, too.
func (s *Server) Close() error {
	s.advance(stateClosed)
	// The name goes first, so that no client finds a server that is about to hang up.
	// A file that cannot be removed is an error of the listener's Close.
	s.current().Withdraw()
	s.endHandovers()
	s.successors.Wait()
	s.stop()
	s.notifyStopping()
	return s.current().Close()
}
