package direct

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/stats"
	"google.golang.org/grpc/status"

	"github.com/udsgrpc/udsgrpc/runtime/internal/fixture"
)

// gate is a handler whose calls wait until it opens.
type gate struct {
	entered chan struct{} // gets a value for each call that is in the handler
	open    chan struct{}
}

func newGate() *gate { return &gate{make(chan struct{}, 1000), make(chan struct{})} }

func (g *gate) handle(_ context.Context, b *blob) (*blob, error) {
	g.entered <- struct{}{}
	<-g.open
	return b, nil
}

// newTurnsClient returns a client of a server with that handler, and how many calls have their turn at a time.
func newTurnsClient(t *testing.T, unary func(context.Context, *blob) (*blob, error)) (c *Client, places int) {
	t.Helper()
	overRings(t)
	h := newHost(t, service{unary: unary}, ServerConfig{})
	c, _ = newClient(t, h.accept)
	return c, cap(c.rings.turns.places)
}

// keepTurns stops the looks that end a phase.
func keepTurns(c *Client) { c.rings.turns.watching.Store(true) }

// enter waits until n calls are in the handler.
func (g *gate) enter(t *testing.T, n int) {
	t.Helper()
	for range n {
		await(t, "a call in its handler", g.entered)
	}
}

func TestCallsWaitForTheirTurn(t *testing.T) {
	g := newGate()
	c, places := newTurnsClient(t, g.handle)
	keepTurns(c)
	var calls sync.WaitGroup
	for range 3 * places {
		calls.Go(func() { mustEcho(t, c, "x") })
	}
	g.enter(t, places)
	if len(g.entered) > 0 {
		t.Error("a call does not wait for its turn")
	}
	close(g.open)
	calls.Wait()
	g.enter(t, 2*places)
	if n := len(c.pool.all); n > places {
		t.Errorf("%d connections were made, want %d at most", n, places)
	}
	if n := len(c.rings.turns.places); n != 0 {
		t.Errorf("%d turns are not given back", n)
	}
}

// takeAll takes all turns until the test ends.
func takeAll(t *testing.T, c *Client) {
	t.Helper()
	keepTurns(c)
	turns := c.rings.turns
	for range cap(turns.places) {
		turns.places <- struct{}{}
	}
	t.Cleanup(func() {
		for range cap(turns.places) {
			<-turns.places
		}
	})
}

// endsWhenAwaited is a context that ends when somebody waits for its end.
type endsWhenAwaited struct {
	context.Context
	cancel context.CancelFunc
}

func (c endsWhenAwaited) Done() <-chan struct{} {
	c.cancel()
	return c.Context.Done()
}

// Such a call is not sent either: nobody waits for its answer.
func TestCallWhoseContextEndsDoesNotWaitForItsTurn(t *testing.T) {
	overRings(t)
	var events []string
	var began time.Time
	note := func(_ context.Context, e stats.RPCStats) {
		events = append(events, fmt.Sprintf("%T", e))
		if begin, ok := e.(*stats.Begin); ok {
			began = begin.BeginTime
		}
	}
	h := newHost(t, service{unary: func(context.Context, *blob) (*blob, error) {
		t.Error("the call is handled")
		return nil, nil
	}}, ServerConfig{})
	c := NewClient(ClientConfig{Dial: newSite(t, h.accept).dial, MaxConns: 100, Stats: handlers{statsFuncs{rpc: note}}, Rings: testRings()})
	t.Cleanup(c.Close)
	idle, err := c.acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	c.pool.put(idle)
	takeAll(t, c)
	ctx, cancel := context.WithCancel(t.Context())
	var awaited time.Time
	err = c.Invoke(endsWhenAwaited{ctx, func() { awaited = time.Now(); cancel() }}, unaryMethod, &blob{}, &blob{}, nil)
	if want := status.FromContextError(context.Canceled).Err(); !errors.Is(err, want) {
		t.Errorf("the call ends with %v, want %v", err, want)
	}
	if want := []string{"*stats.Begin", "*stats.End"}; !slices.Equal(events, want) {
		t.Errorf("stats handlers see %v, want %v", events, want)
	}
	if began.After(awaited) {
		t.Error("stats handlers do not see that the call has waited")
	}
	if !idle.idle() {
		t.Error("the call has used a connection")
	}
}

// Calls that wait for each other cannot wait for their turn.
func TestSlowCallsTakeNoTurns(t *testing.T) {
	g := newGate()
	c, places := newTurnsClient(t, g.handle)
	var calls sync.WaitGroup
	for range 4 * places {
		calls.Go(func() { mustEcho(t, c, "x") })
	}
	g.enter(t, 4*places)
	if c.rings.turns.now() != 0 {
		t.Error("calls still take turns")
	}
	close(g.open)
	calls.Wait()
	if n := len(c.rings.turns.places); n != 0 {
		t.Errorf("%d turns are not given back", n)
	}
}

// A burst may be over before anybody looks.
func TestSlowBurstsTakeNoTurns(t *testing.T) {
	t.Parallel()
	for took, slow := range map[time.Duration]bool{slowBurst / 2: false, 2 * slowBurst: true} {
		turns := newTurns(2)
		for range slowLooks {
			turns.watching.Store(true) // look is called here only
			turns.seen = turns.see()
			for range cap(turns.places) {
				turns.take(t.Context())
			}
			for range cap(turns.places) {
				turns.give(true)
			}
			if turns.calm.Load() == 0 {
				t.Error("the end of a burst is not noted")
			}
			turns.calm.Store(int64(turns.seen.at.Sub(turns.start) + took))
			turns.look()
		}
		if ended := turns.phase.Load().over == nil; ended != slow {
			t.Errorf("bursts with turns of %v end the phase: %v, want %v", took, ended, slow)
		}
	}
}

// A handler may call through the client whose call it handles.
func TestCallsForCallsThatHaveTheirTurn(t *testing.T) {
	var c *Client
	c, places := newTurnsClient(t, func(_ context.Context, b *blob) (*blob, error) {
		if string(b.Value) == "inner" {
			return b, nil
		}
		got, err := invoke(t, c, "inner")
		return &blob{Value: []byte(got)}, err
	})
	var calls sync.WaitGroup
	for range 2 * places {
		calls.Go(func() {
			if got, err := invoke(t, c, "outer"); got != "inner" || err != nil {
				t.Errorf("the answer is %q, %v", got, err)
			}
		})
	}
	calls.Wait()
}

func TestCallsTakeNoTurnsWithoutRings(t *testing.T) {
	overRings(t)
	with := newHost(t, service{}, ServerConfig{})
	without := newHost(t, service{}, ServerConfig{Rings: Rings{Failed: func(error) {}}})
	c, s := newClient(t, without.accept)
	mustEcho(t, c, "x")
	before := c.rings.turns.ended.Load()
	mustEcho(t, c, "x")
	if n := c.rings.turns.ended.Load(); n != before {
		t.Error("a call takes a turn though the server offers no rings")
	}
	s.move(with.accept)
	without.Stop()
	mustEcho(t, c, "x")
	before = c.rings.turns.ended.Load()
	mustEcho(t, c, "x")
	if n := c.rings.turns.ended.Load(); n != before+1 {
		t.Error("a call takes no turn with the next server, which offers rings")
	}
}

func TestCallsTakeTurnsAgainAfterAPause(t *testing.T) {
	c, places := newTurnsClient(t, nil)
	keepTurns(c)
	turns := c.rings.turns
	mustEcho(t, c, "x")
	turns.seen = turns.see()
	turns.pause = time.Hour // longer than the test takes
	turns.end(turns.phase.Load())
	for range places {
		mustEcho(t, c, "x")
	}
	if n := turns.ended.Load(); n != 1 {
		t.Errorf("%d turns have ended, want none in the pause", n-1)
	}
	phase := *turns.phase.Load()
	if turns.pause != maxTurnsPause {
		t.Errorf("the next pause is to be %v", turns.pause)
	}
	phase.until = phase.began
	turns.phase.Store(&phase)
	mustEcho(t, c, "x")
	if n := turns.ended.Load(); n != 2 {
		t.Errorf("%d turns have ended after the pause, want 1", n-1)
	}
	if limit := turns.phase.Load().judged.limit; limit <= 0 || limit > longestTurn {
		t.Errorf("a turn may take %v", limit)
	}
	turns.pause = turnsPause
	turns.end(turns.phase.Load())
	phase = *turns.phase.Load()
	if pause := phase.until.Sub(phase.began); pause != turnsPause || turns.pause != 2*turnsPause {
		t.Errorf("the pause is %v, and the next is to be %v", pause, turns.pause)
	}
}

// When all turns are taken, there are looks, in whichever order the calls were made.
func TestTurnsAreLookedAtOnceManyAreTaken(t *testing.T) {
	t.Parallel()
	turns := newTurns(2)
	for n := 1; n <= turns.few+1; n++ {
		if turns.watching.Load() {
			t.Fatalf("there are looks at %d calls already", n-1)
		}
		turns.take(t.Context())
	}
	if !turns.watching.Load() {
		t.Error("there are no looks")
	}
	for range turns.few + 1 {
		turns.give(true)
	}
	fixture.Eventually(t, "no looks", func() bool { return !turns.watching.Load() })
}

// The looks end when few calls are left.
func TestTurnsAreNotLookedAtForEver(t *testing.T) {
	c, places := newTurnsClient(t, nil)
	fixture.Eventually(t, "looks", func() bool {
		var calls sync.WaitGroup
		for range 2 * places {
			calls.Go(func() { mustEcho(t, c, "x") })
		}
		calls.Wait()
		return c.rings.turns.watching.Load()
	})
	fixture.Eventually(t, "no looks", func() bool { return !c.rings.turns.watching.Load() })
}
