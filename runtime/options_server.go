package runtime

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/stats"

	"github.com/udsgrpc/udsgrpc/runtime/internal/direct"
	"github.com/udsgrpc/udsgrpc/runtime/internal/listener"
	"github.com/udsgrpc/udsgrpc/runtime/internal/methodname"
	"github.com/udsgrpc/udsgrpc/runtime/internal/nofiles"
	"github.com/udsgrpc/udsgrpc/runtime/socket"
)

// Defaults of a [Server].
const (
	// DefaultShutdownTimeout leaves time to finish within the ten seconds that 'docker stop' allows, the
	// shortest time of the common supervisors.
	DefaultShutdownTimeout = 8 * time.Second

	// http2OpenTimeout is how long a client may take to open its HTTP/2 connection. A process on the same
	// machine needs well under a millisecond; grpc's 120 s are meant for networks, and let idle
	// connections pile up.
	http2OpenTimeout = 5 * time.Second

	// keepaliveMinTime is how often a client may send HTTP/2 pings, with calls or without. grpc's five
	// minutes are meant against floods from networks, and cut off clients with settings that are usual
	// there; on a socket a ping costs microseconds.
	keepaliveMinTime = 500 * time.Millisecond
)

// http2Window is HTTP/2's flow control window, of streams and connections, at both ends: the largest
// message that grpc takes by default fits. As it does not adapt to the delay, which there is none of,
// grpc sends no pings to measure that. Windows of 1 and of 16 MiB both took 11 % off the time of a
// message there and back in a stream and 8 % off the allocations of a call, and made a stream 6 to 9 %
// faster, against those that adapt.
//
// All other settings of grpc are left as they are: larger buffers and workers for streams made no
// difference beyond the noise, no buffers made all slower. See docs/benchmarks/settings.md.
const http2Window = 4 << 20

// ServerOption changes how a [Server] is made.
type ServerOption func(*serverConfig)

type serverConfig struct {
	listen          listener.Config
	takeover        bool
	takeoverTimeout time.Duration   // TakeoverTimeout, but in tests
	standby         context.Context // nil unless asked for
	http2Only       bool
	socketOnly      bool
	events          *slog.Logger // nil for none
	counters        *serverCounters
	auth            authorization // as the options set it; see newAuthorization
	shutdownTimeout time.Duration
	health          bool
	reflection      bool
	noInspection    bool
	inspectMessages bool
	unary           []grpc.UnaryServerInterceptor
	stream          []grpc.StreamServerInterceptor
	stats           []stats.Handler
	maxRecv         int
	maxFiles        maxFiles
	sendBudget      int
	maxConnsPerUser int // 0 for the default
	raw             []grpc.ServerOption
	err             error
}

// newServerConfig applies the options of a server on addr. After that the configuration does not change.
func newServerConfig(addr socket.Address, opts []ServerOption) (*serverConfig, error) {
	counters := &serverCounters{}
	c := &serverConfig{
		counters:        counters,
		auth:            authorization{declared: map[string]Policy{}, methods: map[string]Policy{}, sameUser: inherited().sameUser(addr), counters: counters},
		shutdownTimeout: DefaultShutdownTimeout,
		takeoverTimeout: TakeoverTimeout,
	}
	for _, opt := range opts {
		if opt != nil {
			opt(c)
		}
	}
	c.checkOptions()
	c.events, c.auth.audit = logFor(addr, c.events), logFor(addr, c.auth.audit)
	return c, errors.Join(c.err, c.auth.resolve())
}

// checkOptions rejects options that contradict each other.
func (c *serverConfig) checkOptions() {
	if c.listen.DirMode != 0 && !c.listen.CreateDir {
		c.reject("DirMode without CreateDir: no directory is made")
	}
	if c.listen.DirMode&0o022 != 0 && !c.listen.AllowUnsafeDir {
		c.reject("directory mode %#o: others could replace the socket: take the write permission of group and others away", c.listen.DirMode)
	}
	if c.inspectMessages && c.noInspection {
		c.reject("InspectMessages with NoInspection: nobody can see them")
	}
	if c.auth.auditAll && c.auth.audit == nil {
		c.reject("AuditAllowedCalls without AuditLog: there is no log to record calls in")
	}
}

// grpcOptions returns the options for grpc.NewServer. The caller's own options come last and so override
// the others.
func (s *Server) grpcOptions() []grpc.ServerOption {
	opts := []grpc.ServerOption{
		grpc.Creds(s.credentials()),
		grpc.ConnectionTimeout(http2OpenTimeout),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: keepaliveMinTime, PermitWithoutStream: true}),
		grpc.StaticStreamWindowSize(http2Window),
		grpc.StaticConnWindowSize(http2Window),
		grpc.ChainUnaryInterceptor(append([]grpc.UnaryServerInterceptor{s.ending.Unary(nofiles.UnaryServer(s.outerUnary()))}, s.config.unary...)...),
		grpc.ChainStreamInterceptor(append([]grpc.StreamServerInterceptor{s.inspection.RecordStreams(s.ending.Stream(nofiles.StreamServer(s.outerStream())))}, s.config.stream...)...),
	}
	for _, h := range s.config.stats {
		opts = append(opts, grpc.StatsHandler(h))
	}
	if s.config.maxRecv > 0 {
		opts = append(opts, grpc.MaxRecvMsgSize(s.config.maxRecv))
	}
	return append(opts, s.config.raw...)
}

// newDirectServer returns the server of the direct transport; nil if that is turned off, or cannot honour the
// options given for grpc.
func (s *Server) newDirectServer() *direct.Server {
	if s.config.http2Only || len(s.config.raw) > 0 || !direct.Supported {
		return nil
	}
	permits := s.auth.permits
	if len(s.config.unary) > 0 {
		permits = nil // they run for every call
	}
	return direct.NewServer(direct.ServerConfig{
		Base:     s.ending.Base(),
		Unary:    append([]grpc.UnaryServerInterceptor{s.outerUnary()}, s.config.unary...),
		Permits:  permits,
		Allowed:  s.auth.allowed,
		Result:   s.result,
		Stream:   append([]grpc.StreamServerInterceptor{s.inspection.RecordStreams(s.outerStream())}, s.config.stream...),
		Stats:    s.config.stats,
		MaxRecv:  s.config.maxRecv,
		MaxConns: math.MaxInt, // package admission limits them
		Budget:   int64(s.config.sendBudget),

		MaxFiles:  s.config.maxFiles.get(),
		FilesFrom: s.auth.filesFrom,
		Rings:     s.config.rings(),
	})
}

func (s *Server) credentials() transportCredentials {
	return transportCredentials{
		audit:    s.config.auth.audit,
		dispatch: s.dispatch,
		draining: s.draining,
		counted:  &s.config.counters.connections,
	}
}

// outerUnary returns the interceptor that is outside those of the program: the rule is decided before they run, and
// what comes back is made fit for the client. It is one interceptor, as a chain would allocate for each call.
func (s *Server) outerUnary() grpc.UnaryServerInterceptor {
	guard := s.auth.guardUnary(s.config.unary)
	return func(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
		reply, err := guard(ctx, req, info, next)
		if err != nil {
			err = s.result(info.FullMethod, err)
		}
		return reply, err
	}
}

// result makes the error of a unary call fit for the client.
func (s *Server) result(fullMethod string, err error) error {
	return s.errors.Limit(fullMethod, s.ending.Result(err, false))
}

// outerStream returns the same for streams.
func (s *Server) outerStream() grpc.StreamServerInterceptor {
	guard := s.auth.guardStream(s.config.stream)
	return func(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) error {
		return s.errors.Limit(info.FullMethod, s.ending.Result(guard(srv, ss, info, next), info.IsServerStream))
	}
}

func (c *serverConfig) reject(format string, args ...any) {
	c.err = errors.Join(c.err, fmt.Errorf(format+": %w", append(args, fs.ErrInvalid)...))
}

// SocketMode sets the mode of the socket file; users that may write to it may connect. The default is
// [socket.DefaultMode], 0600. Abstract names and sockets on Windows have no mode; that of a socket that
// systemd passed is set by its unit.
func SocketMode(mode fs.FileMode) ServerOption {
	return func(c *serverConfig) {
		if mode == 0 || mode&^fs.ModePerm != 0 {
			c.reject("socket mode %#o: give permission bits, as in 0660", uint32(mode))
		}
		c.listen.Mode = mode
	}
}

// SocketOwner gives the socket file to a user and a group; -1 leaves that half as it is. With mode 0660 it
// lets a group in. Only root can give it to another user; giving it to a group needs membership. Abstract
// names and Windows fail with [socket.ErrUnsupported]; the owner of a socket that systemd passed is set by
// its unit.
func SocketOwner(uid, gid int) ServerOption {
	return func(c *serverConfig) {
		if uid < -1 || gid < -1 {
			c.reject("socket owner %d:%d: give ids, or -1 for no change", uid, gid)
		}
		c.listen.Owner = &listener.Owner{UID: uid, GID: gid}
	}
}

// Authorize sets who may call the server; the default is [SameUser]. Each call of anybody else is refused
// with codes.PermissionDenied, in words that name the caller and the rule. It applies to every method,
// including those of health and reflection, except methods that [AuthorizeMethod] has a rule for. Where
// the .proto file declares a rule, both must let the caller in: an option can narrow what is declared,
// never widen it.
//
// The rule is decided first, before any interceptor runs; see [UnaryInterceptor].
//
// A rule that lets in other users needs a [SocketMode] that lets them connect, and directories that let
// them pass. Without the mode, or if [CreateDir] makes a directory that keeps them out, NewServer fails.
// If another directory on the way seems to keep them out, the [EventLog] says so once. (Abstract names, to
// which everyone can connect, have no mode; that of a socket that systemd passed is set by its unit.)
func Authorize(p Policy) ServerOption {
	return func(c *serverConfig) { c.auth.general = &p }
}

// AuthorizeMethod sets who may call one method, given by its full name, instead of the rule that
// [Authorize] sets for all. The name is in the generated constant Xxx_Method_FullMethodName, as
// greeterv1.Greeter_Greet_FullMethodName for "/greeter.v1.Greeter/Greet".
//
// A method that no registered service has makes Serve fail, with an error that names the nearest one: the
// method that was meant would be open to others. This is not checked with [GRPCServerOptions], one of
// which can serve methods that are not registered.
func AuthorizeMethod(fullMethod string, p Policy) ServerOption {
	return func(c *serverConfig) {
		if !methodname.IsFull(fullMethod) {
			c.reject("method %q: give its full name, as in /greeter.v1.Greeter/Greet", fullMethod)
		}
		c.auth.methods[fullMethod] = p
	}
}

// AuditLog writes one record for each accepted connection, at level Info, and one for each refused call,
// at level Warn, with the peer's uid, gid and process id. There is none by default. [AuditAllowedCalls]
// adds allowed calls.
func AuditLog(logger *slog.Logger) ServerOption {
	return func(c *serverConfig) { c.auth.audit = logger }
}

// AuditAllowedCalls makes the [AuditLog] write a record for each allowed call, too, at level Info, with
// the method, the rule and the peer. It is written before interceptors and the handler run. Without an
// AuditLog it is an error of NewServer.
func AuditAllowedCalls() ServerOption {
	return func(c *serverConfig) { c.auth.auditAll = true }
}

// EventLog writes a record for events that matter to an operator: the server serves, or drains; somebody
// removed the socket file and it was bound again, or could not be; the socket was handed over to another
// process, see [Takeover], or that failed, and why; a user is turned away, see [MaxConnsPerUser]; somebody
// looks at what the server does, see [NoInspection]; an error was too large for a trailer, see [Server]. There is none
// by default.
func EventLog(logger *slog.Logger) ServerOption {
	return func(c *serverConfig) { c.events = logger }
}

// Takeover makes a server that finds its path owned by another udsgrpc server of the same user take it
// over; at every moment clients find one of the two. It is for the restart that installs a new version:
// start the new process, and the old one ends by itself.
//
// NewServer asks the old server, which continues to serve, for the listening socket and the lock. When
// Serve begins, the old one accepts no more clients and finishes its calls, and its Serve returns nil; the
// new one answers clients that wait to be accepted. The socket file stays the same one. If any step fails,
// the error of NewServer or Serve names the step and wraps [socket.ErrInUse], and the old server continues
// to serve, even if the new process is killed. If the old server is told to stop, or dies, before the new
// one serves, Serve of the new one waits until the path is free, and makes a new socket file there. If the
// path is free from the beginning, Takeover changes nothing.
//
// Between NewServer and Serve the new server has 30 s. Then the offer lapses, Serve
// fails, and the old server continues to serve. Further servers with Takeover wait in NewServer, in turn,
// and then ask the current owner; they also wait while the owner drains. After [TakeoverTimeout], 35 s,
// they, and a Serve that waits, fail with [socket.ErrInUse], which says who holds the path.
//
// Together with [Standby] it takes over from an owner that hands over, and waits where that is not
// possible: the owner is no udsgrpc server, or does not answer, or has the socket from its parent process.
// An owner of another user is an error at once, which wraps [fs.ErrPermission].
//
// On Linux only; elsewhere a path in use is [socket.ErrInUse] as without it. A path passed by
// systemd is used as it is.
func Takeover() ServerOption {
	return func(c *serverConfig) { c.takeover = true }
}

// Standby makes NewServer wait until its path is free, instead of failing with [socket.ErrInUse]: when the
// owner ends, or dies, the standby has the path within a few milliseconds (on systems other than Linux,
// about 50). If ctx ends first, NewServer fails, and the error wraps that of ctx. If several standbys
// wait, one gets the path. Standby can be combined with [Takeover].
func Standby(ctx context.Context) ServerOption {
	return func(c *serverConfig) {
		if ctx == nil {
			c.reject("Standby with a nil context: give context.Background() to wait without an end")
		}
		c.standby = ctx
	}
}

// AllowUnsafeDir accepts a directory in which other users can replace the socket. Without it such a
// directory is [socket.ErrUnsafeDir].
func AllowUnsafeDir() ServerOption {
	return func(c *serverConfig) { c.listen.AllowUnsafeDir = true }
}

// CreateDir creates the missing directories of the socket's path. Their mode is [socket.DefaultDirMode],
// 0700, whatever the umask, so a server for other users needs [DirMode], too. Existing directories are not
// changed.
func CreateDir() ServerOption {
	return func(c *serverConfig) { c.listen.CreateDir = true }
}

// DirMode sets the mode of directories that [CreateDir] creates: 0755 lets everyone pass through, 0750 a
// group, to which they are given if [SocketOwner] names one. Write permission for others is an error of
// NewServer without [AllowUnsafeDir], and so is DirMode without CreateDir.
func DirMode(mode fs.FileMode) ServerOption {
	return func(c *serverConfig) {
		if mode&^fs.ModePerm != 0 || mode&0o700 != 0o700 {
			c.reject("directory mode %#o: give permission bits with all of the owner's, as in 0755", uint32(mode))
		}
		c.listen.DirMode = mode
	}
}

// ShutdownTimeout sets how long a drain may take, with all that follows; the default is
// [DefaultShutdownTimeout]. Choose it below the time that the supervisor allows: by default 10 s for
// docker, 30 s for Kubernetes, 90 s for systemd.
//
// One second before its end (a quarter of it before, if it is below 4 s) the contexts of the calls that still
// run end. Their context.Cause is a status of codes.Unavailable, and wraps [grpc.ErrServerStopped]. A handler
// that returns then ends its call as usual, so a reply or an error of its own arrives. But an error that only
// says that the call was cancelled becomes Unavailable, as the client did not cancel it, and so does the end
// of a stream of messages to the client without an error, which would look like a complete one. In the last
// quarter of that time all other calls are answered with Unavailable, whatever their handlers do. Then the
// connections are closed. With zero they are closed at once.
func ShutdownTimeout(d time.Duration) ServerOption {
	return func(c *serverConfig) {
		if d < 0 {
			c.reject("shutdown timeout %v: give zero or more", d)
		}
		c.shutdownTimeout = d
	}
}

// Health serves grpc.health.v1.Health, with SERVING for "" and every registered service
// while the server serves, and NOT_SERVING from the moment it drains, and while it has lost its path.
func Health() ServerOption {
	return func(c *serverConfig) { c.health = true }
}

// Reflection serves grpc.reflection, v1 and v1alpha, with which tools like grpcurl find out
// what a server offers.
func Reflection() ServerOption {
	return func(c *serverConfig) { c.reflection = true }
}
