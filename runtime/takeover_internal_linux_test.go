package runtime

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/udsgrpc/udsgrpc/runtime/internal/fixture"
	"github.com/udsgrpc/udsgrpc/runtime/socket"
)

// waitFor is TakeoverTimeout for a test.
func waitFor(d time.Duration) ServerOption {
	return func(c *serverConfig) { c.takeoverTimeout = d }
}

func TestSuccessorThatWaitsTooLongLearnsWhoHoldsThePath(t *testing.T) {
	t.Parallel()
	path := fixture.FreePath(t)
	owner, err := NewServer(path)
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- owner.Serve(t.Context()) }()
	defer func() {
		owner.Close()
		<-served
	}()
	first, err := NewServer(path, Takeover())
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	_, err = NewServer(path, Takeover(), waitFor(time.Second))
	if !errors.Is(err, socket.ErrInUse) {
		t.Fatalf("error is %v", err)
	}
	for _, want := range []string{fmt.Sprintf("process %d", os.Getpid()), "offered the socket to another process"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error is %v, want %q in it", err, want)
		}
	}
}
