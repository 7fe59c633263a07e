package runtime

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/udsgrpc/udsgrpc/runtime/socket"
)

// An attempt that was given up, for example by Close, says nothing about the server.
func TestAttemptThatIsGivenUpIsNoFailure(t *testing.T) {
	t.Parallel()
	l := newLinks(socket.Address{}, nil)
	l.greet(socket.Peer{})
	l.answered()
	l.fail(fmt.Errorf("connect: %w", context.Canceled))
	if n := l.failed.Load(); n != 0 || l.http2.lost.Load() {
		t.Errorf("there are %d failures; that the server is lost is %v", n, l.http2.lost.Load())
	}
	l.fail(errors.New("connect"))
	if n := l.failed.Load(); n != 1 || !l.http2.lost.Load() {
		t.Errorf("there are %d failures; that the server is lost is %v", n, l.http2.lost.Load())
	}
}
