package restarts_test

import (
	"fmt"
	"testing"

	"google.golang.org/grpc"

	greeterv1 "github.com/udsgrpc/udsgrpc/examples/greeter/gen/greeter/v1"
	"github.com/udsgrpc/udsgrpc/runtime"
	"github.com/udsgrpc/udsgrpc/runtime/internal/fixture"
	"github.com/udsgrpc/udsgrpc/runtime/internal/greetertest"
)

// However many servers before it spoke HTTP/2 only.
func TestEveryServerIsAskedForTheDirectTransport(t *testing.T) {
	t.Parallel()
	for plain := range 4 {
		t.Run(fmt.Sprintf("after %d", plain), func(t *testing.T) {
			t.Parallel()
			path := fixture.FreePath(t)
			client, conn := greetertest.Dial(t, path)
			call := func() {
				t.Helper()
				if _, err := client.Greet(t.Context(), &greeterv1.GreetRequest{}, grpc.WaitForReady(true)); err != nil {
					t.Fatal(err)
				}
			}
			for range plain {
				srv := greetertest.Serve(t, path, greetertest.New(), runtime.HTTP2Only())
				call() // by which HTTP/2 connects
				call() // which may ask
				srv.Stop()
				if err := <-srv.Done; err != nil {
					t.Fatal(err)
				}
			}
			if n := conn.Stats().Calls.Direct; n != 0 {
				t.Fatalf("%d calls went over the direct transport already", n)
			}
			greetertest.Serve(t, path, greetertest.New())
			call()
			call()
			if conn.Stats().Calls.Direct == 0 {
				t.Error("a server that speaks the direct transport was not asked")
			}
		})
	}
}
