package viewers_test

import (
	"testing"

	"google.golang.org/grpc/codes"

	"github.com/udsgrpc/udsgrpc/internal/testproc"
	inspectv1 "github.com/udsgrpc/udsgrpc/proto/udsgrpc/inspect/v1"
	"github.com/udsgrpc/udsgrpc/runtime/internal/fixture"
	"github.com/udsgrpc/udsgrpc/runtime/internal/greetertest"
)

func TestViewerOfAServerThatHandsOverFindsTheNext(t *testing.T) {
	t.Parallel()
	path := fixture.FreePath(t)
	old := testproc.Start(t, "greeter", path)
	if line := old.Line(); line != "serving" {
		t.Fatal(line)
	}
	v := look(t, path)
	next := greetertest.StartSuccessor(t, path)
	next.Serve(t)
	for {
		if _, err := v.stream.Recv(); err != nil {
			greetertest.CheckCode(t, err, codes.Unavailable)
			break
		}
	}
	if err := old.WaitExit(); err != nil {
		t.Error(err)
	}
	look(t, path).see("the successor", func(s *inspectv1.SnapshotsResponse) bool {
		return s.GetServer().GetPid() == int64(next.Process.Process.Pid) && s.GetTotals().GetHandoversReceived() == 1
	})
}
