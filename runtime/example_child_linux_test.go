package runtime_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"os/exec"

	"google.golang.org/grpc"

	greeterv1 "github.com/udsgrpc/udsgrpc/examples/greeter/gen/greeter/v1"
	"github.com/udsgrpc/udsgrpc/runtime"
)

// A host starts a plugin, calls it, and stops it. The plugin's side is the example of
// InheritedPath; here it is this test program, started once more.
func ExampleStartChild() {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "UDSGRPC_TEST_PROGRAM=serve parent")
	cmd.Stderr = os.Stderr

	ctx := context.Background()
	plugin, err := runtime.StartChild(ctx, cmd)
	if err != nil {
		log.Fatal(err)
	}
	client := greeterv1.NewGreeterClient(plugin.Conn())
	resp, err := client.Greet(ctx, &greeterv1.GreetRequest{Name: "Ada"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(resp.GetGreeting())
	fmt.Println("stopped:", plugin.Close())
	// Output:
	// Hello, Ada
	// stopped: <nil>
}

// A host keeps a plugin running. When it dies, calls fail or wait until the next one serves.
func ExampleSupervise() {
	ctx := context.Background()
	plugin, err := runtime.Supervise(ctx, func() *exec.Cmd {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "UDSGRPC_TEST_PROGRAM=serve parent")
		return cmd
	})
	if err != nil {
		log.Fatal(err)
	}
	client := greeterv1.NewGreeterClient(plugin.Conn())
	resp, err := client.Greet(ctx, &greeterv1.GreetRequest{Name: "Ada"}, grpc.WaitForReady(true))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(resp.GetGreeting())
	fmt.Println("restarts:", plugin.Restarts())
	fmt.Println("closed:", plugin.Close())
	// Output:
	// Hello, Ada
	// restarts: 0
	// closed: <nil>
}

// A plugin serves the process that has started it, until that stops it or dies. Given a path
// it serves there instead.
func ExampleInheritedPath() {
	path := runtime.InheritedPath()
	if len(os.Args) > 1 {
		path = os.Args[1]
	}
	srv, err := greeterv1.NewGreeterUDSServer(path, newGreeter())
	if err != nil {
		log.Fatal(err)
	}
	if err := srv.Serve(context.Background()); err != nil {
		log.Fatal(err)
	}
}
