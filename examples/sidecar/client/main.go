// Command client is the application beside the sidecar. It greets, or, as grpc-health-probe does, asks
// whether the sidecar serves.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"time"

	healthv1 "google.golang.org/grpc/health/grpc_health_v1"

	greeterv1 "github.com/udsgrpc/udsgrpc/examples/greeter/gen/greeter/v1"
	"github.com/udsgrpc/udsgrpc/runtime"
)

func main() {
	path := flag.String("socket", "", "path of the sidecar's socket")
	server := flag.Int("server", -1, "uid of the sidecar, if it is another than this one")
	health := flag.Bool("health", false, "ask for the health instead of a greeting")
	flag.Parse()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := run(ctx, *path, *server, *health); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, path string, server int, health bool) error {
	var opts []runtime.DialOption
	if server >= 0 {
		// A client, too, knows whom it talks to: by default its own user, and root.
		opts = append(opts, runtime.WithServerPolicy(runtime.AllowUID(server)))
	}
	client, conn, err := greeterv1.DialGreeterUDS(path, opts...)
	if err != nil {
		return err
	}
	defer conn.Close()
	if health {
		resp, err := healthv1.NewHealthClient(conn).Check(ctx, &healthv1.HealthCheckRequest{})
		if err != nil {
			return err
		}
		fmt.Println(resp.GetStatus())
		return nil
	}
	resp, err := client.Greet(ctx, &greeterv1.GreetRequest{Name: "Ada"})
	if err != nil {
		return err
	}
	fmt.Println(resp.GetGreeting())
	return nil
}
