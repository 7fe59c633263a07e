package runtime

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/udsgrpc/udsgrpc/runtime/internal/childproc"
)

const (
	// restartPause is the first pause before a supervisor starts a child again. Each further pause in a
	// row is twice as long, up to longestRestartPause.
	restartPause        = 100 * time.Millisecond
	longestRestartPause = 10 * time.Second

	// settledTime is how long a child must have served for a new row to begin with its end.
	settledTime = 10 * time.Second
)

// Supervisor keeps a child running. [Supervise] makes one. Its methods may be called concurrently. Call
// Close, or end the context given to Supervise.
type Supervisor struct {
	socket  *childSocket
	program string // of the first child
	command func() *exec.Cmd
	user    int // of the children; -1 for this process's
	config  childConfig
	cancel  context.CancelFunc
	done    chan struct{}
	err     error // what Close returns; for readers of done
	gaveUp  atomic.Pointer[error]

	mu       sync.Mutex
	process  *supervisedChild // nil between two children
	restarts int
}

// supervisedChild is one of the children, with what it has written last.
type supervisedChild struct {
	*childproc.Process
	stderr *childproc.StderrTail
}

// Supervise starts a child as [StartChild] does, and starts another one whenever it ends, until Close is
// called or ctx ends:
//
//	s, err := runtime.Supervise(ctx, func() *exec.Cmd { return exec.Command("greeter-plugin") })
//	defer s.Close()
//	client := greeterv1.NewGreeterClient(s.Conn())
//
// command is called for each start, one call at a time, and must return a new command. Every child has the
// same path, and the same user, so that one connection leads to each of them.
//
// Supervise returns when the first child serves. If that fails, Supervise fails as StartChild would. A
// child that ends later, in whatever way, is started again after a tenth of a second, and twice as long
// after each further failure in a row, up to ten seconds. After [DefaultRestartLimit] restarts in a row,
// or as many as [RestartLimit] says, the supervisor gives up: Done is closed, calls fail with
// codes.Unavailable and the reason, and Close returns that as an error. A child that has served for ten
// seconds begins a new row.
//
// The error has the last words of the child: what it wrote last to its standard error, unless cmd.Stderr
// is an [os.File], to which the child writes directly. (Otherwise, also if it is not set, the child writes
// to a pipe of this process: if this process is killed, a child that writes to it gets SIGPIPE.)
//
// The options are those of StartChild. On Windows the error is [socket.ErrUnsupported].
func Supervise(ctx context.Context, command func() *exec.Cmd, opts ...ChildOption) (*Supervisor, error) {
	config, err := newChildConfig(opts)
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return nil, fmt.Errorf("supervise a child: %w", err)
	}
	cmd := command()
	if cmd == nil {
		return nil, fmt.Errorf("supervise a child: %w", errNoCommand)
	}
	s := &Supervisor{program: cmd.Path, command: command, user: childproc.User(cmd), config: config, done: make(chan struct{})}
	dial := append(childPolicy(cmd), config.dial...)
	// After those of the caller, so that they see what it says.
	dial = append(dial, WithUnaryInterceptor(s.explainUnary), WithStreamInterceptor(s.explainStream))
	if s.socket, err = newChildSocket(dial); err != nil {
		return nil, startError(cmd, err)
	}
	ctx, s.cancel = context.WithCancel(ctx)
	p, err := s.start(ctx, cmd)
	if err != nil {
		s.cancel()
		return nil, startError(cmd, errors.Join(err, s.socket.close()))
	}
	go func() { // ends when Close is called, or ctx ends, or it gives up
		defer close(s.done)
		s.err = s.keepRunning(ctx, p)
		s.cancel()
		s.setProcess(nil)
		s.err = errors.Join(s.err, s.socket.close())
	}()
	return s, nil
}

var errNoCommand = errors.New("the function for its command returned nil")

// start starts a child, and returns when it serves.
func (s *Supervisor) start(ctx context.Context, cmd *exec.Cmd) (*supervisedChild, error) {
	if cmd == nil {
		return nil, errNoCommand
	}
	if user := childproc.User(cmd); user != s.user {
		return nil, fmt.Errorf("its user is %d, and that of the first child was %d: the connection is for one user's", user, s.user)
	}
	// A child that was killed has left its socket.
	if err := os.Remove(s.socket.path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	stderr := childproc.KeepStderr(cmd)
	process, err := childproc.Start(ctx, cmd, s.socket.path, s.config.timeouts)
	if err != nil {
		return nil, stderr.Explain(err)
	}
	p := &supervisedChild{process, stderr}
	s.setProcess(p)
	s.event(slog.LevelInfo, "child serves", slog.Int("pid", p.PID()))
	return p, nil
}

// keepRunning starts children one after the other, beginning with p's successor, until ctx ends or too many
// have failed in a row.
func (s *Supervisor) keepRunning(ctx context.Context, p *supervisedChild) error {
	failed := 0 // in a row
	for {
		began := time.Now()
		select {
		case <-ctx.Done():
			if err := p.Stop(context.Background()); err != nil { // it takes the StopTimeout at most
				return fmt.Errorf("the last child: %w", p.stderr.Explain(err))
			}
			return nil
		case <-p.Exited():
		}
		why := p.stderr.Explain(p.ExitError())
		if time.Since(began) >= s.config.settledTime {
			failed = 0
		}
		for p = nil; p == nil; {
			s.event(slog.LevelWarn, "child ended", slog.Any("error", why))
			if failed++; failed > s.config.restartLimit {
				return s.giveUp(failed-1, why)
			}
			select {
			case <-ctx.Done():
				return nil
			case <-time.After(pauseBefore(failed, s.config.restartPause)):
			}
			s.mu.Lock()
			s.restarts++
			s.mu.Unlock()
			if p, why = s.start(ctx, s.command()); why != nil && ctx.Err() != nil {
				return nil
			}
		}
	}
}

// pauseBefore returns how long to wait before the nth restart in a row.
func pauseBefore(n int, first time.Duration) time.Duration {
	pause := first
	for ; n > 1 && pause < longestRestartPause; n-- {
		pause *= 2
	}
	return min(pause, longestRestartPause)
}

func (s *Supervisor) giveUp(restarts int, why error) error {
	err := fmt.Errorf("gave up on a child after %d restarts in a row: %w", restarts, why)
	s.gaveUp.Store(&err)
	s.event(slog.LevelError, "child given up", slog.Any("error", err))
	return err
}

func (s *Supervisor) setProcess(p *supervisedChild) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.process = p
}

func (s *Supervisor) event(level slog.Level, what string, attrs ...slog.Attr) {
	if s.config.events != nil {
		s.config.events.LogAttrs(context.Background(), level, what, attrs...)
	}
}

// explain returns why there is no child any more.
func (s *Supervisor) explain(err error) error {
	if why := s.gaveUp.Load(); err != nil && why != nil {
		return status.Error(codes.Unavailable, (*why).Error())
	}
	return err
}

func (s *Supervisor) explainUnary(ctx context.Context, method string, req, reply any, conn *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	return s.explain(invoke(ctx, method, req, reply, conn, opts...))
}

func (s *Supervisor) explainStream(ctx context.Context, desc *grpc.StreamDesc, conn *grpc.ClientConn, method string, open grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	stream, err := open(ctx, desc, conn, method, opts...)
	return stream, s.explain(err)
}

// Conn returns the connection to the current child; it stays the same one. While there is no child, calls
// fail with codes.Unavailable, or wait with [grpc.WaitForReady]. It is closed when Done is.
func (s *Supervisor) Conn() *ClientConn { return s.socket.conn }

// Path returns the path of the children's socket, for further connections of this user.
func (s *Supervisor) Path() string { return s.socket.path }

// PID returns the process id of the child, and 0 while there is none that serves.
func (s *Supervisor) PID() int {
	s.mu.Lock()
	p := s.process
	s.mu.Unlock()
	if p == nil {
		return 0
	}
	select {
	case <-p.Exited():
		return 0
	default:
		return p.PID()
	}
}

// Restarts returns how often a child was started after the first one, successfully or not.
func (s *Supervisor) Restarts() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.restarts
}

// Done returns a channel that is closed when there will be no child any more: the supervisor has given up,
// its context has ended, or Close was called. Close then says why.
func (s *Supervisor) Done() <-chan struct{} { return s.done }

// Close stops the child as [Child.Stop] does, and returns when the process is gone, the connection closed,
// and the socket and its directory removed. The error says why the supervisor has given up, or how the
// last child ended, if not with status 0 when it was stopped. Closing again returns the same error.
func (s *Supervisor) Close() error {
	s.cancel()
	<-s.done
	if s.err != nil {
		return fmt.Errorf("supervise %s: %w", s.program, s.err)
	}
	return nil
}
