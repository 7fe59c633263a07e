package viewers_test

import (
	"syscall"
	"testing"
	"time"

	greeterv1 "github.com/udsgrpc/udsgrpc/examples/greeter/gen/greeter/v1"
	"github.com/udsgrpc/udsgrpc/internal/testproc"
	inspectv1 "github.com/udsgrpc/udsgrpc/proto/udsgrpc/inspect/v1"
	"github.com/udsgrpc/udsgrpc/runtime"
	"github.com/udsgrpc/udsgrpc/runtime/internal/fixture"
	"github.com/udsgrpc/udsgrpc/runtime/internal/greetertest"
)

// A viewer that is stopped reads nothing any more, and answers no ping.
func TestNobodyWaitsForAViewerThatIsStopped(t *testing.T) {
	t.Parallel()
	path := fixture.FreePath(t)
	srv := greetertest.Serve(t, path, greetertest.New(), runtime.ShutdownTimeout(fixture.Guard))
	client, _ := greetertest.Dial(t, path)
	stopped := testproc.Start(t, "keep looking", path)
	stopped.Line()
	if err := stopped.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	for range 1000 {
		if _, err := client.Greet(t.Context(), &greeterv1.GreetRequest{}); err != nil {
			t.Fatal(err)
		}
	}
	// Other viewers see the calls meanwhile.
	look(t, path).see("all calls", func(s *inspectv1.SnapshotsResponse) bool { return methodOf(s, greet).GetCodes()[0] == 1000 })
	srv.Stop()
	select {
	case err := <-srv.Done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(fixture.Guard):
		t.Error("the server waits for it")
	}
}
