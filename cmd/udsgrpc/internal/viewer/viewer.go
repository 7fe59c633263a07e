// Package viewer looks into a server of udsgrpc, with the service that is behind "top" and "tap".
package viewer

import (
	"context"
	"errors"
	"io"
	"iter"
	"net"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/udsgrpc/udsgrpc/internal/inspectwire"
	inspectv1 "github.com/udsgrpc/udsgrpc/proto/udsgrpc/inspect/v1"
	"github.com/udsgrpc/udsgrpc/runtime/socket"
)

// AskTimeout is how long a server may take to say whether it lets the viewer look.
const AskTimeout = 2 * time.Second

// maxSnapshot is how large a snapshot may be. It has a thousand methods and a thousand clients at most.
const maxSnapshot = 64 << 20

// window is how much the server may send before it is read here: a server has that much for a tap.
const window = 1 << 20

// ErrGone means that there was a server, and its connection has ended.
var ErrGone = errors.New("the server has gone")

// Viewer is a connection to a server.
type Viewer struct {
	inspectv1.InspectServiceClient
	conn *grpc.ClientConn
}

// Connect connects to the server on path, of any user: nothing is sent to it but the wish to look. If the server
// answers that it does not want that, the error is that of package inspectwire; other errors are those of the
// connection. It is waited for until ctx ends, and for two seconds at most.
func Connect(ctx context.Context, path string) (*Viewer, error) {
	conn, err := ask(ctx, path)
	if err != nil {
		return nil, err
	}
	var used atomic.Bool
	client, err := grpc.NewClient("passthrough:///server",
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxSnapshot)),
		// With fixed windows grpc sends no pings to find better ones, which would cost the server time.
		grpc.WithStaticStreamWindowSize(window), grpc.WithStaticConnWindowSize(window),
		grpc.WithContextDialer(func(context.Context, string) (net.Conn, error) {
			if used.Swap(true) {
				return nil, ErrGone // grpc would connect again, perhaps to another server
			}
			return conn, nil
		}))
	if err != nil {
		conn.Close()
		return nil, err
	}
	v := &Viewer{inspectv1.NewInspectServiceClient(client), client}
	client.Connect()
	return v, nil
}

// ask asks the server to let the viewer look.
func ask(ctx context.Context, path string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, AskTimeout)
	defer cancel()
	conn, err := new(socket.Dialer).DialContext(ctx, path)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(0, 1)) })
	err = inspectwire.Ask(conn)
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}

// Close ends the connection, and all calls on it.
func (v *Viewer) Close() { v.conn.Close() }

// Snapshots returns snapshots until the server ends them, then an error, which wraps ErrGone if the connection
// has ended, and is that of ctx if that has.
func (v *Viewer) Snapshots(ctx context.Context, interval time.Duration) iter.Seq2[*inspectv1.SnapshotsResponse, error] {
	return func(yield func(*inspectv1.SnapshotsResponse, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		stream, err := v.InspectServiceClient.Snapshots(ctx, &inspectv1.SnapshotsRequest{Interval: durationpb.New(interval)})
		receive(ctx, stream, err, yield)
	}
}

// receive yields what comes, and then the error.
func receive[T any](ctx context.Context, stream grpc.ServerStreamingClient[T], err error, yield func(*T, error) bool) {
	for {
		var resp *T
		if err == nil {
			resp, err = stream.Recv()
		}
		if err != nil {
			yield(nil, explain(ctx, err))
			return
		}
		if !yield(resp, nil) {
			return
		}
	}
}

func explain(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, io.EOF), status.Code(err) == codes.Unavailable:
		return ErrGone
	default:
		return err
	}
}
