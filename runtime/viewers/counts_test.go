package viewers_test

import (
	"os"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"

	greeterv1 "github.com/udsgrpc/udsgrpc/examples/greeter/gen/greeter/v1"
	inspectv1 "github.com/udsgrpc/udsgrpc/proto/udsgrpc/inspect/v1"
	"github.com/udsgrpc/udsgrpc/runtime"
	"github.com/udsgrpc/udsgrpc/runtime/internal/fixture"
	"github.com/udsgrpc/udsgrpc/runtime/internal/greetertest"
	"github.com/udsgrpc/udsgrpc/runtime/internal/ringtest"
)

const greet, countdown = greeterv1.Greeter_Greet_FullMethodName, greeterv1.Greeter_Countdown_FullMethodName

// transports are the ways in which clients call.
var transports = map[string][]runtime.DialOption{"direct": nil, "http2": {runtime.WithHTTP2Only()}}

func TestViewerSeesEachCallOfEachTransport(t *testing.T) {
	t.Parallel()
	for transport, opts := range transports {
		t.Run(transport, func(t *testing.T) {
			t.Parallel()
			path := fixture.FreePath(t)
			g := greetertest.New()
			greetertest.Serve(t, path, g, runtime.AuthorizeMethod(greeterv1.Greeter_Gather_FullMethodName, runtime.Policy{}), runtime.MaxRecvMsgSize(1000))
			client, conn := greetertest.Dial(t, path, opts...)
			v := look(t, path)
			for range 3 {
				if _, err := client.Greet(t.Context(), &greeterv1.GreetRequest{}); err != nil {
					t.Fatal(err)
				}
			}
			_, err := client.Greet(t.Context(), &greeterv1.GreetRequest{Name: strings.Repeat("x", 2000)})
			greetertest.CheckCode(t, err, codes.ResourceExhausted)
			gather, err := client.Gather(t.Context())
			if err == nil {
				_, err = gather.CloseAndRecv()
			}
			greetertest.CheckCode(t, err, codes.PermissionDenied)
			open, err := client.Countdown(t.Context(), &greeterv1.CountdownRequest{From: -1})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := open.Recv(); err != nil {
				t.Fatal(err)
			}

			s := v.see("all calls", func(s *inspectv1.SnapshotsResponse) bool {
				return methodOf(s, greeterv1.Greeter_Gather_FullMethodName).GetCodes()[uint32(codes.PermissionDenied)] == 1 &&
					methodOf(s, countdown).GetStarted() == 1
			})
			m := methodOf(s, greet)
			if m.GetStarted() != 4 || m.GetCodes()[0] != 3 || m.GetCodes()[uint32(codes.ResourceExhausted)] != 1 || len(m.GetCodes()) != 2 {
				t.Errorf("the unary calls are %v", m)
			}
			if n := measured(m); n != 4 {
				t.Errorf("%d calls have taken a time, want 4", n)
			}
			if m := methodOf(s, countdown); len(m.GetCodes()) != 0 || measured(m) != 0 {
				t.Errorf("the stream that is open is %v", m)
			}
			if len(s.GetClients()) != 1 {
				t.Fatalf("the clients are %v", s.GetClients())
			}
			c := s.GetClients()[0]
			if c.GetCaller().GetUid() != uint32(os.Getuid()) || c.GetCaller().GetPid() != int64(os.Getpid()) {
				t.Errorf("the client is %v", c.GetCaller())
			}
			if c.GetStarted() != 6 || c.GetEnded() != 5 || c.GetFailed() != 2 {
				t.Errorf("the client's calls are %v", c)
			}
			now := s.GetConnections().GetOpen()
			total, other, connections := s.GetTotals().GetCalls().GetDirect(), s.GetTotals().GetCalls().GetHttp2(), now.GetDirect()+now.GetRing()
			if transport == "http2" {
				total, other, connections = other, total, now.GetHttp2()
			} else if ringtest.Moved(1) > 0 && (now.GetRing() == 0 || s.GetTotals().GetConnections().GetRing() == 0) {
				t.Errorf("no connection has rings: %v, of %v", now, s.GetTotals().GetConnections())
			}
			if total < 5 || other != 0 { // what cannot be read may be in no total
				t.Errorf("%v calls are told of", s.GetTotals().GetCalls())
			}
			if connections == 0 || s.GetConnections().GetViewers() != 1 {
				t.Errorf("the connections are %v", s.GetConnections())
			}
			if s.GetTotals().GetRefused() != 1 || s.GetServer().GetPid() != int64(os.Getpid()) || s.GetServer().GetPath() != path {
				t.Errorf("the server is %v, with %v", s.GetServer(), s.GetTotals())
			}

			conn.Close()
			v.see("the end of the stream", func(s *inspectv1.SnapshotsResponse) bool {
				return methodOf(s, countdown).GetCodes()[uint32(codes.Canceled)] == 1
			})
		})
	}
}

func measured(m *inspectv1.Method) (n uint64) {
	for _, b := range m.GetLatency().GetBuckets() {
		n += b.GetCount()
	}
	return n
}

func TestCountingBeginsWithTheFirstViewerAndEndsWithTheLast(t *testing.T) {
	t.Parallel()
	path := fixture.FreePath(t)
	greetertest.Serve(t, path, greetertest.New())
	client, _ := greetertest.Dial(t, path)
	greetOnce := func() {
		t.Helper()
		if _, err := client.Greet(t.Context(), &greeterv1.GreetRequest{}); err != nil {
			t.Fatal(err)
		}
	}
	greetOnce()
	first := look(t, path)
	if s := first.next(); len(s.GetMethods()) != 0 || len(s.GetClients()) != 0 {
		t.Errorf("what was there before the first viewer is counted: %v", s)
	}
	greetOnce()
	seen := first.see("the call", func(s *inspectv1.SnapshotsResponse) bool { return methodOf(s, greet).GetCodes()[0] == 1 })
	second := look(t, path)
	first.leave()
	greetOnce()
	s := second.see("both calls", func(s *inspectv1.SnapshotsResponse) bool { return methodOf(s, greet).GetCodes()[0] == 2 })
	if !s.GetSince().AsTime().Equal(seen.GetSince().AsTime()) {
		t.Error("the second viewer has begun anew")
	}
	second.leave()
	fixture.Eventually(t, "a new beginning", func() bool {
		v := look(t, path)
		defer v.leave()
		s := v.next()
		return s.GetSince().AsTime().After(seen.GetSince().AsTime()) && len(s.GetMethods()) == 0
	})
}
