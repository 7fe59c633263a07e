package runtime

import (
	"context"
	"net"
	"testing"

	"github.com/udsgrpc/udsgrpc/runtime/internal/admission"
	"github.com/udsgrpc/udsgrpc/runtime/socket"
)

// Around every wrapper of a connection grpc keeps buffers of its own: it has to get the
// connection itself.
func TestHandshakesHandOnTheVeryConnection(t *testing.T) {
	t.Parallel()
	conn := &net.UnixConn{}
	server := transportCredentials{dispatch: func(*admission.Conn, AuthInfo) bool { return false }, counted: &transportCounter{}}
	client := transportCredentials{verify: func(socket.Peer) error { return nil }}
	if got, _, err := server.ServerHandshake(&admission.Conn{UnixConn: conn}); got != net.Conn(conn) || err != nil {
		t.Errorf("the server's handshake returns %T, %v", got, err)
	}
	if got, _, err := client.ClientHandshake(context.Background(), "", conn); got != net.Conn(conn) || err != nil {
		t.Errorf("the client's handshake returns %T, %v", got, err)
	}
}
