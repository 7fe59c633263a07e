// Package viewers_test has the tests of inspection, which is behind "udsgrpc top" and "udsgrpc tap": who may look, what
// viewers see, and that the program and its clients notice nothing of them.
package viewers_test

import (
	"context"
	"net"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/udsgrpc/udsgrpc/internal/inspectwire"
	"github.com/udsgrpc/udsgrpc/internal/testproc"
	inspectv1 "github.com/udsgrpc/udsgrpc/proto/udsgrpc/inspect/v1"
	"github.com/udsgrpc/udsgrpc/runtime/internal/ringtest"
)

func TestMain(m *testing.M) {
	ringtest.Begin()
	testproc.Main(m, programs)
}

// interval is the shortest time between two snapshots.
const interval = 100 * time.Millisecond

// dial returns a viewer's connection.
func dial(path string) (*grpc.ClientConn, error) {
	return grpc.NewClient("passthrough:///server",
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(context.Context, string) (net.Conn, error) { return ask(path) }))
}

// ask asks for inspection. The error is that of package inspectwire.
func ask(path string) (net.Conn, error) {
	conn, err := net.Dial("unix", path)
	if err != nil {
		return nil, err
	}
	if err := inspectwire.Ask(conn); err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}

// viewer gets snapshots.
type viewer struct {
	t      testing.TB
	stream grpc.ServerStreamingClient[inspectv1.SnapshotsResponse]
	leave  context.CancelFunc
}

// look returns a viewer that has its first snapshot, and with it calls are counted. It leaves at the end of the test.
func look(t testing.TB, path string) *viewer {
	t.Helper()
	conn, err := dial(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	ctx, leave := context.WithCancel(t.Context())
	t.Cleanup(leave)
	stream, err := inspectv1.NewInspectServiceClient(conn).Snapshots(ctx, &inspectv1.SnapshotsRequest{Interval: durationpb.New(interval)})
	if err != nil {
		t.Fatal(err)
	}
	v := &viewer{t, stream, leave}
	v.next()
	return v
}

func (v *viewer) next() *inspectv1.SnapshotsResponse {
	v.t.Helper()
	s, err := v.stream.Recv()
	if err != nil {
		v.t.Fatal(err)
	}
	return s
}

// see waits for a snapshot that is like this.
func (v *viewer) see(what string, like func(*inspectv1.SnapshotsResponse) bool) *inspectv1.SnapshotsResponse {
	v.t.Helper()
	var s *inspectv1.SnapshotsResponse
	for range 300 {
		if s = v.next(); like(s) {
			return s
		}
	}
	v.t.Fatalf("no snapshot shows %s; the last is %v", what, s)
	return nil
}

// methodOf returns what a snapshot has of a method, or nil.
func methodOf(s *inspectv1.SnapshotsResponse, name string) *inspectv1.Method {
	for _, m := range s.GetMethods() {
		if m.GetName() == name {
			return m
		}
	}
	return nil
}
