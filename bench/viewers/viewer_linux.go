package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// known are the viewers: none, none of a server that has inspection turned off, those that read, and one that is
// stopped, so that it reads nothing.
var known = []string{"nobody", turnedOff, "top", "tap", "tap-json", "tap-stopped"}

// turnedOff is no viewer: another server is compared, which is without inspection.
const turnedOff = "off"

// viewer is a running udsgrpc; the zero value is nobody.
type viewer struct {
	cmd  *exec.Cmd
	read chan struct{} // closed when all that it has said is read
}

// start starts a viewer, and returns when the server has it.
func start(ctx context.Context, tool, path, who string) (viewer, error) {
	var args []string
	switch who {
	case "nobody":
		return viewer{}, nil
	case "top":
		args = []string{"top", path}
	case "tap-json":
		args = []string{"tap", "--json", path}
	default:
		args = []string{"tap", path}
	}
	v := viewer{exec.CommandContext(ctx, tool, args...), make(chan struct{})}
	said, err := v.cmd.StdoutPipe()
	if err != nil {
		return v, err
	}
	v.cmd.Stderr = os.Stderr
	if err := v.cmd.Start(); err != nil {
		return v, err
	}
	// A line comes when it is connected: of tap its heading, and of top its first picture, a second later. In JSON
	// there is one when there are calls, which is soon enough: nobody calls before the window.
	if who != "tap-json" {
		reader := bufio.NewReader(said)
		if _, err := reader.ReadString('\n'); err != nil {
			close(v.read)
			return v, errors.Join(fmt.Errorf("%s says nothing: %w", who, err), v.end())
		}
	}
	go func() { // ends with the viewer
		defer close(v.read)
		io.Copy(io.Discard, said)
	}()
	if who == "tap-stopped" {
		return v, v.cmd.Process.Signal(syscall.SIGSTOP)
	}
	return v, nil
}

// cpu returns the time of CPU that it has used. The kernel has a clock for each process, which
// clock_getcpuclockid(3) makes from the number of the process in this way.
func (v viewer) cpu() (time.Duration, error) {
	if v.cmd == nil {
		return 0, nil
	}
	var used unix.Timespec
	if err := unix.ClockGettime(int32(^v.cmd.Process.Pid<<3|2), &used); err != nil {
		return 0, fmt.Errorf("read the clock of process %d: %w", v.cmd.Process.Pid, err)
	}
	return time.Duration(used.Nano()), nil
}

// end ends it and waits for it.
func (v viewer) end() error {
	if v.cmd == nil {
		return nil
	}
	err := v.cmd.Process.Kill()
	<-v.read
	v.cmd.Wait() // says that it was killed
	return err
}
