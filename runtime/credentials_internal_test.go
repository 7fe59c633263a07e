package runtime

import (
	"context"
	"net"
	"testing"

	"github.com/udsgrpc/udsgrpc/runtime/socket"
)

// Around every wrapper of a connection grpc keeps buffers of its own: it has to get the
// connection itself.
func TestHandshakesHandOnTheVeryConnection(t *testing.T) {
	t.Parallel()
	conn := &net.UnixConn{}
	server := transportCredentials{divert: func(arrival, AuthInfo) bool { return false }, greeted: func() {}, counted: &transportCounter{}}
	client := transportCredentials{verify: func(socket.Peer) error { return nil }}
	if got, _, err := server.ServerHandshake(arrival{UnixConn: conn}); got != net.Conn(conn) || err != nil {
		t.Errorf("the server's handshake returns %T, %v", got, err)
	}
	if got, _, err := client.ClientHandshake(context.Background(), "", conn); got != net.Conn(conn) || err != nil {
		t.Errorf("the client's handshake returns %T, %v", got, err)
	}
}
