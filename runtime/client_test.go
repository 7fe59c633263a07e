package runtime_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"

	greeterv1 "github.com/udsgrpc/udsgrpc/examples/greeter/gen/greeter/v1"
	"github.com/udsgrpc/udsgrpc/runtime"
	"github.com/udsgrpc/udsgrpc/runtime/internal/fixture"
	"github.com/udsgrpc/udsgrpc/runtime/internal/greetertest"
	"github.com/udsgrpc/udsgrpc/runtime/socket"
)

func TestServerAndClientTakeThePathInEveryForm(t *testing.T) {
	dir := fixture.ShortDir(t)
	t.Chdir(dir)
	abstract := fmt.Sprintf("udsgrpc-runtime-test-%d", os.Getpid())
	for name, forms := range map[string][]string{
		"path":         {dir + "/s.sock", "s.sock", "./s.sock", "unix:s.sock", "unix:" + dir + "/s.sock", "unix://" + dir + "/s.sock"},
		"hash":         {dir + "/a#b", "a#b", "unix:a#b", "unix://" + dir + "/a#b"},
		"question":     {dir + "/a?b=c", "a?b=c", "unix:a?b=c", "unix://" + dir + "/a?b=c"},
		"percent":      {dir + "/100%", "100%", "unix:100%", "unix://" + dir + "/100%"},
		"escape":       {dir + "/%2F%20", "%2F%20", "unix:%2F%20", "unix://" + dir + "/%2F%20"},
		"space":        {dir + "/a b", "a b", "unix:a b", "unix://" + dir + "/a b"},
		"unicode":      {dir + "/ünï漢🙂", "ünï漢🙂", "unix:ünï漢🙂", "unix://" + dir + "/ünï漢🙂"},
		"not UTF-8":    {dir + "/\xff", "\xff", "unix:\xff", "unix://" + dir + "/\xff"},
		"colon":        {dir + "/a:b", "./a:b", "unix:a:b"},
		"long":         {filepath.Join(dir, strings.Repeat("long", 30), "s.sock")},
		"abstract":     {"@" + abstract, "unix-abstract:" + abstract},
		"odd abstract": {"@" + abstract + " #?%/", "unix-abstract:" + abstract + " #?%/"},
	} {
		for _, serverForm := range forms {
			srv := greetertest.Serve(t, serverForm, newGreeter(), runtime.CreateDir())
			for _, clientForm := range forms {
				client, conn := greetertest.Dial(t, clientForm)
				if _, err := client.Greet(t.Context(), &greeterv1.GreetRequest{}); err != nil {
					t.Errorf("%s: server %q, client %q: %v", name, serverForm, clientForm, err)
				}
				conn.Close()
			}
			srv.Close()
			<-srv.Done
		}
	}
}

func TestBadPathIsAnErrorOfDialAndNewServer(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"", "unix://relative", "unix-abstract://name", "/a\x00b", "/run/"} {
		if _, _, err := greeterv1.DialGreeterUDS(path); !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("DialGreeterUDS(%q): error is %v", path, err)
		}
		if _, err := greeterv1.NewGreeterUDSServer(path, newGreeter()); !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("NewGreeterUDSServer(%q): error is %v", path, err)
		}
	}
	if _, err := runtime.Dial(fixture.FreePath(t), runtime.WithMaxRecvMsgSize(-1)); !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("Dial with a bad option: error is %v", err)
	}
}

func TestAuthorityIsLocalhost(t *testing.T) {
	t.Parallel()
	path := fixture.FreePath(t)
	var authority []string
	greetertest.Serve(t, path, newGreeter(), runtime.UnaryInterceptor(
		func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
			md, _ := metadata.FromIncomingContext(ctx)
			authority = md.Get(":authority")
			return next(ctx, req)
		}))
	client, _ := greetertest.Dial(t, path)
	greetertest.Greet(t, client)
	if len(authority) != 1 || authority[0] != "localhost" {
		t.Errorf("authority is %q", authority)
	}
}

func TestProxyVariablesHaveNoEffect(t *testing.T) {
	for _, name := range []string{"http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "grpc_proxy"} {
		t.Setenv(name, "http://127.0.0.1:1")
	}
	t.Setenv("no_proxy", "")
	path := fixture.FreePath(t)
	greetertest.Serve(t, path, newGreeter())
	client, _ := greetertest.Dial(t, path)
	greetertest.Greet(t, client)
}

// token is a per-RPC credential that insists on a secure transport.
type token struct{}

func (token) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{"authorization": "secret"}, nil
}

func (token) RequireTransportSecurity() bool { return true }

func TestPerRPCCredentialsAreSent(t *testing.T) {
	t.Parallel()
	path := fixture.FreePath(t)
	var got []string
	greetertest.Serve(t, path, newGreeter(), runtime.UnaryInterceptor(
		func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
			got = metadata.ValueFromIncomingContext(ctx, "authorization")
			return next(ctx, req)
		}))
	client, _ := greetertest.Dial(t, path, runtime.WithGRPCDialOptions(grpc.WithPerRPCCredentials(token{})))
	greetertest.Greet(t, client)
	if len(got) != 1 || got[0] != "secret" {
		t.Errorf("the server got %q", got)
	}
}

func TestWaitReadyReturnsWhenTheServerComes(t *testing.T) {
	t.Parallel()
	path := fixture.FreePath(t)
	client, conn := greetertest.Dial(t, path)
	ready := make(chan error, 1)
	go func() { ready <- conn.WaitReady(t.Context()) }()
	// A failed call shows that the client has tried to connect.
	_, err := client.Greet(t.Context(), &greeterv1.GreetRequest{})
	greetertest.CheckCode(t, err, codes.Unavailable)
	select {
	case err := <-ready:
		t.Fatalf("WaitReady returned before there was a server: %v", err)
	default:
	}
	greetertest.Serve(t, path, newGreeter())
	if err := <-ready; err != nil {
		t.Fatal(err)
	}
	greetertest.Greet(t, client)
}

func TestWaitReadySaysWhyItWaitedInVain(t *testing.T) {
	t.Parallel()
	path := fixture.FreePath(t)
	_, conn := greetertest.Dial(t, path)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	err := conn.WaitReady(ctx)
	if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), path) {
		t.Errorf("error is %v", err)
	}
	conn.Close()
	if err := conn.WaitReady(t.Context()); !errors.Is(err, net.ErrClosed) {
		t.Errorf("after Close the error is %v", err)
	}
}

func TestCallFailsWithUnavailableThatSaysWhy(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		prepare func(path string) error
		want    string
	}{
		"nothing":      {func(string) error { return nil }, "no such file: the server is not running"},
		"no directory": {func(path string) error { return os.Remove(filepath.Dir(path)) }, "does not exist"},
		"dead socket":  {fixture.AbandonSocket, "nobody listens"},
		"regular file": {func(path string) error { return os.WriteFile(path, nil, 0o600) }, "a regular file is there"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := fixture.FreePath(t)
			if err := c.prepare(path); err != nil {
				t.Fatal(err)
			}
			client, _ := greetertest.Dial(t, path)
			_, err := client.Greet(t.Context(), &greeterv1.GreetRequest{})
			greetertest.CheckCode(t, err, codes.Unavailable)
			if !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error is %v; want %q in it", err, c.want)
			}
		})
	}
	t.Run("path too long", func(t *testing.T) {
		t.Parallel()
		client, _ := greetertest.Dial(t, filepath.Join(fixture.ShortDir(t), strings.Repeat("n", 120)))
		_, err := client.Greet(t.Context(), &greeterv1.GreetRequest{})
		greetertest.CheckCode(t, err, codes.Unavailable)
		if !strings.Contains(err.Error(), socket.ErrPathTooLong.Error()) {
			t.Errorf("error is %v", err)
		}
	})
}

func TestWaitForReadyCallWaitsForTheServer(t *testing.T) {
	t.Parallel()
	path := fixture.FreePath(t)
	client, _ := greetertest.Dial(t, path)
	_, err := client.Greet(t.Context(), &greeterv1.GreetRequest{})
	greetertest.CheckCode(t, err, codes.Unavailable)
	answered := make(chan error, 1)
	go func() {
		_, err := client.Greet(t.Context(), &greeterv1.GreetRequest{}, grpc.WaitForReady(true))
		answered <- err
	}()
	greetertest.Serve(t, path, newGreeter())
	if err := <-answered; err != nil {
		t.Error(err)
	}
}

func TestCloseCancelsRunningCalls(t *testing.T) {
	t.Parallel()
	path := fixture.FreePath(t)
	g := newGreeter()
	greetertest.Serve(t, path, g)
	client, conn := greetertest.Dial(t, path)
	answered := make(chan error, 1)
	go func() {
		_, err := client.Greet(t.Context(), &greeterv1.GreetRequest{Name: "wait"})
		answered <- err
	}()
	<-g.Entered
	if err := conn.Close(); err != nil {
		t.Error(err)
	}
	greetertest.CheckCode(t, <-answered, codes.Canceled)
}

func TestClientOfOldStubsEndsWithTheConnection(t *testing.T) {
	t.Parallel()
	path := fixture.FreePath(t)
	greetertest.Serve(t, path, newGreeter())
	conn, err := runtime.Dial(path)
	if err != nil {
		t.Fatal(err)
	}
	oldNewClient := func(cc *grpc.ClientConn) greeterv1.GreeterClient { return greeterv1.NewGreeterClient(cc) }
	for range 2 {
		client, err := runtime.ClientOn(conn, oldNewClient)
		if err != nil {
			t.Fatal(err)
		}
		greetertest.Greet(t, client)
		defer func() {
			_, err := client.Greet(t.Context(), &greeterv1.GreetRequest{})
			greetertest.CheckCode(t, err, codes.Canceled)
		}()
	}
	if err := conn.Close(); err != nil {
		t.Error(err)
	}
	if _, err := runtime.ClientOn(conn, oldNewClient); !errors.Is(err, net.ErrClosed) {
		t.Errorf("a client on a closed connection: got %v, want %v", err, net.ErrClosed)
	}
}

func TestClientOfStubsOfAnotherKindIsAnError(t *testing.T) {
	t.Parallel()
	conn, err := runtime.Dial(fixture.FreePath(t))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	type other struct{ grpc.ClientConnInterface }
	_, err = runtime.ClientOn(conn, func(other) greeterv1.GreeterClient { return nil })
	if err == nil || !strings.Contains(err.Error(), "neither a grpc.ClientConnInterface nor a *grpc.ClientConn") {
		t.Errorf("got %v", err)
	}
}
