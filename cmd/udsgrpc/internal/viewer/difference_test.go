package viewer_test

import (
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/udsgrpc/udsgrpc/cmd/udsgrpc/internal/viewer"
	inspectv1 "github.com/udsgrpc/udsgrpc/proto/udsgrpc/inspect/v1"
)

var since = time.Unix(1700000000, 0)

// snapshot is one of a second after the beginning of the counting, with a method.
func snapshot(second int, m *inspectv1.Method) *inspectv1.SnapshotsResponse {
	return &inspectv1.SnapshotsResponse{
		Time:    timestamppb.New(since.Add(time.Duration(second) * time.Second)),
		Since:   timestamppb.New(since),
		Server:  &inspectv1.Server{Pid: 7},
		Methods: []*inspectv1.Method{m},
		Totals:  &inspectv1.Totals{Calls: &inspectv1.ByTransport{Direct: 100 + m.GetStarted()}, Refused: 5},
	}
}

func TestDifferenceHasWhatCameInBetween(t *testing.T) {
	t.Parallel()
	then := snapshot(1, &inspectv1.Method{Name: "/m", Started: 3, Codes: map[uint32]uint64{0: 2},
		Latency: &inspectv1.Histogram{Buckets: []*inspectv1.Bucket{{UpTo: 1000, Count: 2}}}})
	then.Clients = []*inspectv1.Client{{Caller: &inspectv1.Caller{Uid: new(uint32(0)), Pid: new(int64(1))}, Started: 3, Ended: 2}}
	now := snapshot(3, &inspectv1.Method{Name: "/m", Started: 106, Codes: map[uint32]uint64{0: 101, 5: 2, 17: 1},
		Latency: &inspectv1.Histogram{Buckets: []*inspectv1.Bucket{{UpTo: 10, Count: 50}, {UpTo: 1000, Count: 51}, {UpTo: 9000, Count: 3}}}})
	now.Clients = []*inspectv1.Client{
		{Caller: &inspectv1.Caller{Uid: new(uint32(0)), Pid: new(int64(1))}, Started: 8, Ended: 7, Failed: 1},
		{Caller: &inspectv1.Caller{Pid: new(int64(1))}, Started: 1, Ended: 1}, // of an unknown user
	}
	d := viewer.Between(then, now)
	if d.First || d.Seconds != 2 || d.Refused != 0 || d.Calls.GetDirect() != 103 {
		t.Errorf("the difference is %+v", d)
	}
	m := d.Methods[0]
	if m.Ended != 102 || m.Failed != 3 || m.Codes[codes.NotFound] != 2 || m.InFlight != 2 || m.Total != 104 {
		t.Errorf("the method is %+v", m)
	}
	if m.P50 != 1000 || m.P99 != 9000 {
		t.Errorf("half took up to %v, 99 of 100 up to %v", m.P50, m.P99)
	}
	if c := d.Clients[0]; c.Ended != 5 || c.Failed != 1 || c.InFlight != 1 || c.Total != 7 {
		t.Errorf("the client is %+v", c)
	}
	if c := d.Clients[1]; c.Ended != 1 {
		t.Errorf("the client of an unknown user is %+v", c)
	}
}

func TestDifferenceOfNothingIsNothing(t *testing.T) {
	t.Parallel()
	s := snapshot(1, &inspectv1.Method{Name: "/m", Started: 3, Codes: map[uint32]uint64{0: 3}})
	d := viewer.Between(s, s)
	if m := d.Methods[0]; d.Seconds != 0 || m.Ended != 0 || m.P50 != 0 || m.P99 != 0 || m.Total != 3 {
		t.Errorf("it is %+v", d)
	}
}

// Another server, or one that nobody looked at for a while, begins with small numbers.
func TestWindowBeginsAnewWithTheCounting(t *testing.T) {
	t.Parallel()
	var w viewer.Window
	if d := w.Add(snapshot(1, &inspectv1.Method{Name: "/m", Started: 9, Codes: map[uint32]uint64{0: 9}})); !d.First || d.Seconds != 1 || d.Methods[0].Ended != 9 {
		t.Errorf("the first is %+v", d)
	}
	for name, change := range map[string]func(*inspectv1.SnapshotsResponse){
		"server":   func(s *inspectv1.SnapshotsResponse) { s.Server.Pid++ },
		"counting": func(s *inspectv1.SnapshotsResponse) { s.Since = timestamppb.New(since.Add(time.Second)) },
	} {
		next := snapshot(2, &inspectv1.Method{Name: "/m", Started: 2, Codes: map[uint32]uint64{0: 2}})
		change(next)
		w := w
		if d := w.Add(next); !d.First || d.Methods[0].Ended != 2 || d.Refused != 0 || d.Calls.GetDirect() != 0 {
			t.Errorf("the first of another %s is %+v", name, d)
		}
		if d := w.Add(next); d.First {
			t.Errorf("the second of another %s has none before it", name)
		}
	}
}

func TestWindowLooksBackAsFarAsItIsLong(t *testing.T) {
	t.Parallel()
	for length, want := range map[time.Duration]float64{0: 1, 5 * time.Second: 5} {
		w := viewer.Window{Length: length}
		var d *viewer.Difference
		for second := range 20 {
			d = w.Add(snapshot(second, &inspectv1.Method{Name: "/m", Started: uint64(second), Codes: map[uint32]uint64{0: uint64(second)}}))
		}
		if d.Seconds != want || d.Methods[0].Ended != uint64(want) {
			t.Errorf("a window of %v has %v seconds and %d calls", length, d.Seconds, d.Methods[0].Ended)
		}
	}
}
