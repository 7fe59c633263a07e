package interop

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"

	"google.golang.org/grpc"

	greeterv1 "github.com/udsgrpc/udsgrpc/examples/greeter/gen/greeter/v1"
	"github.com/udsgrpc/udsgrpc/runtime"
)

// dotnetClient is a client of .NET, as docs/dotnet.md shows it.
var dotnetClient = row{name: ".NET, SocketsHttpHandler", slow: true, run: func(c *cell) {
	program := c.dotnet("client")
	path := socketPath(c)
	for name, env := range map[string][]string{
		"":                    nil,
		" and a proxy is set": {"http_proxy=http://127.0.0.1:9", "all_proxy=http://127.0.0.1:9"},
	} {
		c.serveGreeter(path, func() {
			cmd := exec.CommandContext(soon(c), program[0], append(program[1:], path)...)
			cmd.Env = append(os.Environ(), env...)
			c.check(c.output(cmd) == "hello Ada\n3 2 1 0 \n", "the client prints something else when the server is there%s", name)
		})
	}
}}

// dotnetServer is a server of .NET, as docs/dotnet.md shows it.
var dotnetServer = row{name: ".NET, Kestrel", slow: true, run: func(c *cell) {
	program := c.dotnet("server")
	path := socketPath(c)
	d := c.start(exec.Command(program[0], append(program[1:], path)...))
	for _, opts := range [][]runtime.DialOption{nil, {runtime.WithHTTP2Only()}} {
		client, conn, err := greeterv1.DialGreeterUDS(path, opts...)
		if err != nil {
			c.Fatalf("%v", err)
		}
		defer conn.Close()
		if err := conn.WaitReady(soon(c)); err != nil {
			c.Fatalf("%v\n%s", err, d.log)
		}
		reply, err := client.Greet(soon(c), &greeterv1.GreetRequest{Name: "Ada"})
		want := fmt.Sprintf("Hello, Ada, of uid %d!", os.Getuid())
		c.check(err == nil && reply.GetGreeting() == want, "got %q, %v, want %q", reply.GetGreeting(), err, want)
		stream, err := client.Countdown(soon(c), &greeterv1.CountdownRequest{From: 3})
		var numbers []int32
		for err == nil {
			var m *greeterv1.CountdownResponse
			if m, err = stream.Recv(); err == nil {
				numbers = append(numbers, m.GetNumber())
			}
		}
		c.check(fmt.Sprint(numbers) == "[3 2 1 0]", "the countdown is %v, and ends with %v", numbers, err)
		conn.Close() // Kestrel waits for connections at its end
	}
	if err := d.Process.Signal(syscall.SIGTERM); err != nil {
		c.Fatalf("%v", err)
	}
	select {
	case <-d.exited:
	case <-soon(c).Done():
		c.Fatalf("it does not end: %s", d.log)
	}
	_, err := os.Lstat(path)
	c.check(os.IsNotExist(err), "its socket file is still there: %v", err)
}}

// dotnet builds one of the programs in dotnet/ and returns the command that runs it. Its rows are the only ones that
// may be skipped where everything has to be there: .NET's SDK is not installed for them, in CI neither.
func (c *cell) dotnet(program string) []string {
	c.Helper()
	sdk, err := exec.LookPath("dotnet")
	if err != nil {
		c.remark = "there is no .NET SDK, in CI neither; [what was measured](#net)"
		c.Skip(c.remark)
	}
	c.version = "SDK " + c.firstLine(sdk, "--version")
	src := dir(c)
	for from, to := range map[string]string{
		filepath.Join("dotnet", program, "Program.cs"):       "Program.cs",
		filepath.Join("dotnet", program, program+".csproj"):  program + ".csproj",
		"../examples/greeter/proto/greeter/v1/greeter.proto": "greeter.proto",
	} {
		content, err := os.ReadFile(from)
		if err != nil {
			c.Fatalf("%v", err)
		}
		if err := os.WriteFile(filepath.Join(src, to), content, 0o600); err != nil {
			c.Fatalf("%v", err)
		}
	}
	out := filepath.Join(src, "out")
	// Not under the deadline of what takes seconds: it gets packages from a registry.
	build := exec.CommandContext(c.Context(), sdk, "build", "--configuration", "Release", "--output", out, filepath.Join(src, program+".csproj"))
	build.Env = append(os.Environ(), "DOTNET_CLI_TELEMETRY_OPTOUT=1", "DOTNET_NOLOGO=1")
	c.output(build)
	return []string{sdk, filepath.Join(out, program+".dll")}
}

// serveGreeter serves the service of dotnet/ on path while do runs.
func (c *cell) serveGreeter(path string, do func()) {
	c.Helper()
	server, err := greeterv1.NewGreeterUDSServer(path, greeter{})
	if err != nil {
		c.Fatalf("%v", err)
	}
	served := make(chan error, 1)
	ctx, stop := context.WithCancel(c.Context())
	go func() { served <- server.Serve(ctx) }()
	do()
	stop()
	if err := <-served; err != nil {
		c.Errorf("serve: %v", err)
	}
}

type greeter struct {
	greeterv1.UnimplementedGreeterServer
}

func (greeter) Greet(_ context.Context, req *greeterv1.GreetRequest) (*greeterv1.GreetResponse, error) {
	return &greeterv1.GreetResponse{Greeting: "hello " + req.GetName()}, nil
}

func (greeter) Countdown(req *greeterv1.CountdownRequest, stream grpc.ServerStreamingServer[greeterv1.CountdownResponse]) error {
	for n := req.GetFrom(); n >= 0; n-- {
		if err := stream.Send(&greeterv1.CountdownResponse{Number: n}); err != nil {
			return err
		}
	}
	return nil
}
