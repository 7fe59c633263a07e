// Command client calls every service that the server offers, over one connection.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"slices"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	reflectionv1 "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"

	greeterv1 "github.com/udsgrpc/udsgrpc/examples/greeter/gen/greeter/v1"
	adminv1 "github.com/udsgrpc/udsgrpc/examples/rules/gen/admin/v1"
	"github.com/udsgrpc/udsgrpc/runtime"
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
	conn, err := runtime.Dial(path)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.WaitReady(ctx); err != nil {
		return err
	}
	for _, call := range []func(context.Context, grpc.ClientConnInterface) error{list, check, greet, administer} {
		if err := call(ctx, conn); err != nil {
			return err
		}
	}
	return nil
}

// list asks the server what it offers, as grpcurl does.
func list(ctx context.Context, conn grpc.ClientConnInterface) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // ends the stream
	stream, err := reflectionv1.NewServerReflectionClient(conn).ServerReflectionInfo(ctx)
	if err != nil {
		return err
	}
	request := &reflectionv1.ServerReflectionRequest{
		MessageRequest: &reflectionv1.ServerReflectionRequest_ListServices{},
	}
	if err := stream.Send(request); err != nil {
		return err
	}
	resp, err := stream.Recv()
	if err != nil {
		return err
	}
	var names []string
	for _, service := range resp.GetListServicesResponse().GetService() {
		names = append(names, service.GetName())
	}
	slices.Sort(names)
	for _, name := range names {
		fmt.Println("offered ", name)
	}
	return nil
}

// check asks for the health of one service, as grpc-health-probe does with -service.
func check(ctx context.Context, conn grpc.ClientConnInterface) error {
	name := greeterv1.Greeter_ServiceDesc.ServiceName
	resp, err := healthv1.NewHealthClient(conn).Check(ctx, &healthv1.HealthCheckRequest{Service: name})
	if err != nil {
		return err
	}
	fmt.Println("health  ", name, resp.GetStatus())
	return nil
}

func greet(ctx context.Context, conn grpc.ClientConnInterface) error {
	resp, err := greeterv1.NewGreeterClient(conn).Greet(ctx, &greeterv1.GreetRequest{Name: "Ada"})
	if err != nil {
		return err
	}
	fmt.Println("greet   ", resp.GetGreeting())
	return nil
}

// administer shows that a refusal is an answer like another: the connection stays. Shutdown
// comes last, as root is obeyed.
func administer(ctx context.Context, conn grpc.ClientConnInterface) error {
	client := adminv1.NewAdminClient(conn)
	for _, step := range []struct {
		name string
		call func() error
	}{
		{"status  ", func() error { _, err := client.Status(ctx, &adminv1.StatusRequest{}); return err }},
		{"reload  ", func() error { _, err := client.Reload(ctx, &adminv1.ReloadRequest{}); return err }},
		{"shutdown", func() error { _, err := client.Shutdown(ctx, &adminv1.ShutdownRequest{}); return err }},
	} {
		switch err := step.call(); status.Code(err) {
		case codes.OK:
			fmt.Println(step.name, "OK")
		case codes.PermissionDenied:
			fmt.Println(step.name, "PermissionDenied", status.Convert(err).Message())
		default:
			return err
		}
	}
	return nil
}
