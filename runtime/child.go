package runtime

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
)

// Child is a process that serves this one. [StartChild] makes one. Its methods may be called
// concurrently. One of Stop and Close must be called in any case, or the context given to
// StartChild must end: that frees the connection, the socket and its directory.
type Child struct {
	place   *childPlace
	process *childProcess
	release func() error
}

// StartChild starts cmd, a program that serves on [InheritedPath], and returns when it
// serves:
//
//	child, err := runtime.StartChild(ctx, exec.Command("greeter-plugin"))
//	defer child.Close()
//	client := greeterv1.NewGreeterClient(child.Conn())
//
// The child gets a bound socket, in a new directory that only this user may enter, and a
// lifeline. Both are added to cmd.ExtraFiles, behind what is there, and are described in
// variables added to cmd.Env, from which NOTIFY_SOCKET is removed: it is this process that
// reports to a service manager. It gets a process group of its own, so that a Ctrl-C at a terminal
// is for this process, which then stops it; unless cmd.SysProcAttr sets Setpgid, Setsid or Foreground, or its
// standard input is a terminal, from which only the foreground group may read. All else in cmd is as the
// caller wants it, standard input and output too. cmd must not be started, waited for or changed by the
// caller.
//
// The child lives as long as ctx, and no longer than this process: when ctx ends it is
// stopped as by Close, and when this process ends, in whatever way, its Serve drains and
// returns. Only a child that does not serve, or does more after it has served, survives the
// process that started it. One that ends by itself is not started again; [Supervise] does that.
//
// A child that ends before it serves is an error that wraps an [exec.ExitError], also with
// status 0. One that does not serve within the [StartTimeout], or before ctx ends, is killed;
// the error wraps [context.DeadlineExceeded], or ctx's. Whatever the error, the process is gone
// when StartChild returns, and nothing is left behind.
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
	place, err := newChildPlace(append(childPolicy(cmd), config.dial...))
	if err != nil {
		return nil, startError(cmd, err)
	}
	process, err := startProcess(ctx, cmd, place.path, config)
	if err != nil {
		return nil, startError(cmd, errors.Join(err, place.close()))
	}
	c := &Child{place: place, process: process}
	var detach func() bool
	attached := make(chan struct{})
	c.release = sync.OnceValue(func() error {
		<-attached
		detach()
		return errors.Join(place.close(), process.ended())
	})
	detach = context.AfterFunc(ctx, func() { c.Close() })
	close(attached)
	return c, nil
}

func startError(cmd *exec.Cmd, err error) error {
	return fmt.Errorf("start child %s: %w", cmd.Path, err)
}

// Conn returns the connection to the child, for the constructors of generated clients. It is
// closed when the child is stopped.
func (c *Child) Conn() *ClientConn { return c.place.conn }

// Path returns the path of the child's socket, for further connections of this user.
func (c *Child) Path() string { return c.place.path }

// Wait waits until the process has ended, for whatever reason, and returns how, as
// [exec.Cmd.Wait] does. Calls to a child that has ended by itself fail with
// codes.Unavailable; it is not started again.
func (c *Child) Wait() error {
	<-c.process.exited
	return c.process.exitErr
}

// Close is Stop without a context.
func (c *Child) Close() error { return c.Stop(context.Background()) }

// Stop makes the child drain: calls in flight are finished as by [Server.Serve] at its end,
// then Serve returns and the program should end. If it has not after the [StopTimeout], or when
// ctx ends, it is killed. No signal is sent before that; the child needs to handle none.
//
// When Stop returns the process is gone, the connection is closed, and the socket and its
// directory are removed. The error tells how the child ended, also if it did earlier: it is
// nil for exit status 0, otherwise it wraps an [exec.ExitError], and the reason if the child was killed.
// Stopping again returns the same error.
func (c *Child) Stop(ctx context.Context) error {
	c.process.stop(ctx)
	if err := c.release(); err != nil {
		return fmt.Errorf("stop child %s: %w", c.process.cmd.Path, err)
	}
	return nil
}

// childPlace is where children serve, and the connection that leads there.
type childPlace struct {
	dir  string // absolute, and private to this user
	path string // of the socket
	conn *ClientConn
}

func newChildPlace(dial []DialOption) (*childPlace, error) {
	if err := supportsChildren(); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "udsgrpc-")
	if err != nil {
		return nil, err
	}
	// TMPDIR may be relative, and the child's working directory another one.
	if dir, err = filepath.Abs(dir); err != nil {
		return nil, errors.Join(err, os.Remove(dir))
	}
	p := &childPlace{dir: dir, path: filepath.Join(dir, "s")}
	if p.conn, err = Dial(p.path, dial...); err != nil {
		return nil, errors.Join(err, os.Remove(dir))
	}
	return p, nil
}

func (p *childPlace) close() error {
	p.conn.Close()
	return os.RemoveAll(p.dir)
}
