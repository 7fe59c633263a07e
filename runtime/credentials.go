package runtime

import (
	"context"
	"fmt"
	"log/slog"
	"net"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"github.com/udsgrpc/udsgrpc/runtime/internal/admission"
	"github.com/udsgrpc/udsgrpc/runtime/socket"
)

// AuthInfo is the [credentials.AuthInfo] of every connection: the process at the other end. Its AuthType
// is "uds". Handlers get it with [PeerFromContext], clients with the call option [grpc.Peer]:
//
//	var p peer.Peer
//	resp, err := client.Greet(ctx, req, grpc.Peer(&p))
//	server := p.AuthInfo.(runtime.AuthInfo).Peer
//
// The security level is PrivacyAndIntegrity, as with grpc's own local credentials: the kernel carries the
// bytes, and nobody between the two ends can read or change them. So grpc sends per-RPC credentials, which
// it does not over insecure transports.
type AuthInfo struct {
	credentials.CommonAuthInfo
	Peer socket.Peer
	// Direct is true if the direct transport carries the call, and not HTTP/2.
	Direct bool

	draining <-chan struct{} // of a server, closed when it drains; see DrainingFromContext
}

// AuthType returns "uds".
func (AuthInfo) AuthType() string { return "uds" }

// ValidateAuthority accepts every authority: on a socket nothing depends on it.
func (AuthInfo) ValidateAuthority(string) error { return nil }

// PeerFromContext returns the caller in a handler or a server's interceptor. It reports false if ctx is
// not the context of such a call.
func PeerFromContext(ctx context.Context) (socket.Peer, bool) {
	info, ok := authInfoFrom(ctx)
	return info.Peer, ok
}

func authInfoFrom(ctx context.Context) (AuthInfo, bool) {
	if p, ok := peer.FromContext(ctx); ok {
		if info, ok := p.AuthInfo.(AuthInfo); ok {
			return info, true
		}
	}
	return AuthInfo{Peer: socket.Peer{UID: -1, GID: -1}}, false
}

// transportCredentials find out who is at the other end of a connection. They return the connection
// itself, not wrapped: then grpc can write without copying, and an idle connection costs a third.
//
// Servers only record the client: a refused handshake would look like a broken connection, and the client
// would try again for ever. Clients refuse an untrusted server here, before grpc has written a byte.
type transportCredentials struct {
	audit    *slog.Logger                         // of a server; nil for none
	dispatch func(*admission.Conn, AuthInfo) bool // of a server: takes a connection that is not for grpc
	draining <-chan struct{}                      // of a server: closed when it drains
	counted  *transportCounter                    // of a server: its connections
	verify   func(socket.Peer) error              // of a client
}

func (t transportCredentials) ServerHandshake(conn net.Conn) (net.Conn, credentials.AuthInfo, error) {
	c, ok := admission.ConnOf(conn)
	if ok {
		defer c.HandshakeDone()
		conn = c.UnixConn
	}
	info := newAuthInfo(conn)
	info.draining = t.draining
	if ok && t.dispatch(c, info) {
		return nil, nil, credentials.ErrConnDispatched
	}
	t.accepted(info)
	return conn, info, nil
}

// accepted counts a connection and writes the audit's record of it.
func (t transportCredentials) accepted(info AuthInfo) {
	t.counted.add(info.Direct)
	if t.audit != nil {
		t.audit.LogAttrs(context.Background(), slog.LevelInfo, "connection accepted", peerAttr(info.Peer))
	}
}

func (t transportCredentials) ClientHandshake(_ context.Context, _ string, conn net.Conn) (net.Conn, credentials.AuthInfo, error) {
	info := newAuthInfo(conn)
	if err := t.verify(info.Peer); err != nil {
		conn.Close()
		return nil, nil, err
	}
	return conn, info, nil
}

// newAuthInfo asks the kernel for the peer. If that fails, nothing is known of the peer, and the policies
// refuse it.
func newAuthInfo(conn net.Conn) AuthInfo {
	info := AuthInfo{
		CommonAuthInfo: credentials.CommonAuthInfo{SecurityLevel: credentials.PrivacyAndIntegrity},
		Peer:           socket.Peer{UID: -1, GID: -1},
	}
	if uds, ok := conn.(*net.UnixConn); ok {
		info.Peer, _ = socket.PeerOf(uds)
	}
	return info
}

func (transportCredentials) Info() credentials.ProtocolInfo {
	return credentials.ProtocolInfo{SecurityProtocol: "uds"}
}

func (t transportCredentials) Clone() credentials.TransportCredentials { return t }

func (transportCredentials) OverrideServerName(string) error { return nil }

// UntrustedServerError is the error of calls, and of [ClientConn.WaitReady], when the process that serves on
// the path is one that the client's policy refuses; see [WithServerPolicy]. Nothing was sent to it.
// [errors.As] finds it. The status of a call is codes.PermissionDenied.
type UntrustedServerError struct {
	Path   string      // as [ClientConn.Path] returns it
	Peer   socket.Peer // the server
	Policy Policy      // the client's
}

func (e *UntrustedServerError) Error() string {
	return fmt.Sprintf("the server on %s is %v, and this client talks to %v only: nothing was sent to it%s", e.Path, e.Peer, e.Policy, e.remedy())
}

// remedy says how to talk to that server, if its user is known.
func (e *UntrustedServerError) remedy() string {
	if !e.Peer.HasUID {
		return ""
	}
	return fmt.Sprintf("; if it is to be trusted, give the client runtime.WithServerPolicy(runtime.AllowUID(%d))", e.Peer.UID)
}

// untrustedCall is the error of a call for an untrusted server.
type untrustedCall struct{ reason *UntrustedServerError }

// GRPCStatus is for package status.
func (e untrustedCall) GRPCStatus() *status.Status {
	return status.New(codes.PermissionDenied, e.reason.Error())
}

func (e untrustedCall) Error() string { return e.GRPCStatus().String() }

func (e untrustedCall) Unwrap() error { return e.reason }
