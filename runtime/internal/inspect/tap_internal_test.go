package inspect

import (
	"runtime"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	inspectv1 "github.com/udsgrpc/udsgrpc/proto/udsgrpc/inspect/v1"
)

// admitted counts how many calls may begin of so many.
func admitted(tap *tap, calls int) (n int) {
	for range calls {
		if tap.admits() {
			n++
		}
	}
	return n
}

func TestTapIsToldOfSoManyCallsInATime(t *testing.T) {
	t.Parallel()
	tap := newTap(false)
	if n := admitted(tap, maxBurst+10); n != maxBurst {
		t.Errorf("at first %d are told, want %d", n, maxBurst)
	}
	if _, dropped := tap.take(nil); dropped != 10 {
		t.Errorf("%d are said to be dropped, want 10", dropped)
	}
	tap.refill(100 * time.Millisecond)
	if n, want := admitted(tap, maxBurst), min(callsPerSecond/10*runtime.GOMAXPROCS(0), maxBurst); n != want {
		t.Errorf("after a tenth of a second, %d are told, want %d", n, want)
	}
	tap.refill(time.Hour)
	if n := admitted(tap, 2*maxBurst); n != maxBurst {
		t.Errorf("after an hour, %d are told, want %d", n, maxBurst)
	}
}

// A drop wakes the stream if nothing has since the last response, and others cost only the counting.
func TestFirstDropAfterAResponseWakes(t *testing.T) {
	t.Parallel()
	tap := newTap(false)
	tap.room.Store(0)
	for range 2 {
		admitted(tap, 3)
		select {
		case <-tap.news:
		default:
			t.Error("a call is dropped, and the stream sleeps on")
		}
		if admitted(tap, 3); len(tap.news) > 0 {
			t.Error("each drop wakes the stream")
		}
		if _, dropped := tap.take(nil); dropped != 6 {
			t.Errorf("%d calls are said to be dropped, want 6", dropped)
		}
	}
}

// What is in calls is large, and is told often.
func TestTapOfContentsNeverPausesLong(t *testing.T) {
	t.Parallel()
	if d := newTap(true).pause(1); d != shortPause {
		t.Errorf("it pauses for %v, want %v", d, shortPause)
	}
}

func TestTapKeepsSoManyBytes(t *testing.T) {
	t.Parallel()
	tap := newTap(true)
	for range 20 {
		tap.tell(make([]byte, maxPending/10))
	}
	calls, dropped := tap.take(nil)
	if len(calls) > maxPending || len(calls) < maxPending*8/10 || dropped != 11 {
		t.Errorf("%d bytes are kept, and %d calls dropped", len(calls), dropped)
	}
	tap.leave()
	if tap.tell([]byte("late")); tap.pending != nil {
		t.Error("a tap that has left keeps calls")
	}
}

// What is encoded by hand is what protobuf would make of it.
func TestCallsAreEncodedAsProtobufDoes(t *testing.T) {
	t.Parallel()
	begun := time.Unix(1700000000, 123456789)
	for _, c := range []struct {
		call *tapped
		want *inspectv1.Call
	}{
		{&tapped{begun: begun, caller: Caller{UID: -1}}, &inspectv1.Call{Time: timestamppb.New(begun), Caller: &inspectv1.Caller{}}},
		{
			&tapped{begun: begun, name: "/s/m\xff", caller: Caller{UID: 0, PID: 77}, program: "p", transport: inspectv1.Transport_TRANSPORT_HTTP2},
			&inspectv1.Call{
				Time: timestamppb.New(begun), Method: "/s/m\uFFFD", Transport: inspectv1.Transport_TRANSPORT_HTTP2,
				Caller: &inspectv1.Caller{Uid: new(uint32(0)), Pid: new(int64(77)), Program: "p"},
			},
		},
	} {
		for i, n := range []*uint64{&c.want.Requests, &c.want.RequestBytes, &c.want.Responses, &c.want.ResponseBytes} {
			*n = uint64(i) * 1000
		}
		c.call.requests.bytes.Store(1000)
		c.call.responses.messages.Store(2000)
		c.call.responses.bytes.Store(3000)
		c.want.Duration, c.want.Code = durationpb.New(3*time.Second+5), uint32(codes.NotFound)
		tap := newTap(false)
		tap.tell(c.call.append(nil, 3*time.Second+5, codes.NotFound))
		b, _ := tap.take(nil)
		got := new(inspectv1.CallsResponse)
		if err := proto.Unmarshal(b, got); err != nil || !proto.Equal(got, &inspectv1.CallsResponse{Calls: []*inspectv1.Call{c.want}}) {
			t.Errorf("%v: it is %v, want %v", err, got, c.want)
		}
	}
}

func TestNamesOfProgramsAreForgotten(t *testing.T) {
	t.Parallel()
	var p programs
	now := time.Now()
	p.of(1<<30, now)
	if p.names[1<<30] = "x"; p.of(1<<30, now.Add(forgetAfter)) != "x" || p.of(1<<30, now.Add(forgetAfter+1)) != "" {
		t.Error("a name is not kept for its time")
	}
	for pid := range 3 * maxEntries {
		p.of(pid+1<<30, now)
	}
	if len(p.names) > maxEntries {
		t.Errorf("%d names are kept", len(p.names))
	}
}
