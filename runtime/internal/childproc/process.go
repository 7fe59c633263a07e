package childproc

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os/exec"
	"sync"
	"time"
)

// outputDelay is how long a process that has inherited the child's output can delay the end of the child,
// if the caller has not set exec.Cmd.WaitDelay.
const outputDelay = 2 * time.Second

// Process is a child from its start to its end. Its methods may be called concurrently.
type Process struct {
	cmd         *exec.Cmd
	lifeline    *net.UnixConn
	stopTimeout time.Duration

	exited  chan struct{} // closed when the process is gone and waited for
	exitErr error         // what exec.Cmd.Wait returned; for readers of exited

	mu     sync.Mutex
	killed error // why; nil if it was not. mu guards it
}

// Timeouts are how long a child may take.
type Timeouts struct {
	Start time.Duration // until it serves
	Stop  time.Duration // until it has ended, when it is stopped
}

// Start starts cmd as a child that serves on path, and returns when it does. If ctx ends or time runs out
// before that, the child is killed. If Start returns an error, the child is gone. ctx has no effect after
// that.
func Start(ctx context.Context, cmd *exec.Cmd, path string, timeouts Timeouts) (*Process, error) {
	p := &Process{cmd: cmd, stopTimeout: timeouts.Stop, exited: make(chan struct{})}
	if err := p.start(path); err != nil {
		if p.lifeline != nil {
			p.lifeline.Close()
		}
		return nil, err
	}
	go func() { // ends with the process
		p.exitErr = cmd.Wait()
		p.lifeline.Close()
		close(p.exited)
	}()
	if err := p.awaitReady(ctx, timeouts.Start); err != nil {
		return nil, err
	}
	return p, nil
}

func (p *Process) start(path string) error {
	passed, err := p.pass(path)
	defer func() {
		for _, f := range passed {
			f.Close() // the child has its own now, and no other process may hold them
		}
	}()
	if err != nil {
		return err
	}
	if p.cmd.WaitDelay == 0 {
		p.cmd.WaitDelay = outputDelay
	}
	ownGroup(p.cmd)
	// SysProcAttr.Pdeathsig is not set. Linux sends it when the thread that forked ends, which in Go may
	// be long before the process ends, unless a thread is kept for it. It would also cut short the drain
	// that the lifeline causes.
	return p.cmd.Start()
}

// childDuty is what a child has most likely failed to do.
const childDuty = "it is to give runtime.InheritedPath() to a NewXxxUDSServer and to call Serve"

// awaitReady returns when the child has reported that it serves. After an error the child is gone.
func (p *Process) awaitReady(ctx context.Context, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	ready := make(chan struct{})
	read := make(chan struct{})
	go func() { // ends with the line, the lifeline or the process
		defer close(read)
		// A lifeline that ends without the line is no result yet: the end of the process follows.
		line, _ := bufio.NewReader(io.LimitReader(p.lifeline, int64(len(ReadyLine)))).ReadString('\n')
		if line == ReadyLine {
			close(ready)
		}
	}()
	var err error
	select {
	case <-ready:
		return nil
	case <-p.exited:
		err = fmt.Errorf("it ended before it served: %w; see its standard error; %s", p.ExitError(), childDuty)
	case <-ctx.Done():
		p.cmd.Process.Kill()
		<-p.exited
		err = fmt.Errorf("it did not serve in time and was killed: %w; %s", ctx.Err(), childDuty)
	}
	p.lifeline.Close()
	<-read
	return err
}

// PID returns the process id, which the kernel may give to another process when this one has exited.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Exited returns a channel that is closed when the process is gone, for whatever reason.
func (p *Process) Exited() <-chan struct{} { return p.exited }

// Wait returns when the process is gone, with the result of [exec.Cmd.Wait].
func (p *Process) Wait() error {
	<-p.exited
	return p.exitErr
}

// ExitError returns how the process ended, as an error even with status 0, when it is gone.
func (p *Process) ExitError() error {
	if err := p.Wait(); err != nil {
		return err
	}
	return &exec.ExitError{ProcessState: p.cmd.ProcessState}
}

// Stop makes the child drain and end; when ctx ends or time runs out, it is killed. When Stop returns, the
// process is gone. The error says how it ended, even if it ended earlier or was stopped before; it is nil
// for exit status 0.
func (p *Process) Stop(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, p.stopTimeout)
	defer cancel()
	p.lifeline.Close()
	select {
	case <-p.exited:
	case <-ctx.Done():
		p.kill(ctx.Err())
		<-p.exited
	}
	return p.stopped()
}

func (p *Process) kill(why error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.killed == nil && p.cmd.Process.Kill() == nil {
		p.killed = why
	}
}

// stopped returns how a child that was stopped has ended. It must have exited.
func (p *Process) stopped() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.exitErr != nil && p.killed != nil {
		return fmt.Errorf("it did not end in time and was killed: %w: %w", p.killed, p.exitErr)
	}
	return p.exitErr
}
