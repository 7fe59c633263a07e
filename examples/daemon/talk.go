package main

import (
	"context"
	"fmt"

	daemonv1 "github.com/udsgrpc/udsgrpc/examples/daemon/gen/daemon/v1"
	"github.com/udsgrpc/udsgrpc/runtime"
)

func status(ctx context.Context, path string) error {
	client, conn, err := daemonv1.DialDaemonUDS(path)
	if err != nil {
		return err
	}
	defer conn.Close()
	resp, err := client.Status(ctx, &daemonv1.StatusRequest{})
	if err != nil {
		return err
	}
	fmt.Printf("process %d (%s) runs\n", resp.GetPid(), resp.GetVersion())
	return nil
}

// tellToStop returns when the daemon has hung up, and so has finished the calls of everybody.
func tellToStop(ctx context.Context, path string) error {
	gone := make(chan struct{}, 1)
	client, conn, err := daemonv1.DialDaemonUDS(path,
		runtime.WithHTTP2Only(), // so that the connection that ends is the one that has carried the call
		runtime.WithOnDisconnect(func() {
			select {
			case gone <- struct{}{}:
			default: // once is enough
			}
		}))
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := client.Stop(ctx, &daemonv1.StopRequest{}); err != nil {
		return err
	}
	select {
	case <-gone:
		fmt.Println("stopped")
		return nil
	case <-ctx.Done():
		return fmt.Errorf("the daemon has calls to finish: %w", ctx.Err())
	}
}
