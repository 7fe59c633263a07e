package runtime

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

// childProcess is a child from its start to its end. Its methods may be called concurrently.
type childProcess struct {
	cmd         *exec.Cmd
	lifeline    *net.UnixConn
	stopTimeout time.Duration
	words       *lastWords // nil unless it is supervised

	exited  chan struct{} // closed when the process is gone and waited for
	exitErr error         // what exec.Cmd.Wait returned; for readers of exited

	mu     sync.Mutex
	killed error // why; nil if it was not
}

// startProcess starts cmd as a child that serves on path, and returns when it does. If it returns an error
// the child is gone.
func startProcess(ctx context.Context, cmd *exec.Cmd, path string, config childConfig) (*childProcess, error) {
	p := &childProcess{cmd: cmd, stopTimeout: config.stopTimeout, exited: make(chan struct{})}
	if err := p.start(path); err != nil {
		if p.lifeline != nil {
			p.lifeline.Close()
		}
		return nil, err
	}
	go func() { // ends with the process
		p.exitErr = cmd.Wait()
		close(p.exited)
	}()
	if err := p.awaitReady(ctx, config.startTimeout); err != nil {
		return nil, err
	}
	return p, nil
}

func (p *childProcess) start(path string) error {
	passed, err := p.bequeath(path)
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
func (p *childProcess) awaitReady(ctx context.Context, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	ready := make(chan struct{})
	read := make(chan struct{})
	go func() {
		defer close(read)
		// A lifeline that ends without the line is no result yet: the end of the process follows.
		line, _ := bufio.NewReader(io.LimitReader(p.lifeline, int64(len(readyLine)))).ReadString('\n')
		if line == readyLine {
			close(ready)
		}
	}()
	var err error
	select {
	case <-ready:
		return nil
	case <-p.exited:
		err = fmt.Errorf("it ended before it served: %w; see its standard error; %s", p.exitError(), childDuty)
	case <-ctx.Done():
		p.cmd.Process.Kill()
		<-p.exited
		err = fmt.Errorf("it did not serve in time and was killed: %w; %s", ctx.Err(), childDuty)
	}
	p.lifeline.Close()
	<-read
	return err
}

// exitError returns how the process ended, even with status 0. It must have exited.
func (p *childProcess) exitError() error {
	if p.exitErr == nil {
		return &exec.ExitError{ProcessState: p.cmd.ProcessState}
	}
	return p.exitErr
}

// stop makes the child drain and end. When it returns the process is gone.
func (p *childProcess) stop(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, p.stopTimeout)
	defer cancel()
	p.lifeline.Close()
	select {
	case <-p.exited:
	case <-ctx.Done():
		p.kill(ctx.Err())
		<-p.exited
	}
}

func (p *childProcess) kill(why error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.killed == nil && p.cmd.Process.Kill() == nil {
		p.killed = why
	}
}

// ended returns how a child that was stopped has ended; nil for exit status 0.
func (p *childProcess) ended() error {
	<-p.exited
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.exitErr != nil && p.killed != nil {
		return fmt.Errorf("it did not end in time and was killed: %w: %w", p.killed, p.exitErr)
	}
	return p.exitErr
}
