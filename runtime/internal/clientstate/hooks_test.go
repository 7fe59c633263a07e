package clientstate

import (
	"testing"
	"testing/synctest"

	"google.golang.org/grpc/connectivity"
)

// eventHooks send what they were called for.
func eventHooks(r *rig) Config {
	return Config{
		OnConnect:    []func(){func() { r.events <- "connect" }, func() { r.events <- "connect too" }},
		OnDisconnect: []func(){func() { r.events <- "disconnect" }},
	}
}

// expect checks that there are these events of the hooks, and no more.
func (r *rig) expect(t *testing.T, want ...string) {
	t.Helper()
	for _, w := range append(want, "") {
		synctest.Wait()
		got := ""
		select {
		case got = <-r.events:
		default:
		}
		if got != w {
			t.Errorf("the event is %q, want %q", got, w)
		}
	}
}

func TestHooksFollowTheConnection(t *testing.T) {
	t.Parallel()
	inBubble(t, eventHooks, func(t *testing.T, r *rig) {
		r.expect(t)
		r.fail(errNoFile)
		r.accepted()
		r.expect(t)
		r.shows(connectivity.Ready)
		r.expect(t, "connect", "connect too")
		r.shows(connectivity.Idle)
		r.expect(t, "disconnect")
		r.fail(errNoFile)
		r.expect(t)
		r.connect()
		r.expect(t, "connect", "connect too")
		r.shows(connectivity.Shutdown)
		r.expect(t, "disconnect")
	})
}

func TestHooksOfAClientThatIsClosedBeforeItConnectsDoNotRun(t *testing.T) {
	t.Parallel()
	inBubble(t, eventHooks, func(t *testing.T, r *rig) {
		r.shows(connectivity.Shutdown)
		r.expect(t)
	})
}

// One of the two is enough.
func TestEitherHookRuns(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"connect", "disconnect"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ran := 0
			f := []func(){func() { ran++ }}
			conf := map[string]Config{"connect": {OnConnect: f}, "disconnect": {OnDisconnect: f}}[name]
			inBubble(t, func(*rig) Config { return conf }, func(t *testing.T, r *rig) {
				r.connect()
				r.shows(connectivity.Idle)
			})
			if ran != 1 {
				t.Errorf("the hook ran %d times", ran)
			}
		})
	}
}

// A program that has its own dialer and credentials reports no attempt.
func TestHooksFollowAChannelThatAloneTells(t *testing.T) {
	t.Parallel()
	inBubble(t, eventHooks, func(t *testing.T, r *rig) {
		r.shows(connectivity.Ready)
		r.expect(t, "connect", "connect too")
		r.shows(connectivity.Shutdown)
		r.expect(t, "disconnect")
	})
}

// While a hook runs the next event waits, and none is lost: there may be another server when it ends.
func TestRestartDuringAHookIsNotMissed(t *testing.T) {
	t.Parallel()
	inBubble(t, eventHooks, func(t *testing.T, r *rig) {
		r.connect()
		r.shows(connectivity.Idle)
		r.connect()
		r.expect(t, "connect", "connect too", "disconnect", "connect", "connect too")
		closed := make(chan struct{})
		r.shows(connectivity.Shutdown)
		go func() {
			r.Close()
			close(closed)
		}()
		synctest.Wait()
		select {
		case <-closed:
			t.Error("Close has not waited for the hook")
		default:
		}
		r.expect(t, "disconnect")
		<-closed
	})
}

// A client with hooks connects again when it has called them.
func TestClientWithHooksKeepsItselfConnected(t *testing.T) {
	t.Parallel()
	inBubble(t, eventHooks, func(t *testing.T, r *rig) {
		check := func(want int) {
			t.Helper()
			synctest.Wait()
			if connects, _, _ := r.channel.counted(); connects != want {
				t.Errorf("the channel was told to connect %d times, want %d", connects, want)
			}
		}
		check(1)
		r.accepted()
		r.shows(connectivity.Idle) // the server has hung up, and may have answered before
		check(2)
		r.connect()
		r.expect(t, "connect", "connect too")
		r.shows(connectivity.Idle)
		check(2)
		r.expect(t, "disconnect")
		check(3)
	})
}

func TestClientWithoutHooksConnectsOnlyWhenAsked(t *testing.T) {
	t.Parallel()
	inBubble(t, nil, func(t *testing.T, r *rig) {
		r.connect()
		r.shows(connectivity.Idle)
		if connects, _, _ := r.channel.counted(); connects != 0 {
			t.Errorf("the channel was told to connect %d times", connects)
		}
	})
}
