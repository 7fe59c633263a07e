// Package channelz serves grpc.channelz.v1, with which tools such as grpcdebug look into the HTTP/2 side of a
// process: its servers and clients, their connections, and how many calls, messages and flow control
// windows they have.
//
//	srv, err := greeterv1.NewGreeterUDSServer(path, greeter{})
//	channelz.Register(srv)
//
//	grpcdebug unix:///run/app/app.sock channelz servers --json
//
// (Without --json, grpcdebug itself fails on every address of a Unix socket.) While somebody looks with "udsgrpc top" or
// "udsgrpc tap", there is one server more for that connection, which none of the program's calls come to.
//
// A program that imports this package pays for it: it imports grpc's own package of that service, whose
// initialization makes grpc collect this for the whole process, all servers and clients over TCP included. A
// program that does not import it has nothing of it. The direct transport is not in it; what both transports
// have done is in [runtime.Server.Stats].
package channelz

import (
	"google.golang.org/grpc/channelz/service"

	"github.com/udsgrpc/udsgrpc/runtime"
)

// Register adds the service to srv, and so must be called before Serve, which returns what is wrong. Only
// processes of the server's own user and of root may call it, whomever the server's rule lets in: it tells
// the addresses and the traffic of every connection of the process. [runtime.Authorize] and
// [runtime.AuthorizeMethod] can narrow that, and do not widen it.
func Register(srv *runtime.Server) {
	service.RegisterChannelzServiceToServer(srv.RegistrarFor(runtime.Any(runtime.SameUser(), runtime.Root())))
}
