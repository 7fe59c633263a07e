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

// Start starts this program again as a child, which ends with ctx at the latest.
func Start(ctx context.Context) (*Process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("start a child: %w", err)
	}
	cmd := exec.CommandContext(ctx, self, Argument)
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
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start a child: %w", err)
	}
	return &Process{cmd: cmd, stdin: stdin, ask: json.NewEncoder(stdin), answer: json.NewDecoder(stdout)}, nil
}

// Do asks the child for something and waits for the answer.
func (p *Process) Do(req Request) (Reply, error) {
	if err := p.ask.Encode(req); err != nil {
		return Reply{}, fmt.Errorf("ask a child: %w", err)
	}
	var reply Reply
	if err := p.answer.Decode(&reply); err != nil {
		return Reply{}, fmt.Errorf("wait for the answer of a child, which has died or was ended because it took too long: %w", err)
	}
	if reply.Error != "" {
		return Reply{}, errors.New(reply.Error)
	}
	return reply, nil
}

// Close ends the child and waits for it.
func (p *Process) Close() error {
	return errors.Join(p.stdin.Close(), p.cmd.Wait())
}
