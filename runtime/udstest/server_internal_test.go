package udstest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"google.golang.org/grpc"

	"github.com/udsgrpc/udsgrpc/runtime"
)

// failing records a failure instead of failing.
type failing struct {
	testing.TB
	failure string
}

func (f *failing) Errorf(format string, args ...any) { f.failure += fmt.Sprintf(format, args...) }

func TestErrorOfServeFailsTheTestAtItsEnd(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err  error
		want string
	}{
		{errors.New("accept: broken"), "udstest: the server ended with an error: accept: broken"},
		{fmt.Errorf("serve: %w", grpc.ErrServerStopped), ""}, // it was closed when Serve had just begun
		{nil, ""},
	} {
		srv, err := runtime.NewServer(Path(t))
		if err != nil {
			t.Fatal(err)
		}
		ended, end := context.WithCancelCause(context.Background())
		end(c.err)
		f := &failing{TB: t}
		(&server{Server: srv, handlers: newHandlers(), ended: ended}).end(f)
		if !strings.Contains(f.failure, c.want) || c.want == "" && f.failure != "" {
			t.Errorf("after the error %v the test says %q", c.err, f.failure)
		}
	}
}
