// Command client calls each rpc of the admin service, and shows what its user is answered.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	adminv1 "github.com/udsgrpc/udsgrpc/examples/rules/gen/admin/v1"
)

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: client PATH")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := run(ctx, os.Args[1]); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, path string) error {
	client, conn, err := adminv1.DialAdminUDS(path)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.WaitReady(ctx); err != nil { // the server may come later
		return err
	}
	// Shutdown comes last, as root is obeyed.
	_, statusErr := client.Status(ctx, &adminv1.StatusRequest{})
	_, reloadErr := client.Reload(ctx, &adminv1.ReloadRequest{})
	_, shutdownErr := client.Shutdown(ctx, &adminv1.ShutdownRequest{})
	for _, answer := range []struct {
		name string
		err  error
	}{{"status  ", statusErr}, {"reload  ", reloadErr}, {"shutdown", shutdownErr}} {
		switch code := status.Code(answer.err); code {
		case codes.OK:
			fmt.Println(answer.name, code)
		case codes.PermissionDenied: // an answer like another: the connection stays
			fmt.Printf("%s %v: %s\n", answer.name, code, status.Convert(answer.err).Message())
		default:
			return answer.err
		}
	}
	return nil
}
