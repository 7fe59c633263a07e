package runtime

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"

	"github.com/udsgrpc/udsgrpc/runtime/internal/childproc"
)

// Child is a process that serves this one. [StartChild] makes one. Its methods may be called concurrently.
// Call Stop or Close, or end the context given to StartChild: that frees the connection, the socket and
// its directory.
type Child struct {
	socket  *childSocket
	process *childproc.Process
	program string
	free    func() error // closes socket, once
}

// StartChild starts cmd, a program that serves on [InheritedPath], and returns when it
// serves:
//
//	child, err := runtime.StartChild(ctx, exec.Command("greeter-plugin"))
//	defer child.Close()
//	client := greeterv1.NewGreeterClient(child.Conn())
//
// The child gets a bound socket, in a new directory that only this user may enter, and a lifeline. Both
// are added to cmd.ExtraFiles, after existing ones, and are described in variables added to cmd.Env.
// NOTIFY_SOCKET is removed from there, because this process reports to the service manager. The child gets
// its own process group, so that a Ctrl-C at a terminal reaches only this process, which then stops the
// child. It does not if cmd.SysProcAttr sets Setpgid, Setsid or Foreground, or if its standard input is a
// terminal, from which only the foreground group may read. Everything else in cmd, such as standard input
// and output, is used as it is. The caller must not start, wait for or change cmd.
//
// The child lives as long as ctx, and no longer than this process. When ctx ends it is stopped as by
// Close. When this process ends, in whatever way, the child's Serve drains and returns. Only a child that
// does not serve, or does more after it has served, survives the process that started it. A child that
// ends by itself is not started again; [Supervise] does that.
//
// A child that ends before it serves is an error that wraps an [exec.ExitError], even with status 0. A
// child that does not serve within the [StartTimeout], or before ctx ends, is killed; the error wraps
// [context.DeadlineExceeded], or ctx's. After any error the process is gone when StartChild returns, and
// nothing is left behind.
//
// The default [WithServerPolicy] accepts the user of cmd.SysProcAttr.Credential, if there is
// one, instead of this process's own.
//
// On Windows, where a child cannot inherit a socket, the error is [socket.ErrUnsupported].
func StartChild(ctx context.Context, cmd *exec.Cmd, opts ...ChildOption) (*Child, error) {
	config, err := newChildConfig(opts)
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return nil, startError(cmd, err)
	}
	socket, err := newChildSocket(append(childPolicy(cmd), config.dial...))
	if err != nil {
		return nil, startError(cmd, err)
	}
	process, err := childproc.Start(ctx, cmd, socket.path, config.timeouts)
	if err != nil {
		return nil, startError(cmd, errors.Join(err, socket.close()))
	}
	c := &Child{socket: socket, process: process, program: cmd.Path}
	var detach func() bool
	attached := make(chan struct{})
	c.free = sync.OnceValue(func() error {
		<-attached
		detach()
		return socket.close()
	})
	detach = context.AfterFunc(ctx, func() { c.Close() })
	close(attached)
	return c, nil
}

func startError(cmd *exec.Cmd, err error) error {
	return fmt.Errorf("start child %s: %w", cmd.Path, err)
}

// Conn returns the connection to the child, for the constructors of generated clients. It is closed when
// the child is stopped.
func (c *Child) Conn() *ClientConn { return c.socket.conn }

// Path returns the path of the child's socket, for further connections of this user.
func (c *Child) Path() string { return c.socket.path }

// Wait waits until the process has ended, for whatever reason, and returns the same as [exec.Cmd.Wait].
// Calls to a child that has ended by itself fail with codes.Unavailable; it is not started again.
func (c *Child) Wait() error { return c.process.Wait() }

// Close is Stop without a context.
func (c *Child) Close() error { return c.Stop(context.Background()) }

// Stop makes the child drain: it finishes calls in flight as [Server.Serve] does at its end, then its
// Serve returns and the program should end. If it has not ended after the [StopTimeout], or when ctx ends,
// it is killed. No signal is sent before that, so the child needs to handle none.
//
// When Stop returns the process is gone, the connection is closed, and the socket and its directory are
// removed. The error tells how the child ended, even if it ended earlier: it is nil for exit status 0,
// otherwise it wraps an [exec.ExitError], and the reason if the child was killed. Stopping again returns
// the same error.
func (c *Child) Stop(ctx context.Context) error {
	ended := c.process.Stop(ctx)
	if err := errors.Join(c.free(), ended); err != nil {
		return fmt.Errorf("stop child %s: %w", c.program, err)
	}
	return nil
}

// childPolicy returns the policy for the server at the socket: it must be of the child's user. The
// socket's directory is private, so there can be no other, except root's.
func childPolicy(cmd *exec.Cmd) []DialOption {
	if user := childproc.User(cmd); user >= 0 {
		return []DialOption{WithServerPolicy(AllowUID(user))}
	}
	return nil
}

// childSocket is where children serve, with the connection to it.
type childSocket struct {
	dir  string // absolute, and private to this user
	path string // of the socket
	conn *ClientConn
}

func newChildSocket(dial []DialOption) (*childSocket, error) {
	if err := childproc.Supported(); err != nil {
		return nil, err
	}
	// TMPDIR may be relative, and the child may have another working directory.
	temp, err := filepath.Abs(os.TempDir())
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(temp, "udsgrpc-")
	if err != nil {
		return nil, err
	}
	s := &childSocket{dir: dir, path: filepath.Join(dir, "s")}
	if s.conn, err = Dial(s.path, dial...); err != nil {
		return nil, errors.Join(err, os.Remove(dir))
	}
	return s, nil
}

func (s *childSocket) close() error {
	s.conn.Close()
	return os.RemoveAll(s.dir)
}
