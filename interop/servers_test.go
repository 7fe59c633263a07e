package interop

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os/exec"

	"connectrpc.com/connect/v2"
	"google.golang.org/grpc"
	"google.golang.org/grpc/interop"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/status"
)

// servers are those that this project's client calls: by default, when it first finds out that
// the server speaks HTTP/2 only, and with WithHTTP2Only.
func servers() []row {
	rows := []row{
		{name: "grpc-go", run: func(c *cell) {
			c.version = moduleVersion(c, "google.golang.org/grpc")
			path := socketPath(c)
			c.sendsLocalhost(c.servePlainGRPC(path), path)
		}},
		{name: "connect-go", run: func(c *cell) {
			c.version = moduleVersion(c, "connectrpc.com/connect/v2")
			path := socketPath(c)
			c.sendsLocalhost(c.serveConnect(path), path)
		}},
		dotnetServer,
	}
	for _, l := range languages() {
		rows = append(rows, row{name: l.name, slow: l.slow, run: func(c *cell) {
			path := socketPath(c)
			c.odd = l.oddAsServer
			c.startServer(path, l.server(c)(context.Background(), path))
			c.runBothWays(path)
			err := c.callThrough("unix://"+path, grpc.WithAuthority(path))
			c.check((err != nil) == l.refusesPath, "with a path as :authority a call ends with %v", err)
			if err != nil {
				c.say("refuses a path as `:authority`: " + status.Code(err).String())
			}
		}})
	}
	return rows
}

// runBothWays calls a server that knows nothing of the direct transport.
func (c *cell) runBothWays(path string) {
	c.Helper()
	t, tapped := c.tap(path)
	c.runCases(ours, tapped)
	c.spoken(t, true, true)
	t, tapped = c.tap(path)
	c.runCases(oursHTTP2, tapped)
	c.spoken(t, true, false)
}

// sendsLocalhost is runBothWays with a server that can tell what the client sends as :authority.
func (c *cell) sendsLocalhost(seen *authorities, path string) {
	c.Helper()
	c.runBothWays(path)
	c.check(seen.String() == "localhost", "our client sends :authority %q, want localhost", seen)
}

// startServer starts a program that prints a line when it serves.
func (c *cell) startServer(path string, cmd *exec.Cmd) *daemon {
	c.Helper()
	d := c.start(cmd)
	c.says(d, "serving\n")
	c.answers(d, "unix", path)
	return d
}

// servePlainGRPC serves TestService with grpc-go and nothing else.
func (c *cell) servePlainGRPC(path string) *authorities {
	c.Helper()
	a := newAuthorities()
	server := grpc.NewServer(grpc.UnaryInterceptor(a.unary), grpc.StreamInterceptor(a.stream))
	testgrpc.RegisterTestServiceServer(server, interop.NewTestServer())
	listener, err := net.Listen("unix", path)
	if err != nil {
		c.Fatalf("%v", err)
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	c.Cleanup(func() {
		server.Stop()
		if err := <-served; err != nil {
			c.Errorf("serve: %v", err)
		}
	})
	return a
}

// serveConnect serves TestService with connect-go.
func (c *cell) serveConnect(path string) *authorities {
	c.Helper()
	a := newAuthorities()
	services := connectRegistrar{connect.NewServer()}
	testgrpc.RegisterTestServiceServer(services, interop.NewTestServer())
	handler := services.handler()
	server := &http.Server{
		Protocols: new(http.Protocols),
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			a.add(r.Host)
			handler.ServeHTTP(w, r)
		}),
	}
	server.Protocols.SetUnencryptedHTTP2(true)
	listener, err := net.Listen("unix", path)
	if err != nil {
		c.Fatalf("%v", err)
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	c.Cleanup(func() {
		if err := server.Shutdown(context.Background()); err != nil {
			c.Errorf("shut down: %v", err)
		}
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			c.Errorf("serve: %v", err)
		}
	})
	return a
}

// runPlain is a program that serves with grpc-go and nothing else, until it is killed.
func runPlain(args []string) error {
	listener, err := net.Listen("unix", args[0])
	if err != nil {
		return err
	}
	server := grpc.NewServer()
	testgrpc.RegisterTestServiceServer(server, interop.NewTestServer())
	fmt.Println("serving")
	return server.Serve(listener)
}
