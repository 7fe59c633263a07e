package runtime_test

import (
	"context"
	"fmt"
	"log"
	"log/slog"

	"google.golang.org/grpc"

	greeterv1 "github.com/udsgrpc/udsgrpc/examples/greeter/gen/greeter/v1"
	adminv1 "github.com/udsgrpc/udsgrpc/examples/rules/gen/admin/v1"
	"github.com/udsgrpc/udsgrpc/runtime"
	"github.com/udsgrpc/udsgrpc/runtime/socket"
)

// A policy can be tested without a server.
func ExamplePolicy_Permits() {
	policy := runtime.Any(runtime.Root(), runtime.AllowGID(2000))
	for _, caller := range []socket.Peer{
		{UID: 0, HasUID: true},
		{UID: 1000, GID: 1000, Groups: []int{2000}, HasUID: true},
		{UID: 1000, GID: 1000, HasUID: true},
		{UID: -1, GID: -1}, // nothing is known of it
	} {
		fmt.Println(policy.Permits(caller))
	}
	// Output:
	// true
	// true
	// false
	// false
}

// A program's own rule should let in only peers whose user is known.
func ExampleNewPolicy() {
	people := runtime.NewPolicy("people, not services", func(p socket.Peer) bool {
		return p.HasUID && p.UID >= 1000 && p.UID < 60000
	})
	fmt.Println(runtime.Any(runtime.Root(), people))
	fmt.Println(people.Permits(socket.Peer{UID: 1000, HasUID: true}), people.Permits(socket.Peer{UID: 33, HasUID: true}))
	// Output:
	// (root or people, not services)
	// true false
}

// A name is looked up when the server is made; one that nobody has is an error then.
func ExampleAllowUserName() {
	_, err := runtime.NewServer("/run/greeter/greeter.sock", runtime.SocketMode(0o666),
		runtime.Authorize(runtime.Any(runtime.SameUser(), runtime.AllowUserName("no-such-user"))))
	fmt.Println(err != nil)
	// Output: true
}

// A service for a group: its members may enter the directory, connect and call.
func ExampleDirMode() {
	const gid = 2000
	srv, err := greeterv1.NewGreeterUDSServer("/run/greeter/greeter.sock", newGreeter(),
		runtime.CreateDir(), runtime.DirMode(0o750),
		runtime.SocketMode(0o660), runtime.SocketOwner(-1, gid),
		runtime.Authorize(runtime.Any(runtime.SameUser(), runtime.AllowGroupName("greeter-clients"))))
	if err != nil {
		log.Fatal(err)
	}
	defer srv.Close()
}

// An audit log of everything: each connection, each call, and each refusal.
func ExampleAuditAllowedCalls() {
	srv, err := greeterv1.NewGreeterUDSServer("/run/greeter/greeter.sock", newGreeter(),
		runtime.AuditLog(slog.Default()), runtime.AuditAllowedCalls())
	if err != nil {
		log.Fatal(err)
	}
	defer srv.Close()
}

// An interceptor that acts for callers by itself, here with answers that it has kept, has to ask who
// they are: it runs for refused calls, too.
func ExamplePolicy_Permits_interceptor() {
	kept := map[int]*greeterv1.GreetResponse{} // by uid
	trusted := runtime.Any(runtime.SameUser(), runtime.AllowUID(1000))
	cache := func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
		if caller, ok := runtime.PeerFromContext(ctx); ok && trusted.Permits(caller) && kept[caller.UID] != nil {
			return kept[caller.UID], nil
		}
		return next(ctx, req)
	}
	srv, err := greeterv1.NewGreeterUDSServer("/run/greeter/greeter.sock", newGreeter(),
		runtime.SocketMode(0o666), runtime.Authorize(trusted), runtime.UnaryInterceptor(cache))
	if err != nil {
		log.Fatal(err)
	}
	defer srv.Close()
}

// A socket for everybody, on which one service is for the server's own user and root.
func ExampleServer_RegistrarFor() {
	srv, err := greeterv1.NewGreeterUDSServer("/run/greeter/greeter.sock", newGreeter(),
		runtime.SocketMode(0o666), runtime.Authorize(runtime.Anyone()))
	if err != nil {
		log.Fatal(err)
	}
	adminv1.RegisterAdminServer(srv.RegistrarFor(runtime.Any(runtime.SameUser(), runtime.Root())), adminv1.UnimplementedAdminServer{})
	if err := srv.Serve(context.Background()); err != nil {
		log.Fatal(err)
	}
}
