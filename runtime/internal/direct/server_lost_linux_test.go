package direct

import (
	"context"
	"errors"
	"io"
	"slices"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/stats"
	"google.golang.org/grpc/status"

	"github.com/udsgrpc/udsgrpc/runtime/internal/fixture"
)

// A server is lost when it goes away while no connection to it is open, and when another transport notices
// that first.
func TestLossIsFoundWithoutACallThatMeetsIt(t *testing.T) {
	for name, find := range map[string]func(t *testing.T, c *Client, s *site){
		"by connecting": func(t *testing.T, c *Client, s *site) {
			c.pool.closeIdle()
			s.move(nil)
			if err := c.Connect(t.Context()); err != ErrHTTP2 {
				t.Errorf("connecting comes to %v", err)
			}
		},
		"by HTTP/2": func(_ *testing.T, c *Client, _ *site) { c.HTTP2Connected() },
	} {
		t.Run(name, func(t *testing.T) {
			h := newHost(t, service{}, ServerConfig{})
			s := newSite(t, h.accept)
			connected, lost := 0, 0
			c := NewClient(ClientConfig{
				Dial: s.dial, MaxConns: 2,
				Connected: func(credentials.AuthInfo) { connected++ },
				Lost:      func() { lost++ },
			})
			defer c.Close()
			mustEcho(t, c, "x")
			c.HTTP2Connected() // for the first time, to a running server
			mustEcho(t, c, "x")
			if connected != 2 || lost != 0 {
				t.Fatalf("connected %d times and lost %d times before the loss", connected, lost)
			}
			h.Stop()
			await(t, "Serve", h.errs)
			await(t, "Serve", h.errs)
			find(t, c, s)
			if lost != 1 {
				t.Errorf("the server was lost %d times", lost)
			}
		})
	}
}

// Two calls notice the end of the same server, the second when there is a connection to its successor.
func TestLossIsReportedOnceHoweverManyCallsFindIt(t *testing.T) {
	old, next := newHost(t, service{stream: echo}, ServerConfig{}), newHost(t, service{}, ServerConfig{})
	s := newSite(t, old.accept)
	lost := 0
	c := NewClient(ClientConfig{Dial: s.dial, MaxConns: 10, Lost: func() { lost++ }})
	defer c.Close()
	first, second := open(t, c, &bothDesc), open(t, c, &bothDesc)
	for _, stream := range []grpc.ClientStream{first, second} { // both are running
		if err := errors.Join(stream.SendMsg(&blob{}), stream.RecvMsg(&blob{})); err != nil {
			t.Fatal(err)
		}
	}
	s.move(next.accept)
	old.Stop()
	if code := status.Code(first.RecvMsg(&blob{})); code != codes.Unavailable {
		t.Errorf("the first stream ends with %v", code)
	}
	mustEcho(t, c, "x")
	if code := status.Code(second.RecvMsg(&blob{})); code != codes.Unavailable {
		t.Errorf("the second stream ends with %v", code)
	}
	if lost != 1 {
		t.Errorf("the server was lost %d times", lost)
	}
	if all, idle := c.pool.size(); all != 1 || idle != 1 {
		t.Errorf("there are %d connections, %d idle; want that to the next server", all, idle)
	}
}

func TestConnectionThatIsDeadIsNotReady(t *testing.T) {
	h := newHost(t, service{}, ServerConfig{})
	c, s := newClient(t, h.accept)
	stream := openRunning(t, c)
	fillPool(t, c, 3)
	h.Stop()
	h.runs.Wait()
	s.move(nil)
	stream.RecvMsg(&blob{})
	if err := c.Connect(t.Context()); err != ErrHTTP2 {
		t.Errorf("connecting comes to %v", err)
	}
}

func TestConnectionWhoseEndNobodyHasFoundIsNotReady(t *testing.T) {
	h := newHost(t, service{}, ServerConfig{})
	c, s := newClient(t, h.accept)
	mustEcho(t, c, "x")
	h.Stop()
	h.runs.Wait()
	s.move(nil)
	if err := c.Connect(t.Context()); err != ErrHTTP2 {
		t.Errorf("connecting comes to %v", err)
	}
}

// openRunning returns a stream that the server has begun.
func openRunning(t *testing.T, c *Client) grpc.ClientStream {
	t.Helper()
	stream := open(t, c, &bothDesc)
	if err := errors.Join(stream.SendMsg(&blob{}), stream.RecvMsg(&blob{})); err != nil {
		t.Fatal(err)
	}
	return stream
}

// The call that notices the end of a server first leaves no dead connection for other calls, however many
// connections there were.
func TestConnectionsToALostServerAreNotUsed(t *testing.T) {
	const conns = 4 * maxTries
	for name, lose := range map[string]func(t *testing.T, c *Client, s *site, next *host){
		"idle ones, when a stream finds it": func(t *testing.T, c *Client, s *site, next *host) {
			old := newHost(t, service{}, ServerConfig{})
			s.move(old.accept)
			stream := openRunning(t, c)
			fillPool(t, c, conns)
			s.move(next.accept)
			old.Stop()
			if code := status.Code(stream.RecvMsg(&blob{})); code != codes.Unavailable {
				t.Errorf("the stream ends with %v", code)
			}
		},
		"those of calls that end later": func(t *testing.T, c *Client, s *site, next *host) {
			entered, release := make(chan struct{}, conns), make(chan struct{})
			old := newHost(t, service{unary: func(_ context.Context, m *blob) (*blob, error) {
				entered <- struct{}{}
				<-release
				return m, nil
			}}, ServerConfig{})
			s.move(old.accept)
			fillPool(t, c, conns+1)
			var calls sync.WaitGroup
			for range conns {
				calls.Go(func() {
					if _, err := invoke(t, c, "slow"); err != nil {
						t.Error(err)
					}
				})
			}
			for range conns {
				await(t, "a handler", entered)
			}
			s.move(next.accept)
			drained := make(chan struct{})
			go func() {
				defer close(drained)
				old.Drain()
			}()
			fixture.Eventually(t, "the drain", func() bool {
				old.mu.Lock()
				defer old.mu.Unlock()
				return old.draining && len(old.conns) == conns
			})
			mustEcho(t, c, "finds it")
			close(release)
			calls.Wait()
			await(t, "the drain", drained)
		},
	} {
		t.Run(name, func(t *testing.T) {
			next := newHost(t, service{}, ServerConfig{})
			c, s := newClient(t, nil)
			lose(t, c, s, next)
			mustEcho(t, c, "x")
			if all, idle := c.pool.size(); all != idle {
				t.Errorf("there are %d connections, %d idle", all, idle)
			}
		})
	}
}

// events records in order what a client reports.
type events struct {
	mu  sync.Mutex
	all []string
}

func (e *events) add(event string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.all = append(e.all, event)
}

func (e *events) client(t *testing.T, s *site, hs handlers) *Client {
	c := NewClient(ClientConfig{
		Dial: s.dial, MaxConns: 10, Stats: hs,
		Connected: func(credentials.AuthInfo) { e.add("connected") },
		Lost:      func() { e.add("lost") },
	})
	t.Cleanup(c.Close)
	return c
}

// While HTTP/2 reports a new server, a call notices the end of the old one.
func TestLossThatTwoFindAtTheSameTimeIsReportedOnce(t *testing.T) {
	old, next := newHost(t, service{}, ServerConfig{}), newHost(t, service{}, ServerConfig{})
	s := newSite(t, old.accept)
	var meanwhile func()
	told := &events{}
	c := told.client(t, s, handlers{statsFuncs{conn: func(e stats.ConnStats) {
		if _, ok := e.(*stats.ConnEnd); ok && meanwhile != nil {
			f := meanwhile
			meanwhile = nil
			f()
		}
	}}})
	stream := openRunning(t, c)
	fillPool(t, c, 1)
	s.move(next.accept)
	old.Stop()
	old.runs.Wait()
	meanwhile = func() {
		stream.RecvMsg(&blob{})
		mustEcho(t, c, "x")
	}
	c.HTTP2Connected()
	if want := []string{"connected", "connected", "lost", "connected"}; !slices.Equal(told.all, want) {
		t.Errorf("the client tells %q, want %q", told.all, want)
	}
}

// Nobody can connect to a server that drains, so it is lost. It is not lost again when its last calls have
// ended.
func TestServerThatEndsSlowlyIsLostOnce(t *testing.T) {
	old, next := newHost(t, service{}, ServerConfig{}), newHost(t, service{}, ServerConfig{})
	s := newSite(t, old.accept)
	told := &events{}
	c := told.client(t, s, nil)
	stream := openRunning(t, c)
	s.move(nil)
	if _, err := invoke(t, c, "x"); err != ErrHTTP2 {
		t.Errorf("the call comes to %v", err)
	}
	s.move(next.accept)
	mustEcho(t, c, "x")
	old.Stop()
	if code := status.Code(stream.RecvMsg(&blob{})); code != codes.Unavailable {
		t.Errorf("the stream ends with %v", code)
	}
	if want := []string{"connected", "lost", "connected"}; !slices.Equal(told.all, want) {
		t.Errorf("the client tells %q, want %q", told.all, want)
	}
}

// A lack of resources at this end, or a full accept queue, says nothing about the server.
func TestConnectionsStayWhenAnotherCannotBeMade(t *testing.T) {
	h := newHost(t, service{}, ServerConfig{})
	s := newSite(t, h.accept)
	told := &events{}
	c := told.client(t, s, nil)
	stream := openRunning(t, c)
	s.move(nil)
	for _, s.errno = range []unix.Errno{unix.EMFILE, unix.EAGAIN} {
		if _, err := invoke(t, c, "x"); err != ErrHTTP2 {
			t.Errorf("the call comes to %v", err)
		}
	}
	if err := errors.Join(stream.CloseSend(), stream.RecvMsg(&blob{})); !errors.Is(err, io.EOF) {
		t.Errorf("the stream ends with %v", err)
	}
	mustEcho(t, c, "on the connection of the stream")
	if want := []string{"connected"}; !slices.Equal(told.all, want) {
		t.Errorf("the client tells %q, want %q", told.all, want)
	}
}

// If a connection is replaced, another call that looks for one at the same time does not get its place.
func TestStreamThatIsSentAgainKeepsItsPlace(t *testing.T) {
	old, next := newSleeper(t, service{}), newHost(t, service{}, ServerConfig{})
	s := newSite(t, old.accept)
	var c *Client
	c = NewClient(ClientConfig{Dial: s.dial, MaxConns: 1, Lost: func() {
		if _, err := invoke(t, c, "meanwhile"); err != ErrHTTP2 {
			t.Errorf("a call beyond the limit comes to %v", err)
		}
	}})
	t.Cleanup(c.Close)
	mustEcho(t, c, "first")
	stream := open(t, c, &bothDesc)
	if err := stream.SendMsg(&blob{}); err != nil {
		t.Fatal(err)
	}
	old.queued(1)
	s.move(next.accept)
	old.drain()
	if err := stream.RecvMsg(&blob{}); err != nil {
		t.Errorf("the stream comes to %v", err)
	}
	await(t, "the drain", old.drained)
	if err := errors.Join(stream.CloseSend(), stream.RecvMsg(&blob{})); !errors.Is(err, io.EOF) {
		t.Errorf("the stream ends with %v", err)
	}
	mustEcho(t, c, "last")
	if all, idle := c.pool.size(); all != 1 || idle != 1 || c.pool.dials != 0 {
		t.Errorf("there are %d connections, %d idle, and %d places reserved", all, idle, c.pool.dials)
	}
}
