package faults_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"

	greeterv1 "github.com/udsgrpc/udsgrpc/examples/greeter/gen/greeter/v1"
	"github.com/udsgrpc/udsgrpc/internal/testproc"
	"github.com/udsgrpc/udsgrpc/runtime"
	"github.com/udsgrpc/udsgrpc/runtime/internal/fixture"
	"github.com/udsgrpc/udsgrpc/runtime/internal/greetertest"
)

// callAtOnce is a program: it makes calls that wait, so many at once, and prints how they were carried
// when all of them have an answer. Before that a call that only HTTP/2 carries connects that: amid all the
// connections of the others, which the server may not have looked at yet, HTTP/2's may be the one that has
// to make room.
func callAtOnce(args []string) error {
	n, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	client, conn, err := greeterv1.DialGreeterUDS(args[0])
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := client.Greet(context.Background(), &greeterv1.GreetRequest{}, grpc.CallContentSubtype("proto")); err != nil {
		return err
	}
	before := conn.Stats().Calls
	var failed atomic.Pointer[error]
	var calls sync.WaitGroup
	for range n {
		calls.Go(func() {
			ctx, cancel := context.WithTimeout(context.Background(), fixture.Guard)
			defer cancel()
			if _, err := client.Greet(ctx, &greeterv1.GreetRequest{Name: "wait"}); err != nil {
				failed.CompareAndSwap(nil, &err)
			}
		})
	}
	calls.Wait()
	if err := failed.Load(); err != nil {
		return *err
	}
	carried := conn.Stats().Calls
	carried.HTTP2 -= before.HTTP2
	return json.NewEncoder(os.Stdout).Encode(carried)
}

// A user who makes more calls at once than its share has connections has them carried over HTTP/2, where many
// share one. None fails.
func TestCallsBeyondAUsersShareGoOverHTTP2(t *testing.T) {
	t.Parallel()
	greetertest.NeedRoot(t)
	const share, calls = 16, 50
	path := greetertest.PublicPath(t)
	g := greetertest.New()
	var events greetertest.Buffer
	srv := greetertest.Serve(t, path, g, runtime.SocketMode(0o666), runtime.Authorize(runtime.Anyone()), runtime.MaxConnsPerUser(share),
		runtime.EventLog(slog.New(slog.NewTextHandler(&events, nil))))
	guests := greetertest.StartAs(t, greetertest.User{UID: guest, GID: guest}, "call at once", path, strconv.Itoa(calls))
	for i := range calls {
		select {
		case <-g.Entered:
		case <-time.After(fixture.Guard):
			t.Fatalf("%d of %d calls run: %v", i, calls, guests.WaitExit())
		}
	}
	own, _ := greetertest.Dial(t, path)
	greetertest.Greet(t, own)
	close(g.Release)
	var carried runtime.ByTransport
	if line, ok := guests.NextLine(); !ok {
		t.Fatalf("a call has failed: %v", guests.WaitExit())
	} else if err := json.Unmarshal([]byte(line), &carried); err != nil {
		t.Fatal(err)
	}
	if carried.Direct == 0 || carried.Direct > share/2 || carried.Direct+carried.HTTP2 != calls {
		t.Errorf("the calls were carried as %+v, want %d at most to be direct", carried, share/2)
	}
	if n := srv.Stats().Connections.Direct; n > share/2+1 { // and the own one
		t.Errorf("%d connections were direct", n)
	}
	if strings.Contains(events.String(), "connection closed") { // a client that is told to use HTTP/2, and does, has broken no rule
		t.Errorf("the events are %s", &events)
	}
}

// Who is turned away is counted, and told once, with the user.
func TestConnectionsBeyondAUsersShareAreCountedAndToldOnce(t *testing.T) {
	t.Parallel()
	greetertest.NeedRoot(t)
	path := greetertest.PublicPath(t)
	var events greetertest.Buffer
	srv := greetertest.Serve(t, path, greetertest.New(), runtime.SocketMode(0o666), runtime.Authorize(runtime.Anyone()), runtime.MaxConnsPerUser(4),
		runtime.EventLog(slog.New(slog.NewTextHandler(&events, nil))))
	greetertest.StartAs(t, greetertest.User{UID: stranger, GID: stranger}, "hold silent", path, "100").Line()
	fixture.Eventually(t, "all to be turned away but a few", func() bool { return srv.Stats().TurnedAway >= 90 })
	own, _ := greetertest.Dial(t, path)
	greetertest.Greet(t, own)
	if told := strings.Count(events.String(), `msg="turned away"`); told != 1 || !strings.Contains(events.String(), fmt.Sprintf("uid=%d", stranger)) {
		t.Errorf("it is told %d times: %s", told, &events)
	}
}

// serveSmallShares is a program: a server for anyone, of whose connections each user may have 4, and that
// prints its events.
func serveSmallShares(args []string) error {
	return greetertest.ServeUntilTerminated(args[0], runtime.SocketMode(0o666), runtime.Authorize(runtime.Anyone()), runtime.MaxConnsPerUser(4),
		runtime.EventLog(slog.New(slog.NewTextHandler(os.Stdout, nil))))
}

// A server whose own uid is the number that stands for unmapped users cannot tell its own user from those, so
// they have the share of others.
func TestUnmappedUsersHaveNoMoreThanAShareOfAServerOfTheirNumber(t *testing.T) {
	t.Parallel()
	greetertest.NeedRoot(t)
	path := greetertest.PublicPath(t)
	if err := os.Chmod(filepath.Dir(path), 0o777|os.ModeSticky); err != nil {
		t.Fatal(err)
	}
	cmd := testproc.Command(t, "greeter with small shares", path)
	ids := []syscall.SysProcIDMap{{Size: 65536}}
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:                 syscall.CLONE_NEWUSER,
		UidMappings:                ids,
		GidMappings:                ids,
		GidMappingsEnableSetgroups: true,
		Credential:                 &syscall.Credential{Uid: greetertest.Nobody, Gid: greetertest.Nobody},
	}
	cmd.Dir = "/"
	server := testproc.StartCmd(t, cmd)
	for server.Line() != "serving" {
	}
	greetertest.StartAs(t, greetertest.User{UID: 70000, GID: 70000}, "hold silent", path, "100").Line()
	guard := time.AfterFunc(fixture.Guard, server.Kill)
	defer guard.Stop()
	for line, ok := "", true; !strings.Contains(line, `msg="turned away"`) || !strings.Contains(line, "uid=65534"); {
		if line, ok = server.NextLine(); !ok {
			t.Fatal("nobody is turned away")
		}
	}
}

func TestSharesOfNobodyAreRefused(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, -1} {
		if _, err := runtime.NewServer(fixture.FreePath(t), runtime.MaxConnsPerUser(n)); err == nil {
			t.Errorf("MaxConnsPerUser(%d) is accepted", n)
		}
	}
}
