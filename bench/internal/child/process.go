package child

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// Process is a child as its parent sees it.
type Process struct {
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	ask    *json.Encoder
	answer *json.Decoder
}

// Start starts a program as a child in a place, which ends with ctx at the latest: this program again if
// program is empty.
func Start(ctx context.Context, program string, place Place) (*Process, error) {
	if program == "" {
		self, err := os.Executable()
		if err != nil {
			return nil, fmt.Errorf("start a child: %w", err)
		}
		program = self
	}
	cmd := exec.CommandContext(ctx, program, Argument)
	cmd.Stderr = os.Stderr
	cmd.Cancel = func() error {
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			return cmd.Process.Signal(syscall.SIGQUIT) // it hangs; Go then shows where
		}
		return cmd.Process.Kill()
	}
	cmd.WaitDelay = time.Second
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("start a child: %w", err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("start a child: %w", err)
	}
	if err := place.start(cmd); err != nil {
		return nil, fmt.Errorf("start a child: %w", err)
	}
	return &Process{cmd: cmd, stdin: stdin, ask: json.NewEncoder(stdin), answer: json.NewDecoder(stdout)}, nil
}

// Do asks the child for something and waits for the answer.
func (p *Process) Do(req Request) (Reply, error) {
	reply, err := p.exchange(req)
	if err == nil && reply.Error != "" {
		err = errors.New(reply.Error)
	}
	return reply, err
}

// exchange returns the answer also if it is an error.
func (p *Process) exchange(req Request) (Reply, error) {
	if err := p.ask.Encode(req); err != nil {
		return Reply{}, fmt.Errorf("ask a child: %w", err)
	}
	var reply Reply
	if err := p.answer.Decode(&reply); err != nil {
		return Reply{}, fmt.Errorf("wait for the answer of a child, which has died or was ended because it took too long: %w", err)
	}
	return reply, nil
}

// Close ends the child and waits for it.
func (p *Process) Close() error {
	return errors.Join(p.stdin.Close(), p.cmd.Wait())
}
