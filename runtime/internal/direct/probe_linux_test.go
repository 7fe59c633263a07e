package direct

import (
	"context"
	"net"
	"sync"
	"testing"

	"google.golang.org/grpc/credentials"

	"github.com/udsgrpc/udsgrpc/runtime/internal/fixture"
)

// While it is not known whether the server speaks this protocol, one caller finds out and the others wait;
// then they connect in parallel.
func TestCallersThatWaitedForTheProbeConnectTogether(t *testing.T) {
	const callers = 5
	h := newHost(t, service{}, ServerConfig{})
	s := newSite(t, h.accept)
	var mu sync.Mutex
	var dials, together int
	probed, all := make(chan struct{}), make(chan struct{})
	c := NewClient(ClientConfig{MaxConns: callers, Dial: func(ctx context.Context) (*net.UnixConn, credentials.AuthInfo, error) {
		mu.Lock()
		dials++
		first := dials == 1
		if !first {
			if together++; together == callers-1 {
				close(all)
			}
		}
		mu.Unlock()
		if first {
			<-probed
		} else {
			select {
			case <-all:
			case <-ctx.Done():
				t.Error("another connects alone")
			}
		}
		return s.dial(ctx)
	}})
	t.Cleanup(c.Close)
	var calls sync.WaitGroup
	acquire := func() {
		conn, err := c.acquire(t.Context())
		if err != nil {
			t.Errorf("no connection: %v", err)
			return
		}
		defer c.pool.put(conn)
		<-all // no call uses the connection of another
	}
	calls.Go(acquire)
	fixture.Eventually(t, "the first to connect", func() bool { mu.Lock(); defer mu.Unlock(); return dials == 1 })
	for range callers - 1 {
		calls.Go(acquire)
	}
	if len(c.probing) != 1 {
		t.Error("nobody finds out")
	}
	close(probed)
	calls.Wait()
}
