package runtime

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"reflect"
	"sync"
)

// longestLastWords is enough for the trace of a panic, most of the time.
const longestLastWords = 2048

// lastWords keeps the end of what a process has written. Its methods may be called concurrently.
type lastWords struct {
	mu   sync.Mutex
	text []byte
}

func (w *lastWords) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.text = append(w.text, p...)
	if extra := len(w.text) - longestLastWords; extra > 0 {
		w.text = append(w.text[:0], w.text[extra:]...)
	}
	return len(p), nil
}

// after adds the last words, if there were any, to the error of a process.
func (w *lastWords) after(err error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if text := bytes.TrimSpace(w.text); len(text) > 0 {
		return fmt.Errorf("%w; its last words: %q", err, text)
	}
	return err
}

// tapStderr returns the last words of a command that is not started yet. If standard error is a file, the
// command writes to it directly, and they are not seen.
func tapStderr(cmd *exec.Cmd) *lastWords {
	words := &lastWords{}
	switch w := cmd.Stderr.(type) {
	case nil:
		cmd.Stderr = words
	case *os.File:
	default:
		both := io.MultiWriter(w, words)
		// os/exec writes from one goroutine if both are the same.
		if out := cmd.Stdout; out != nil && reflect.ValueOf(out).Comparable() && out == cmd.Stderr {
			cmd.Stdout = both
		}
		cmd.Stderr = both
	}
	return words
}
