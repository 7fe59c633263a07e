package main

import (
	"context"
	"io"
	"net"
	"sync"
	"testing"

	"google.golang.org/grpc"

	"github.com/udsgrpc/udsgrpc/runtime"
)

// serve runs a server of this project until the test ends. register adds its services.
func serve(t *testing.T, path string, opts ...runtime.ServerOption) *runtime.Server {
	t.Helper()
	return serveWith(t, path, func(grpc.ServiceRegistrar) {}, opts...)
}

func serveWith(t *testing.T, path string, register func(grpc.ServiceRegistrar), opts ...runtime.ServerOption) *runtime.Server {
	t.Helper()
	srv, err := runtime.NewServer(path, opts...)
	if err != nil {
		t.Fatal(err)
	}
	register(srv)
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- srv.Serve(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return srv
}

// servePlain runs a server of grpc-go alone until the test ends.
func servePlain(t *testing.T, path string, register func(*grpc.Server)) {
	t.Helper()
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	srv := grpc.NewServer()
	register(srv)
	served := make(chan error, 1)
	go func() { served <- srv.Serve(listener) }()
	t.Cleanup(func() {
		srv.Stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
}

// serveRaw hands every connection to handle until the test ends, and then closes them.
func serveRaw(t *testing.T, path string, handle func(net.Conn)) {
	t.Helper()
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	var handlers sync.WaitGroup
	handlers.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			handlers.Go(func() {
				defer conn.Close()
				handle(conn)
			})
		}
	})
	t.Cleanup(func() {
		listener.Close()
		handlers.Wait()
	})
}

// hang reads until the client gives up.
func hang(conn net.Conn) { io.Copy(io.Discard, conn) }

// answerHTTP1 is what a web server does.
func answerHTTP1(conn net.Conn) {
	io.WriteString(conn, "HTTP/1.1 400 Bad Request\r\n\r\n")
}
