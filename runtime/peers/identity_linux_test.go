package peers_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	greeterv1 "github.com/udsgrpc/udsgrpc/examples/greeter/gen/greeter/v1"
	"github.com/udsgrpc/udsgrpc/internal/testproc"
	"github.com/udsgrpc/udsgrpc/runtime"
	"github.com/udsgrpc/udsgrpc/runtime/internal/fixture"
	"github.com/udsgrpc/udsgrpc/runtime/internal/greetertest"
	"github.com/udsgrpc/udsgrpc/runtime/socket"
)

// callAll is a program: for each path, it makes a unary call and a stream, and prints the
// status of both.
func callAll(paths []string) error {
	for _, path := range paths {
		client, conn, err := greeterv1.DialGreeterUDS(path, runtime.WithServerPolicy(runtime.Anyone()))
		if err != nil {
			return err
		}
		_, unaryErr := client.Greet(context.Background(), &greeterv1.GreetRequest{})
		var streamErr error
		stream, err := client.Countdown(context.Background(), &greeterv1.CountdownRequest{})
		if err != nil {
			return err
		}
		if _, err := stream.Recv(); err != nil {
			streamErr = err
		}
		fmt.Printf("%v %v %s\n", status.Code(unaryErr), status.Code(streamErr), status.Convert(unaryErr).Message())
		conn.Close()
	}
	return nil
}

func TestServerLetsInWhomItsPolicySays(t *testing.T) {
	t.Parallel()
	greetertest.NeedRoot(t)
	users := map[string]greetertest.User{
		"root":   {},
		"ann":    {UID: 1234, GID: 1234},
		"bob":    {UID: 2345, GID: 2345, Groups: []uint32{777, 778}},
		"nobody": {UID: 65534, GID: 65534, Groups: []uint32{65534}},
	}
	const greet, countdown = "/greeter.v1.Greeter/Greet", "/greeter.v1.Greeter/Countdown"
	declared := func(p runtime.Policy) runtime.ServerOption {
		return runtime.DeclaredPolicies(map[string]runtime.Policy{greet: p, countdown: p})
	}
	cases := []struct {
		name string
		opts []runtime.ServerOption
		in   string // who may call
	}{
		{"default", nil, "root"},
		{"zero", []runtime.ServerOption{runtime.Authorize(runtime.Policy{})}, ""},
		{"same user", []runtime.ServerOption{runtime.Authorize(runtime.SameUser())}, "root"},
		{"root", []runtime.ServerOption{runtime.Authorize(runtime.Root())}, "root"},
		{"anyone", []runtime.ServerOption{runtime.Authorize(runtime.Anyone())}, "root ann bob nobody"},
		{"uid", []runtime.ServerOption{runtime.Authorize(runtime.AllowUID(1234))}, "ann"},
		{"uids", []runtime.ServerOption{runtime.Authorize(runtime.AllowUID(1234, 2345))}, "ann bob"},
		{"no uid", []runtime.ServerOption{runtime.Authorize(runtime.AllowUID())}, ""},
		{"nobody's uid, where every id is mapped", []runtime.ServerOption{runtime.Authorize(runtime.AllowUID(65534, -1))}, "nobody"},
		{"gid", []runtime.ServerOption{runtime.Authorize(runtime.AllowGID(1234))}, "ann"},
		{"supplementary gid", []runtime.ServerOption{runtime.Authorize(runtime.AllowGID(778))}, "bob"},
		{"nobody's gid, where every id is mapped", []runtime.ServerOption{runtime.Authorize(runtime.AllowGID(65534, -1))}, "nobody"},
		{"named users", []runtime.ServerOption{runtime.Authorize(runtime.AllowUserName("root", "1234"))}, "root ann"},
		{"named groups", []runtime.ServerOption{runtime.Authorize(runtime.AllowGroupName("778", "root"))}, "root bob"},
		{"own", []runtime.ServerOption{runtime.Authorize(runtime.NewPolicy("uids below 2000", func(p socket.Peer) bool { return p.HasUID && p.UID < 2000 }))}, "root ann"},
		{"own without a rule", []runtime.ServerOption{runtime.Authorize(runtime.NewPolicy("none", nil))}, ""},
		{"any", []runtime.ServerOption{runtime.Authorize(runtime.Any(runtime.Root(), runtime.AllowGID(777)))}, "root bob"},
		{"any of none", []runtime.ServerOption{runtime.Authorize(runtime.Any())}, ""},
		{"all", []runtime.ServerOption{runtime.Authorize(runtime.All(runtime.AllowUID(1234, 2345), runtime.AllowGID(777)))}, "bob"},
		{"all of none", []runtime.ServerOption{runtime.Authorize(runtime.All())}, ""},
		{"by method", []runtime.ServerOption{runtime.Authorize(runtime.Root()),
			runtime.AuthorizeMethod(greet, runtime.AllowUID(1234)), runtime.AuthorizeMethod(countdown, runtime.AllowUID(1234))}, "ann"},
		{"declared", []runtime.ServerOption{declared(runtime.AllowUID(1234, 2345))}, "ann bob"},
		{"declared, narrowed", []runtime.ServerOption{declared(runtime.AllowUID(1234, 2345)), runtime.Authorize(runtime.AllowUID(2345))}, "bob"},
		{"declared, not widened", []runtime.ServerOption{declared(runtime.AllowUID(1234)), runtime.Authorize(runtime.Anyone())}, "ann"},
		{"declared, not widened by method", []runtime.ServerOption{runtime.AuthorizeMethod(greet, runtime.Anyone()),
			runtime.AuthorizeMethod(countdown, runtime.Anyone()), declared(runtime.AllowUID(1234))}, "ann"},
	}
	var paths []string
	for _, c := range cases {
		path := greetertest.PublicPath(t)
		greetertest.Serve(t, path, greetertest.New(), append(c.opts, runtime.SocketMode(0o666))...)
		paths = append(paths, path)
	}
	for name, u := range users {
		caller := greetertest.StartAs(t, u, "call all", paths...)
		for _, c := range cases {
			got := caller.Line()
			want := "PermissionDenied PermissionDenied "
			if strings.Contains(" "+c.in+" ", " "+name+" ") {
				want = "OK OK "
			}
			if !strings.HasPrefix(got, want) {
				t.Errorf("%s: %s gets %q, want %q", c.name, name, got, want)
			}
			if want != "OK OK " && name == "ann" && !strings.Contains(got, "uid 1234, gid 1234, process") {
				t.Errorf("%s: the refusal does not name the caller: %q", c.name, got)
			}
		}
	}
}

func TestRefusalNamesCallerMethodAndRule(t *testing.T) {
	t.Parallel()
	path := fixture.FreePath(t)
	greetertest.Serve(t, path, greetertest.New(), runtime.Authorize(runtime.AllowUID()))
	client, _ := greetertest.Dial(t, path)
	_, err := client.Greet(t.Context(), &greeterv1.GreetRequest{})
	greetertest.CheckCode(t, err, codes.PermissionDenied)
	for _, want := range []string{fmt.Sprintf("uid %d", os.Geteuid()), fmt.Sprintf("process %d", os.Getpid()), "/greeter.v1.Greeter/Greet", "uid none"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("refusal is %v; want %q in it", err, want)
		}
	}
}

func TestRuleOfOneMethodLeavesTheOthersAlone(t *testing.T) {
	t.Parallel()
	path := fixture.FreePath(t)
	greetertest.Serve(t, path, greetertest.New(), runtime.AuthorizeMethod("/greeter.v1.Greeter/Greet", runtime.Policy{}))
	client, _ := greetertest.Dial(t, path)
	_, err := client.Greet(t.Context(), &greeterv1.GreetRequest{})
	greetertest.CheckCode(t, err, codes.PermissionDenied)
	stream, err := client.Countdown(t.Context(), &greeterv1.CountdownRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); err != nil {
		t.Errorf("the other method fails: %v", err)
	}
}

func TestBothEndsLearnWhoTheOtherIs(t *testing.T) {
	t.Parallel()
	path := fixture.FreePath(t)
	checkPeer := func(ctx context.Context) {
		p, ok := runtime.PeerFromContext(ctx)
		if !ok || !p.HasUID || p.UID != os.Geteuid() || p.GID != os.Getegid() || !p.HasPID || p.PID != os.Getpid() {
			t.Errorf("the server sees %v, %v", p, ok)
		}
	}
	greetertest.Serve(t, path, greetertest.New(),
		runtime.UnaryInterceptor(func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
			checkPeer(ctx)
			return next(ctx, req)
		}))
	client, _ := greetertest.Dial(t, path)
	var server peer.Peer
	if _, err := client.Greet(t.Context(), &greeterv1.GreetRequest{}, grpc.Peer(&server)); err != nil {
		t.Fatal(err)
	}
	info, ok := server.AuthInfo.(runtime.AuthInfo)
	if !ok || info.Peer.UID != os.Geteuid() || info.Peer.PID != os.Getpid() {
		t.Errorf("the client sees %v", server.AuthInfo)
	}
	if info.AuthType() != "uds" || info.SecurityLevel != credentials.PrivacyAndIntegrity {
		t.Errorf("auth type is %q with security level %v", info.AuthType(), info.SecurityLevel)
	}
	if p, ok := runtime.PeerFromContext(t.Context()); ok || p.HasUID {
		t.Errorf("there is a peer %v without a call", p)
	}
}

// serveAnyone is a program: a greeter that everyone may call, and that everyone may connect to.
func serveAnyone(args []string) error {
	srv, err := greeterv1.NewGreeterUDSServer(args[0], greetertest.New(), runtime.Authorize(runtime.Anyone()), runtime.SocketMode(0o666))
	if err != nil {
		return err
	}
	fmt.Println("serving")
	return srv.Serve(context.Background())
}

func TestClientTalksOnlyToServersOfItsPolicy(t *testing.T) {
	t.Parallel()
	greetertest.NeedRoot(t)
	path := greetertest.PublicPath(t)
	if err := os.Chown(filepath.Dir(path), 1234, 1234); err != nil {
		t.Fatal(err)
	}
	greetertest.StartAs(t, greetertest.User{UID: 1234, GID: 1234}, "serve anyone", path).Line()
	for _, c := range []struct {
		opts []runtime.DialOption
		code codes.Code
	}{
		{nil, codes.PermissionDenied},
		{[]runtime.DialOption{runtime.WithServerPolicy(runtime.AllowUID(4321))}, codes.PermissionDenied},
		{[]runtime.DialOption{runtime.WithServerPolicy(runtime.Policy{})}, codes.PermissionDenied},
		{[]runtime.DialOption{runtime.WithServerPolicy(runtime.AllowUID(1234))}, codes.OK},
		{[]runtime.DialOption{runtime.WithServerPolicy(runtime.AllowGID(1234))}, codes.OK},
		{[]runtime.DialOption{runtime.WithServerPolicy(runtime.Anyone())}, codes.OK},
	} {
		client, conn := greetertest.Dial(t, path, c.opts...)
		_, err := client.Greet(t.Context(), &greeterv1.GreetRequest{})
		greetertest.CheckCode(t, err, c.code)
		stream, err := client.Countdown(t.Context(), &greeterv1.CountdownRequest{})
		if err == nil {
			_, err = stream.Recv()
		}
		greetertest.CheckCode(t, err, c.code)
		if c.code != codes.OK && (!strings.Contains(err.Error(), "uid 1234") || !strings.Contains(err.Error(), path)) {
			t.Errorf("the refusal does not name the server: %v", err)
		}
		conn.Close()
	}
}

// squat is a program: it listens on a path and prints how much it gets to read from a client.
func squat(args []string) error {
	l, err := net.Listen("unix", args[0])
	if err != nil {
		return err
	}
	if err := os.Chmod(args[0], 0o666); err != nil {
		return err
	}
	fmt.Println("squatting")
	for {
		conn, err := l.Accept()
		if err != nil {
			return err
		}
		n, _ := conn.Read(make([]byte, 100))
		fmt.Println("read", n)
		conn.Close()
	}
}

func TestImpostorGetsNotOneByteAndTheClientRecovers(t *testing.T) {
	t.Parallel()
	greetertest.NeedRoot(t)
	path := greetertest.PublicPath(t)
	if err := os.Chmod(filepath.Dir(path), 0o777|os.ModeSticky); err != nil {
		t.Fatal(err)
	}
	impostor := greetertest.StartAs(t, greetertest.User{UID: 1234, GID: 1234}, "squat", path)
	impostor.Line()
	client, conn := greetertest.Dial(t, path)
	_, err := client.Greet(t.Context(), &greeterv1.GreetRequest{Name: "secret"})
	greetertest.CheckCode(t, err, codes.PermissionDenied)
	for range 3 {
		if line := impostor.Line(); line != "read 0" {
			t.Errorf("the impostor %s bytes", line)
		}
	}
	impostor.Kill()
	impostor.WaitExit()
	greetertest.Serve(t, path, greetertest.New())
	if err := conn.WaitReady(t.Context()); err != nil {
		t.Fatal(err)
	}
	greetertest.Greet(t, client)
}

// In its user namespace the server is root, and users outside have no number: the kernel
// reports all of them as 65534. In its PID namespace, their processes have no number either.
func TestPeerOutsideOfTheServersNamespacesIsUnknown(t *testing.T) {
	t.Parallel()
	greetertest.NeedRoot(t)
	path := greetertest.PublicPath(t)
	for _, args := range [][]string{{path + ".uid", "unknown uid"}, {path + ".root", "root"}, {path + ".anyone", "anyone"}} {
		cmd := testproc.Command(t, "serve in namespaces", args...)
		cmd.SysProcAttr = &syscall.SysProcAttr{
			Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWPID,
			UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: 0, Size: 1}},
			GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: 0, Size: 1}},
		}
		testproc.StartCmd(t, cmd).Line()
	}
	outside := greetertest.StartAs(t, greetertest.User{UID: 1234, GID: 1234, Groups: []uint32{1234}}, "call all", path+".uid", path+".root", path+".anyone")
	for _, want := range []string{
		"PermissionDenied PermissionDenied uid 65534 (nobody, or a user unknown in this user namespace) may not call",
		"PermissionDenied PermissionDenied uid 65534 (nobody, or a user unknown in this user namespace) may not call",
		"OK OK",
	} {
		if line := outside.Line(); !strings.HasPrefix(line, want) {
			t.Errorf("the outsider gets %q, want %q", line, want)
		}
	}
	inside := greetertest.StartAs(t, greetertest.User{}, "call all", path+".root")
	if line := inside.Line(); !strings.HasPrefix(line, "OK OK") {
		t.Errorf("the user who has a number inside gets %q", line)
	}
}

// serveInNamespaces is a program: a greeter with the policy named by its argument.
func serveInNamespaces(args []string) error {
	policies := map[string]runtime.Policy{
		"unknown uid": runtime.Any(runtime.AllowUID(65534, 0x7fffffff), runtime.AllowGID(65534)),
		"root":        runtime.Root(),
		"anyone":      runtime.Anyone(),
	}
	srv, err := greeterv1.NewGreeterUDSServer(args[0], greetertest.New(), runtime.Authorize(policies[args[1]]), runtime.SocketMode(0o666))
	if err != nil {
		return err
	}
	fmt.Println("serving")
	return srv.Serve(context.Background())
}
