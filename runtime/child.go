package runtime

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"
)

// outputDelay is how long the end of a child may be held up by a process of its own that
// has inherited the child's output, where the caller has not set exec.Cmd.WaitDelay.
const outputDelay = 2 * time.Second

// Child is a process that serves this one. [StartChild] makes one. Its methods may be called
// concurrently. One of Stop and Close must be called in any case, or the context given to
// StartChild must end: that frees the connection, the socket and its directory.
type Child struct {
	cmd         *exec.Cmd
	dir         string // of the socket; private to this user
	path        string
	lifeline    *net.UnixConn
	conn        *ClientConn
	stopTimeout time.Duration

	exited  chan struct{} // closed when the process is gone and waited for
	exitErr error         // what exec.Cmd.Wait returned; for readers of exited

	detach  func() bool // from the context given to StartChild
	release func() error

	mu     sync.Mutex
	killed error // why; nil if it was not
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
// reports to a service manager. All else in cmd is as the caller wants it, standard input
// and output too. cmd must not be started, waited for or changed by the caller.
//
// The child lives as long as ctx, and no longer than this process: when ctx ends it is
// stopped as by Close, and when this process ends, in whatever way, its Serve drains and
// returns. Only a child that does not serve, or does more after it has served, survives the
// process that started it.
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
	c := &Child{cmd: cmd, stopTimeout: config.stopTimeout, exited: make(chan struct{})}
	c.release = sync.OnceValue(c.free)
	if err := c.start(config.dial); err != nil {
		return nil, startError(cmd, errors.Join(err, c.release()))
	}
	go func() {
		c.exitErr = cmd.Wait()
		close(c.exited)
	}()
	if err := c.awaitReady(ctx, config.startTimeout); err != nil {
		return nil, startError(cmd, errors.Join(err, c.release()))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.detach = context.AfterFunc(ctx, func() { c.Close() })
	return c, nil
}

func startError(cmd *exec.Cmd, err error) error {
	return fmt.Errorf("start child %s: %w", cmd.Path, err)
}

// start makes what the child gets, and the process. What it has made is freed by release, if
// it fails or not.
func (c *Child) start(dial []DialOption) (err error) {
	if err := supportsChildren(); err != nil {
		return err
	}
	if c.dir, err = os.MkdirTemp("", "udsgrpc-"); err != nil {
		return err
	}
	c.path = filepath.Join(c.dir, "s")
	if c.conn, err = Dial(c.path, append(childPolicy(c.cmd), dial...)...); err != nil {
		return err
	}
	passed, err := c.bequeath()
	defer func() {
		for _, f := range passed {
			f.Close() // the child has its own now, and nobody else may hold them
		}
	}()
	if err != nil {
		return err
	}
	if c.cmd.WaitDelay == 0 {
		c.cmd.WaitDelay = outputDelay
	}
	// SysProcAttr.Pdeathsig is not set. Linux sends it when the thread that forked ends, which
	// in Go may be long before the process does, unless a thread is kept for it; and it
	// would cut short the drain that the lifeline brings about.
	return c.cmd.Start()
}

// childDuty is what a child has most likely not done.
const childDuty = "it is to give runtime.InheritedPath() to a NewXxxUDSServer and to call Serve"

// awaitReady returns when the child says that it serves. If it returns an error the child is
// gone.
func (c *Child) awaitReady(ctx context.Context, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	ready := make(chan struct{})
	read := make(chan struct{})
	go func() {
		defer close(read)
		// A lifeline that ends without the line says nothing: the process's end will.
		line, _ := bufio.NewReader(io.LimitReader(c.lifeline, int64(len(readyLine)))).ReadString('\n')
		if line == readyLine {
			close(ready)
		}
	}()
	var err error
	select {
	case <-ready:
		return nil
	case <-c.exited:
		if err = c.exitErr; err == nil {
			err = &exec.ExitError{ProcessState: c.cmd.ProcessState} // for status 0, too
		}
		err = fmt.Errorf("it ended before it served: %w; see its standard error; %s", err, childDuty)
	case <-ctx.Done():
		c.cmd.Process.Kill()
		<-c.exited
		err = fmt.Errorf("it did not serve in time and was killed: %w; %s", ctx.Err(), childDuty)
	}
	c.lifeline.Close()
	<-read
	return err
}

// Conn returns the connection to the child, for the constructors of generated clients. It is
// closed when the child is stopped.
func (c *Child) Conn() *ClientConn { return c.conn }

// Path returns the path of the child's socket, for further connections of this user.
func (c *Child) Path() string { return c.path }

// Wait waits until the process has ended, for whatever reason, and returns how, as
// [exec.Cmd.Wait] does. Calls to a child that has ended by itself fail with
// codes.Unavailable; it is not started again.
func (c *Child) Wait() error {
	<-c.exited
	return c.exitErr
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
	ctx, cancel := context.WithTimeout(ctx, c.stopTimeout)
	defer cancel()
	c.lifeline.Close()
	select {
	case <-c.exited:
	case <-ctx.Done():
		c.kill(ctx.Err())
		<-c.exited
	}
	if err := c.release(); err != nil {
		return fmt.Errorf("stop child %s: %w", c.cmd.Path, err)
	}
	return nil
}

func (c *Child) kill(why error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.killed == nil && c.cmd.Process.Kill() == nil {
		c.killed = why
	}
}

// free ends what belongs to a child that has ended or was never started, as far as it was
// made. The error is of the process and of tidying up.
func (c *Child) free() error {
	var errs []error
	if c.conn != nil {
		c.conn.Close()
	}
	if c.lifeline != nil {
		c.lifeline.Close()
	}
	if c.dir != "" {
		errs = append(errs, os.RemoveAll(c.dir))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.detach == nil { // StartChild fails and has its own words for it
		return errors.Join(errs...)
	}
	c.detach()
	err := c.exitErr
	if err != nil && c.killed != nil {
		err = fmt.Errorf("it did not end in time and was killed: %w: %w", c.killed, err)
	}
	return errors.Join(append(errs, err)...)
}
