package channelz_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/channelz/grpc_channelz_v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	greeterv1 "github.com/udsgrpc/udsgrpc/examples/greeter/gen/greeter/v1"
	"github.com/udsgrpc/udsgrpc/internal/testproc"
	"github.com/udsgrpc/udsgrpc/runtime"
	"github.com/udsgrpc/udsgrpc/runtime/channelz"
	"github.com/udsgrpc/udsgrpc/runtime/internal/fixture"
	"github.com/udsgrpc/udsgrpc/runtime/internal/greetertest"
)

// programs are the processes that tests start.
var programs = map[string]testproc.Program{"serve": serveForAll, "ask": ask}

// serveForAll is a program: a greeter for everybody, with channelz.
func serveForAll(args []string) error {
	srv, err := greeterv1.NewGreeterUDSServer(args[0], greetertest.New(), runtime.SocketMode(0o666), runtime.Authorize(runtime.Anyone()))
	if err != nil {
		return err
	}
	channelz.Register(srv)
	fmt.Println("serving")
	return srv.Serve(context.Background())
}

// ask is a program: it prints the status of a call to channelz and of one to the greeter, over each transport.
func ask(args []string) error {
	for _, opts := range [][]runtime.DialOption{nil, {runtime.WithHTTP2Only()}} {
		conn, err := runtime.Dial(args[0], append(opts, runtime.WithServerPolicy(runtime.Anyone()))...)
		if err != nil {
			return err
		}
		_, channelzErr := grpc_channelz_v1.NewChannelzClient(conn).GetServers(context.Background(), &grpc_channelz_v1.GetServersRequest{})
		_, greeterErr := greeterv1.NewGreeterClient(conn).Greet(context.Background(), &greeterv1.GreetRequest{})
		fmt.Println(status.Code(channelzErr), status.Code(greeterErr), status.Convert(channelzErr).Message())
		if err := conn.Close(); err != nil {
			return err
		}
	}
	return nil
}

func TestOnlyTheServersUserAndRootAreTold(t *testing.T) {
	t.Parallel()
	greetertest.NeedRoot(t)
	const own, other = 1234, 2345
	path := greetertest.PublicPath(t)
	if err := os.Chown(filepath.Dir(path), own, own); err != nil {
		t.Fatal(err)
	}
	server := greetertest.StartAs(t, greetertest.User{UID: own, GID: own}, "serve", path)
	server.Line()
	for uid, want := range map[uint32]string{own: "OK OK ", 0: "OK OK ", other: "PermissionDenied OK uid 2345"} {
		client := greetertest.StartAs(t, greetertest.User{UID: uid, GID: uid}, "ask", path)
		for range 2 {
			line := client.Line()
			if !strings.HasPrefix(line, want) {
				t.Errorf("uid %d is told %q, want %q", uid, line, want)
			}
			if uid == other && !strings.HasSuffix(line, "may not call /grpc.channelz.v1.Channelz/GetServers: the rule is ((same user (uid 1234) or root) and anyone)") {
				t.Errorf("the refusal is %q", line)
			}
		}
	}
	server.Kill()
}

// serve runs a greeter with channelz, and makes calls over HTTP/2. It returns the path.
func serve(t *testing.T, calls int, opts ...runtime.ServerOption) string {
	t.Helper()
	path := fixture.FreePath(t)
	srv, err := greeterv1.NewGreeterUDSServer(path, greetertest.New(), opts...)
	if err != nil {
		t.Fatal(err)
	}
	channelz.Register(srv)
	greetertest.Run(t, srv)
	client, _ := greetertest.Dial(t, path, runtime.WithHTTP2Only())
	for range calls {
		greetertest.Greet(t, client)
	}
	return path
}

// A client of plain grpc-go, as all that ask for this are.
func TestConnectionsAndCallsOverHTTP2AreTold(t *testing.T) {
	t.Parallel()
	const calls = 7
	path := serve(t, calls)
	conn, err := grpc.NewClient("unix://"+path, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	client := grpc_channelz_v1.NewChannelzClient(conn)
	servers, err := client.GetServers(t.Context(), &grpc_channelz_v1.GetServersRequest{})
	if err != nil {
		t.Fatal(err)
	}
	// This process has other servers, too: that of the calls has as many, and the one that asks.
	for _, server := range servers.GetServer() {
		if server.GetData().GetCallsSucceeded() != calls {
			continue
		}
		sockets, err := client.GetServerSockets(t.Context(), &grpc_channelz_v1.GetServerSocketsRequest{ServerId: server.GetRef().GetServerId()})
		if err != nil {
			t.Fatal(err)
		}
		if n := len(sockets.GetSocketRef()); n != 2 {
			t.Errorf("the server has %d connections, want that of the calls and the one that asks", n)
		}
		for _, ref := range sockets.GetSocketRef() {
			socket, err := client.GetSocket(t.Context(), &grpc_channelz_v1.GetSocketRequest{SocketId: ref.GetSocketId()})
			if err != nil {
				t.Fatal(err)
			}
			if socket.GetSocket().GetData().GetStreamsStarted() == 0 {
				t.Errorf("a connection has no calls: %v", socket)
			}
		}
		return
	}
	t.Errorf("no server has %d calls: %v", calls, servers)
}

func TestAuthorizeNarrowsWhoIsTold(t *testing.T) {
	t.Parallel()
	path := fixture.FreePath(t)
	srv, err := runtime.NewServer(path, runtime.Authorize(runtime.AllowUID(54321)), runtime.SocketMode(0o666))
	if err != nil {
		t.Fatal(err)
	}
	channelz.Register(srv)
	greetertest.Run(t, srv)
	_, conn := greetertest.Dial(t, path)
	_, err = grpc_channelz_v1.NewChannelzClient(conn).GetServers(t.Context(), &grpc_channelz_v1.GetServersRequest{})
	greetertest.CheckCode(t, err, codes.PermissionDenied)
}

// grpcdebug's tables end in a panic for every address of a Unix socket (as of March 2025, "Address type not supported for
// uds_address"); those without addresses and its JSON do not.
func TestGrpcdebugReadsIt(t *testing.T) {
	t.Parallel()
	grpcdebug, err := exec.LookPath("grpcdebug")
	if err != nil {
		t.Skip("grpcdebug is not on PATH: go install github.com/grpc-ecosystem/grpcdebug@latest")
	}
	const calls = 11
	path := serve(t, calls)
	run := func(args ...string) string {
		return testproc.Run(t, exec.CommandContext(t.Context(), grpcdebug, append([]string{"unix://" + path, "channelz"}, args...)...))
	}
	var servers []struct {
		Data struct {
			Succeeded int `json:"calls_succeeded"`
		}
		ListenSocket []struct{ Name string } `json:"listen_socket"`
	}
	if err := json.Unmarshal([]byte(run("servers", "--json")), &servers); err != nil {
		t.Fatal(err)
	}
	found := false
	for _, server := range servers {
		found = found || server.Data.Succeeded == calls && len(server.ListenSocket) == 1 && server.ListenSocket[0].Name == path
	}
	if !found {
		t.Errorf("grpcdebug tells of no server on %s with %d calls: %+v", path, calls, servers)
	}
	if table := run("channels"); !strings.Contains(table, fmt.Sprintf("%d/%d/0", calls, calls)) {
		t.Errorf("grpcdebug shows no channel with %d calls:\n%s", calls, table)
	}
}
