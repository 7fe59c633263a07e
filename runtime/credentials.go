package runtime

import (
	"context"
	"net"

	"google.golang.org/grpc/credentials"
)

// transportCredentials tell grpc what a Unix domain socket is: private to its two ends and
// not to be tampered with, as the kernel carries it. So per-RPC credentials, which grpc does
// not send over insecure transports, are sent. The connection itself is handed on unwrapped:
// grpc can then write without copying, and an idle connection costs a third.
type transportCredentials struct{}

// authInfo is what both ends find in peer.Peer.
type authInfo struct{ credentials.CommonAuthInfo }

func newAuthInfo() authInfo {
	return authInfo{credentials.CommonAuthInfo{SecurityLevel: credentials.PrivacyAndIntegrity}}
}

func (authInfo) AuthType() string { return "uds" }

// ValidateAuthority accepts every authority: on a socket nothing depends on it.
func (authInfo) ValidateAuthority(string) error { return nil }

func (transportCredentials) ClientHandshake(_ context.Context, _ string, conn net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return conn, newAuthInfo(), nil
}

func (transportCredentials) ServerHandshake(conn net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return conn, newAuthInfo(), nil
}

func (transportCredentials) Info() credentials.ProtocolInfo {
	return credentials.ProtocolInfo{SecurityProtocol: "uds"}
}

func (t transportCredentials) Clone() credentials.TransportCredentials { return t }

func (transportCredentials) OverrideServerName(string) error { return nil }
