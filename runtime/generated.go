package runtime

import (
	"fmt"
	"maps"

	"google.golang.org/grpc"

	"github.com/udsgrpc/udsgrpc/runtime/internal/oldstubs"
)

// SupportsGenerated1 marks that this package fits the first form of generated code. Generated files refer
// to it, so that the compiler finds a plugin that is newer than the runtime, instead of a call that fails.
// All earlier forms stay supported: code that was generated once compiles with every later runtime of the
// same major version.
const SupportsGenerated1 = true

// DeclaredPolicies is for generated code: it passes the rules that a .proto file declares, by full method
// name. See [Authorize] for how they combine with those of a program.
func DeclaredPolicies(policies map[string]Policy) ServerOption {
	return func(c *serverConfig) { maps.Copy(c.auth.declared, policies) }
}

// RegisterOn is for generated code, and for a second service of the same stubs on its server: it calls
// register, the function RegisterXxxServer of stubs that may be of any age. Newer ones take a
// [grpc.ServiceRegistrar], so that a [Server] can be passed to them directly; older ones, as of gogo's plugin
// and of protoc-gen-go with plugins=grpc, take a *grpc.Server:
//
//	server, err := csiudsgrpc.NewIdentityUDSServer(path, driver)
//	runtime.RegisterOn(server, csi.RegisterNodeServer, csi.NodeServer(driver))
//
// Like [Server.RegisterService] it must be called before Serve, which returns what is wrong.
func RegisterOn[Registrar grpc.ServiceRegistrar, Impl any](server *Server, register func(Registrar, Impl), impl Impl) {
	if registrar, ok := any(server).(Registrar); ok {
		register(registrar, impl)
		return
	}
	old, ok := any(register).(func(*grpc.Server, Impl))
	if !ok {
		server.refuse(fmt.Errorf("register with %T on %s: it takes neither a grpc.ServiceRegistrar nor a *grpc.Server", register, server.Path()))
		return
	}
	descs, err := oldstubs.Describe(func(s *grpc.Server) { old(s, impl) })
	if err != nil {
		server.refuse(fmt.Errorf("register with %T on %s: %w", register, server.Path(), err))
		return
	}
	for _, desc := range descs {
		server.RegisterService(desc, impl)
	}
}

// ClientOn is for generated code, and for a client of a second service of the same stubs on its connection:
// it calls newClient, the function NewXxxClient of stubs that may be of any age. Newer ones take a
// [grpc.ClientConnInterface], so that a [ClientConn] can be passed to them directly; older ones take a
// *grpc.ClientConn:
//
//	identity, conn, err := csiudsgrpc.DialIdentityUDS(path)
//	node, err := runtime.ClientOn(conn, csi.NewNodeClient)
//
// The client's calls are those of conn in every respect, and end when conn is closed. After that the error
// of ClientOn wraps [net.ErrClosed], if the stubs are old ones.
func ClientOn[Conn grpc.ClientConnInterface, Client any](conn *ClientConn, newClient func(Conn) Client) (Client, error) {
	if c, ok := any(conn).(Conn); ok {
		return newClient(c), nil
	}
	var none Client
	old, ok := any(newClient).(func(*grpc.ClientConn) Client)
	if !ok {
		return none, fmt.Errorf("make a client with %T: it takes neither a grpc.ClientConnInterface nor a *grpc.ClientConn", newClient)
	}
	facade, err := conn.facade.Of(conn)
	if err != nil {
		return none, err
	}
	return old(facade), nil
}
