package direct

import (
	"net"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"github.com/udsgrpc/udsgrpc/runtime/internal/fixture"
	"github.com/udsgrpc/udsgrpc/runtime/internal/ring"
)

// earningClient returns a client whose connections have to earn rings, and its server.
func earningClient(t *testing.T) (*host, *Client) {
	t.Helper()
	overRings(t)
	if !ring.NewSpinners().Worthwhile() {
		t.Skip("one core")
	}
	RingsAtOnce.Store(false)
	defer RingsAtOnce.Store(true)
	on := Rings{On: true, For: func(credentials.AuthInfo) bool { return true }}
	h := newHost(t, service{}, ServerConfig{Rings: on})
	c := NewClient(ClientConfig{Dial: newSite(t, h.accept).dial, MaxConns: 100, Rings: on})
	t.Cleanup(c.Close)
	return h, c
}

// earn makes calls until a connection has rings.
func earn(t *testing.T, c *Client) {
	t.Helper()
	fixture.Eventually(t, "rings", func() bool {
		mustEcho(t, c, "x")
		return c.RingsMoved() == 1
	})
}

func TestOnlySmallWritesEarnRings(t *testing.T) {
	t.Parallel()
	for size, want := range map[int]bool{1: true, earnSize: true, earnSize + 1: false} {
		e, earned := earning{since: time.Now().UnixNano()}, false
		for range earnAfter {
			earned = e.enough(earnAfter, size)
		}
		if earned != want {
			t.Errorf("%d writes of %d bytes earn rings: %v, want %v", earnAfter, size, earned, want)
		}
	}
}

func TestOneWayStreamsTakeNoRings(t *testing.T) {
	_, c := earningClient(t)
	earn(t, c)
	for name, tc := range map[string]struct {
		desc  grpc.StreamDesc
		rings bool
	}{
		"unary":         {grpc.StreamDesc{}, true},
		"both ways":     {grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, true},
		"server stream": {grpc.StreamDesc{ServerStreams: true}, false},
		"client stream": {grpc.StreamDesc{ClientStreams: true}, false},
	} {
		conn, err := c.acquireFor(t.Context(), &tc.desc, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := conn.rings.Load() != nil; got != tc.rings {
			t.Errorf("%s: on a connection with rings: %v, want %v", name, got, tc.rings)
		}
		c.pool.put(conn)
	}
}

// With more calls than may have rings, nobody has time to look again and again.
func TestManyCallsTakeNoRings(t *testing.T) {
	_, c := earningClient(t)
	earn(t, c)
	ringed := c.pool.get()
	others := fillPool(t, c, c.rings.most()-1)
	for range others {
		c.pool.get()
	}
	c.pool.put(ringed)
	if c.rings.spinners().Crowded() {
		t.Error("crowded with as many calls as may have rings")
	}
	if conn, err := c.acquireFor(t.Context(), &unaryDesc, nil); err != nil || conn != ringed {
		t.Errorf("the last call that may have rings does not get them: %v", err)
	}
	another, err := c.acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if !c.rings.spinners().Crowded() {
		t.Error("not crowded with one call more")
	}
	c.pool.put(ringed)
	conn, err := c.acquireFor(t.Context(), &unaryDesc, nil)
	if err != nil || conn.rings.Load() != nil {
		t.Errorf("a call beyond them gets rings: %v", err)
	}
	if conn, err := c.acquireFor(t.Context(), &unaryDesc, &unary{turn: true}); err != nil || conn != ringed {
		t.Errorf("a call that has its turn does not get rings: %v", err)
	}
	_ = another
}

func TestAClientTakesFewRings(t *testing.T) {
	_, c := earningClient(t)
	c.rings.now.Store(int64(c.rings.mostRings()))
	for range 5 * earnAfter {
		mustEcho(t, c, "x")
	}
	if n := c.RingsMoved(); n != 0 {
		t.Errorf("%d more connections have moved to rings", n)
	}
	conn := c.pool.get()
	if conn == nil || conn.mayMove.Load() || conn.files.receives() {
		t.Error("the connection still waits for rings")
	}
}

// What the pool counts agrees with what it holds, however connections leave it.
func TestPoolKeepsConnectionsWithRingsLast(t *testing.T) {
	p := pool{all: map[*conn]struct{}{}, sweepEvery: time.Hour}
	add := func(with bool) *conn {
		c := &conn{UnixConn: &net.UnixConn{}}
		if with {
			c.rings.Store(&rings{})
		}
		p.all[c] = struct{}{}
		p.put(c)
		return c
	}
	defer func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.sweep.Stop()
	}()
	r1, s1, r2, s2 := add(true), add(false), add(true), add(false)
	most := func() int { return 4 }
	if c, wanted := p.getSocket(false, 0, most); c != nil || wanted {
		t.Error("a call does not want rings")
	}
	for i, want := range []*conn{s2, s1, nil} {
		if c, wanted := p.getSocket(true, 0, most); c != want || !wanted {
			t.Errorf("one-way call %d does not get the expected connection", i)
		}
	}
	for i, want := range []*conn{r2, r1, nil} {
		if c := p.get(); c != want {
			t.Errorf("call %d does not get the expected connection", i)
		}
	}
	if p.ringed != 0 {
		t.Errorf("%d connections with rings are left in an empty pool", p.ringed)
	}
	p.put(r1)
	p.put(s1)
	if unused := p.takeUnused(); len(unused) != 1 || unused[0] != r1 || p.ringed != 0 {
		t.Errorf("sweeps %d connections, and counts %d with rings", len(unused), p.ringed)
	}
}
