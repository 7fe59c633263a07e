package listener

import (
	"context"
	"net"
	"time"
)

// offerTimeout is how long a process that takes a listener over may take from TakeOver to Commit. Then the
// offer lapses: Commit fails, and the owner continues to serve.
const offerTimeout = 30 * time.Second

// HandoverRequest is what a successor sends first. It is as long as HTTP/2's preface, so that an HTTP/2
// server answers, by hanging up, instead of waiting for more. It begins with another letter, so that one
// byte tells the two apart.
const HandoverRequest = "UDSGRPC-HANDOVER/1.0\r\n\r\n"

// Dial connects to the server on addr, as socket.Dialer.DialContext does.
type Dial func(ctx context.Context, addr string) (*net.UnixConn, error)
