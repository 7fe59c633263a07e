package faults_test

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"

	greeterv1 "github.com/udsgrpc/udsgrpc/examples/greeter/gen/greeter/v1"
	"github.com/udsgrpc/udsgrpc/runtime"
	"github.com/udsgrpc/udsgrpc/runtime/internal/fixture"
	"github.com/udsgrpc/udsgrpc/runtime/internal/greetertest"
)

const http2PrefaceLen = 24

// listenOdd serves every client of a path with something that is no gRPC.
func listenOdd(t *testing.T, path string, serve func(net.Conn)) {
	t.Helper()
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	accepting := make(chan struct{})
	go func() {
		defer close(accepting)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			serve(conn)
			conn.Close()
		}
	}()
	t.Cleanup(func() {
		l.Close()
		<-accepting
	})
}

// A server that is no gRPC server, or takes no more connections, is told apart from one that hangs, whatever
// grpc happened to do when it found out.
func TestErrorSaysWhatServersOfOthersDo(t *testing.T) {
	t.Parallel()
	answer := func(text string) func(net.Conn) {
		return func(c net.Conn) {
			io.CopyN(io.Discard, c, http2PrefaceLen)
			io.WriteString(c, text)
			io.Copy(io.Discard, c)
		}
	}
	for name, c := range map[string]struct {
		serve func(net.Conn)
		want  string
	}{
		"hangs up":               {func(net.Conn) {}, "hangs up at once"},
		"hangs up later":         {func(c net.Conn) { io.CopyN(io.Discard, c, http2PrefaceLen) }, "hangs up at once"},
		"asks for HTTP/1.1":      {answer("\x00\x00\x08\x07\x00\x00\x00\x00\x00" + "\x00\x00\x00\x00\x00\x00\x00\x0d"), "does not speak HTTP/2"},
		"answers with HTTP/1.1":  {answer("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"), "does not speak HTTP/2"},
		"answers and then hangs": {answer("\x00"), "does not answer"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := fixture.FreePath(t)
			listenOdd(t, path, c.serve)
			tries := 100 // some of them end in another way
			if strings.Contains(c.want, "does not") {
				tries = 1
			}
			for range tries {
				client, conn := greetertest.Dial(t, path, runtime.WithGRPCDialOptions(shortConnect))
				_, err := client.Greet(t.Context(), &greeterv1.GreetRequest{})
				greetertest.CheckCode(t, err, codes.Unavailable)
				if !strings.Contains(err.Error(), path+": the server ") || !strings.Contains(err.Error(), c.want) {
					t.Fatalf("error is %v; want the path and %q in it", err, c.want)
				}
				conn.Close()
			}
		})
	}
}

// Also one that comes before the client has given up on the server.
func TestDeadlineSaysWhyThereWasNoConnection(t *testing.T) {
	t.Parallel()
	for name, opts := range map[string][]runtime.DialOption{"default": nil, "HTTP/2 only": {runtime.WithHTTP2Only()}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := fixture.FreePath(t)
			l, err := net.Listen("unix", path) // and nobody ever accepts, as in a server that is stopped
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			client, _ := greetertest.Dial(t, path, opts...)
			for range 2 {
				ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
				defer cancel()
				_, err := client.Greet(ctx, &greeterv1.GreetRequest{})
				greetertest.CheckCode(t, err, codes.DeadlineExceeded)
				if !strings.Contains(err.Error(), path+": the server accepts the connection but does not answer") {
					t.Errorf("error is %v", err)
				}
			}
		})
	}
}

// A client that has to wait for a place in the accept queue hears of that, with either transport.
func TestDeadlineInAFullQueueSaysSo(t *testing.T) {
	t.Parallel()
	for name, opts := range map[string][]runtime.DialOption{"default": nil, "HTTP/2 only": {runtime.WithHTTP2Only()}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := fixture.FreePath(t)
			listenFull(t, path)
			client, _ := greetertest.Dial(t, path, opts...)
			ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
			defer cancel()
			_, err := client.Greet(ctx, &greeterv1.GreetRequest{})
			greetertest.CheckCode(t, err, codes.DeadlineExceeded)
			if !strings.Contains(err.Error(), path+": ") || !strings.Contains(err.Error(), "accept queue") {
				t.Errorf("error is %v", err)
			}
		})
	}
}

// listenFull listens on a path and lets nobody in.
func listenFull(t *testing.T, path string) {
	t.Helper()
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	if err := errors.Join(unix.Bind(fd, &unix.SockaddrUnix{Name: path}), unix.Listen(fd, 0)); err != nil {
		t.Fatal(err)
	}
	connect(t, path, 1)
}

// A call that comes too late has no need of a connection.
func TestDeadlineThatWasOverIsNotExplained(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithDeadline(t.Context(), time.Unix(0, 0))
	defer cancel()
	path := fixture.FreePath(t)
	client, _ := greetertest.Dial(t, path, runtime.WithHTTP2Only())
	_, err := client.Greet(ctx, &greeterv1.GreetRequest{})
	greetertest.CheckCode(t, err, codes.DeadlineExceeded)
	if strings.Contains(err.Error(), path) {
		t.Errorf("error is %v", err)
	}
}

// A handler that takes too long is no want of a connection.
func TestDeadlineOfACallThatRunsIsLeftAsItIs(t *testing.T) {
	t.Parallel()
	for name, opts := range map[string][]runtime.DialOption{"default": nil, "HTTP/2 only": {runtime.WithHTTP2Only()}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := fixture.FreePath(t)
			greetertest.Serve(t, path, greetertest.New())
			client, _ := greetertest.Dial(t, path, opts...)
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			defer cancel()
			_, err := client.Greet(ctx, &greeterv1.GreetRequest{Name: "wait"})
			greetertest.CheckCode(t, err, codes.DeadlineExceeded)
			if strings.Contains(err.Error(), path) {
				t.Errorf("error is %v", err)
			}
		})
	}
}

// shortConnect has a client give up on a server soon.
var shortConnect = grpc.WithConnectParams(grpc.ConnectParams{MinConnectTimeout: 200 * time.Millisecond})
