package childproc

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"reflect"
	"sync"
)

// stderrTail is how much is kept: enough for the trace of a panic, most of the time.
const stderrTail = 2048

// StderrTail keeps the end of what a process writes to its standard error. Its methods may be called
// concurrently.
type StderrTail struct {
	mu   sync.Mutex
	text []byte
}

// Write adds text, and keeps the end of all.
func (t *StderrTail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, p...)
	if extra := len(t.text) - stderrTail; extra > 0 {
		t.text = append(t.text[:0], t.text[extra:]...)
	}
	return len(p), nil
}

// Explain adds what the process wrote last, if anything, to the error with which it ended.
func (t *StderrTail) Explain(err error) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if text := bytes.TrimSpace(t.text); len(text) > 0 {
		return fmt.Errorf("%w; its last words: %q", err, text)
	}
	return err
}

// KeepStderr returns the tail of a command that is not started yet, and makes the command write to it, too.
// If standard error is a file, the command writes to it directly, and the tail stays empty.
func KeepStderr(cmd *exec.Cmd) *StderrTail {
	tail := &StderrTail{}
	switch w := cmd.Stderr.(type) {
	case nil:
		cmd.Stderr = tail
	case *os.File:
	default:
		both := io.MultiWriter(w, tail)
		// os/exec writes from one goroutine if both are the same.
		if out := cmd.Stdout; out != nil && reflect.ValueOf(out).Comparable() && out == cmd.Stderr {
			cmd.Stdout = both
		}
		cmd.Stderr = both
	}
	return tail
}
