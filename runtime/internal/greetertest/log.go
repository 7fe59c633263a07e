package greetertest

import (
	"bytes"
	"regexp"
	"strings"
	"sync"
)

// Buffer is a buffer that several goroutines write to, as those of a server do to its log.
type Buffer struct {
	mu sync.Mutex // guards b
	b  bytes.Buffer
}

// Write implements [io.Writer].
func (s *Buffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

// String returns all that was written.
func (s *Buffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// Messages are those of a log that slog's TextHandler has written.
func Messages(log string) []string {
	var all []string
	for _, m := range message.FindAllStringSubmatch(log, -1) {
		all = append(all, strings.Trim(m[1], `"`))
	}
	return all
}

var message = regexp.MustCompile(`msg=("[^"]*"|\S+)`)
