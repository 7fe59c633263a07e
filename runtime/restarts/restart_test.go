package restarts_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"

	greeterv1 "github.com/udsgrpc/udsgrpc/examples/greeter/gen/greeter/v1"
	"github.com/udsgrpc/udsgrpc/internal/testproc"
	"github.com/udsgrpc/udsgrpc/runtime"
	"github.com/udsgrpc/udsgrpc/runtime/internal/fixture"
	"github.com/udsgrpc/udsgrpc/runtime/internal/greetertest"
)

func TestClientRecoversFromKillMinusNine(t *testing.T) {
	t.Parallel()
	path := fixture.FreePath(t)
	client, _ := greetertest.Dial(t, path)
	for range 5 {
		server := testproc.Start(t, "greeter", path)
		server.Line()
		answered := time.Now()
		resp, err := client.Greet(t.Context(), &greeterv1.GreetRequest{}, grpc.WaitForReady(true))
		if err != nil {
			t.Fatal(err)
		}
		took := time.Since(answered)
		if int(resp.GetServerPid()) != server.Process.Pid {
			t.Errorf("process %d answered, want %d", resp.GetServerPid(), server.Process.Pid)
		}
		t.Logf("recovered in %v", took)
		if took > 10*time.Second {
			t.Errorf("recovering took %v", took)
		}
		server.Kill()
		server.WaitExit()
		if _, err := os.Lstat(path); err != nil {
			t.Fatalf("the killed server should have left its socket: %v", err)
		}
	}
}

// The waits between attempts grow while there is no server; its return cuts them short. With
// the backoff of this test a client that does not watch would wait for a minute.
func TestReturnOfTheServerCutsTheBackoffShort(t *testing.T) {
	t.Parallel()
	for name, prepare := range map[string]func(path string) error{
		"socket appears":    func(string) error { return nil },
		"directory appears": func(path string) error { return os.Remove(filepath.Dir(path)) },
		"directory comes and goes and comes": func(path string) error {
			dir := filepath.Dir(path)
			return errors.Join(os.Remove(dir), os.Mkdir(dir, 0o700), os.Remove(dir))
		},
		"dead socket is replaced": fixture.AbandonSocket,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := fixture.FreePath(t)
			if err := prepare(path); err != nil {
				t.Fatal(err)
			}
			client, conn := greetertest.Dial(t, path, runtime.WithGRPCDialOptions(grpc.WithConnectParams(grpc.ConnectParams{
				// The first attempt after the socket has appeared may come before listen(2).
				Backoff:           backoff.Config{BaseDelay: 100 * time.Millisecond, Multiplier: 600, MaxDelay: time.Minute},
				MinConnectTimeout: time.Second,
			})))
			_, err := client.Greet(t.Context(), &greeterv1.GreetRequest{})
			greetertest.CheckCode(t, err, codes.Unavailable)
			// The second attempt fails, too, and begins the long wait.
			ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
			conn.WaitReady(ctx)
			cancel()
			greetertest.Serve(t, path, greetertest.New(), runtime.CreateDir())
			ctx, cancel = context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			if err := conn.WaitReady(ctx); err != nil {
				t.Error(err)
			}
		})
	}
}
