package faults_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"

	greeterv1 "github.com/udsgrpc/udsgrpc/examples/greeter/gen/greeter/v1"
	"github.com/udsgrpc/udsgrpc/internal/testproc"
	"github.com/udsgrpc/udsgrpc/runtime"
	"github.com/udsgrpc/udsgrpc/runtime/internal/fixture"
	"github.com/udsgrpc/udsgrpc/runtime/internal/greetertest"
)

// callWithoutDescriptors is a program: a client that has called, uses up its descriptors, and goes on to
// call. It prints how many of its calls failed, and how.
func callWithoutDescriptors(args []string) error {
	limit := syscall.Rlimit{Cur: 64, Max: 64}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return err
	}
	client, conn, err := greeterv1.DialGreeterUDS(args[0])
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := client.Greet(context.Background(), &greeterv1.GreetRequest{}); err != nil {
		return err
	}
	for err == nil {
		_, err = syscall.Open(os.DevNull, syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	}
	if !errors.Is(err, syscall.EMFILE) {
		return err
	}
	var mu sync.Mutex
	var failed int
	var last error
	var callers sync.WaitGroup
	for range 10 {
		callers.Go(func() {
			for range 20 {
				ctx, cancel := context.WithTimeout(context.Background(), fixture.Guard)
				_, err := client.Greet(ctx, &greeterv1.GreetRequest{})
				cancel()
				if err != nil {
					mu.Lock()
					failed, last = failed+1, err
					mu.Unlock()
				}
			}
		})
	}
	callers.Wait()
	fmt.Println(failed, last)
	return nil
}

func TestClientWithoutDescriptorsGoesOnOverTheConnectionThatExists(t *testing.T) {
	t.Parallel()
	path := fixture.FreePath(t)
	greetertest.Serve(t, path, greetertest.New(), runtime.UnaryInterceptor(
		func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
			<-time.After(time.Millisecond) // in which the other callers come
			return next(ctx, req)
		}))
	if got, want := testproc.Start(t, "call without descriptors", path).Line(), "0 <nil>"; got != want {
		t.Errorf("of 200 calls there failed %s", got)
	}
}
