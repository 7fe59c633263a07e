package runtime

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync"

	"google.golang.org/grpc"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/reflection"

	"github.com/udsgrpc/udsgrpc/runtime/internal/admission"
	"github.com/udsgrpc/udsgrpc/runtime/internal/direct"
	"github.com/udsgrpc/udsgrpc/runtime/internal/ending"
	"github.com/udsgrpc/udsgrpc/runtime/internal/healthcheck"
	"github.com/udsgrpc/udsgrpc/runtime/internal/inspect"
	"github.com/udsgrpc/udsgrpc/runtime/internal/statuslimit"
	"github.com/udsgrpc/udsgrpc/runtime/socket"
)

// Server serves gRPC on a Unix domain socket that it owns. [NewServer], or a generated
// constructor that calls it, makes one. Its methods may be called concurrently.
//
// The text and the details of an error that a handler or an interceptor returns have 7 KiB together, reckoned as HTTP/2
// sends them: percent-encoded, and in base64 together with the text. If there is more, the text is cut, to 1 KiB at the
// least, or the details are left out; the text says so, and the [EventLog], once a minute at most. Clients whose limit
// for a trailer is exceeded, usually 8 KiB, lose the call's code, or their connection.
//
// A Server holds its path until Serve has returned or Close was called; always call one of them.
type Server struct {
	// Set by NewServer.
	addr   socket.Address
	grpc   *grpc.Server
	direct *direct.Server      // nil if there is HTTP/2 only
	health *healthcheck.Server // nil unless asked for
	config *serverConfig       // does not change
	auth   *authorization      // services add to it, guarded by mu, until the server serves

	handovers    context.Context // ends when the listener may no longer be handed over
	endHandovers context.CancelFunc
	handedOver   chan struct{} // closed when another process has the listener
	draining     chan struct{} // closed in stateDraining and after it
	ending       *ending.Calls
	errors       *statuslimit.Limiter
	successors   sync.WaitGroup // goroutines that hand over
	admission    *admission.Admission

	inspection *inspect.Inspection // nil if it is turned off
	viewers    sync.WaitGroup      // their connections

	mu          sync.Mutex // guards what follows
	opened      opened     // the listener that has the path
	warned      warned
	state       serverState
	registerErr error
}

// NewServer claims path, in any form that [socket.ParseAddress] reads, and listens on it. When it returns,
// clients can connect; their calls wait until Serve runs. So register the services, then call Serve;
// several services may share one server.
//
// By default the socket file has mode 0600 and only processes of the same user may call; see [Authorize].
//
// If systemd has passed a listener on path to this process, NewServer uses that; see [socket.Activated].
// It remains systemd's, which has made it with the mode and owner that its unit names: [SocketMode],
// [SocketOwner], [CreateDir] and [AllowUnsafeDir] have no effect, and the socket file is not removed at
// the end.
//
// The errors are those of [socket.ListenConfig.Listen]: [socket.ErrInUse] when another process owns the
// path, [socket.ErrNotSocket] when something else is there, [socket.ErrPathTooLong], [socket.ErrUnsafeDir]
// and [socket.ErrUnsupported]. An invalid option is an error too, and so is a rule for a user or group of
// an unknown name; see [AllowUserName]. A failed NewServer leaves nothing behind but, at most, the lock file
// beside the path, and directories that [CreateDir] has made. NewServer waits only with [Takeover] and
// [Standby].
func NewServer(path string, opts ...ServerOption) (*Server, error) {
	addr, err := resolve(path)
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	config, err := newServerConfig(addr, opts)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", addr, err)
	}
	s := &Server{
		config:     config,
		addr:       addr,
		auth:       config.newAuthorization(),
		handedOver: make(chan struct{}),
		draining:   make(chan struct{}),
		ending:     ending.New(addr.String()),
		errors:     statuslimit.NewLimiter(config.event),
	}
	s.handovers, s.endHandovers = context.WithCancel(context.Background())
	s.inspection = s.newInspection()
	if s.grpc, err = s.newGRPCServer(); err != nil {
		return nil, fmt.Errorf("listen on %s: %w", addr, err)
	}
	s.direct = s.newDirectServer()
	s.admission = s.newAdmission()
	// Claiming a path does not block. A takeover has a time limit, and a standby its own context.
	if s.opened, err = s.openListener(context.Background()); err != nil {
		s.stop() // grpc starts workers at once, if an option asks for them
		return nil, err
	}
	s.warn(s.warnings())
	if config.health {
		s.health = healthcheck.New(s.draining)
		healthv1.RegisterHealthServer(s, s.health)
	}
	if config.reflection {
		reflection.Register(s)
	}
	return s, nil
}

// newGRPCServer turns the panic with which grpc.NewServer answers contradicting options
// into an error. Only options given through [GRPCServerOptions] can contradict.
func (s *Server) newGRPCServer() (_ *grpc.Server, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("options given to GRPCServerOptions: %v", r)
		}
	}()
	return grpc.NewServer(s.grpcOptions()...), nil
}

// Path returns the absolute path of the socket, or "@" and the name for an abstract one.
func (s *Server) Path() string { return s.addr.String() }

// RegisterService adds a service; generated RegisterXxxServer functions call it. It must be called before
// Serve. Rules that the .proto file of the service declares are enforced. A service that cannot be served
// (registered twice, nil, of the wrong type, too late, or with a rule for users that the socket's mode
// keeps out or that are unknown) makes Serve return an error that says so.
func (s *Server) RegisterService(desc *grpc.ServiceDesc, impl any) {
	s.warn(s.register(desc, impl, nil))
}

// register adds a service, with a rule for all its methods unless that is nil, and returns what is to be logged.
func (s *Server) register(desc *grpc.ServiceDesc, impl any, rule *Policy) (warnings []warning) {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.checkService(desc, impl)
	if err == nil {
		warnings, err = s.declare(desc, rule)
	}
	if err != nil {
		s.refuseLocked(fmt.Errorf("register service %s on %s: %w", desc.ServiceName, s.Path(), err))
		return warnings
	}
	desc = s.inspection.Record(desc)
	s.grpc.RegisterService(desc, impl)
	if s.direct != nil {
		s.direct.Register(desc, impl)
	}
	return warnings
}

// refuse makes Serve return err, about a service that cannot be served.
func (s *Server) refuse(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refuseLocked(err)
}

func (s *Server) refuseLocked(err error) { s.registerErr = errors.Join(s.registerErr, err) }

// checkService finds errors for which grpc would end the whole process.
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
func (s *Server) GetServiceInfo() map[string]grpc.ServiceInfo {
	s.mu.Lock() // grpc's own method must not run while a service is registered
	defer s.mu.Unlock()
	return s.grpc.GetServiceInfo()
}
