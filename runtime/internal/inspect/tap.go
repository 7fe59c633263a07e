package inspect

import (
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	inspectv1 "github.com/udsgrpc/udsgrpc/proto/udsgrpc/inspect/v1"
)

const (
	// callsPerSecond is how many calls a viewer is told of in a second for each core that the server may use, so
	// that those of a busy server go on as without it: what is told costs both processes time. maxBurst is how
	// many it is told of after it was told of fewer.
	callsPerSecond = 500
	maxBurst       = 2048
	// maxPending is how many bytes wait for a viewer.
	maxPending = 1 << 20
	// shortPause is the time from one response to the next at least. What comes after a pause is told at once; what
	// comes often is told together, as each response costs as much as many calls. It is longPause where calls come
	// faster than they are told: each response also wakes threads of both processes, which takes a core from calls that
	// keep all of them busy, and nobody follows single calls there.
	shortPause = 50 * time.Millisecond
	longPause  = 200 * time.Millisecond
)

// taps are the viewers of calls. It is ready to use.
type taps struct {
	all atomic.Pointer[[]*tap] // nil if there are none; never changed in place

	mu sync.Mutex // held to change them
}

// add adds a tap. The function it returns removes it.
func (s *taps) add(t *tap) (remove func()) {
	s.change(func(all []*tap) []*tap { return append(slices.Clip(all), t) })
	return func() {
		s.change(func(all []*tap) []*tap {
			return slices.DeleteFunc(slices.Clone(all), func(other *tap) bool { return other == t })
		})
		t.leave()
	}
}

func (s *taps) change(change func([]*tap) []*tap) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []*tap
	if now := s.all.Load(); now != nil {
		all = *now
	}
	if all = change(all); len(all) == 0 {
		s.all.Store(nil)
		return
	}
	s.all.Store(&all)
}

// admitting returns the taps that are told of a call that begins; nil if there are none.
func (s *taps) admitting() []*tap {
	all := s.all.Load()
	if all == nil {
		return nil
	}
	var admitting []*tap
	for _, t := range *all {
		if t.admits() {
			admitting = append(admitting, t)
		}
	}
	return admitting
}

// tap is a viewer of calls, and what it has yet to be told. Calls never wait for it: those that are too many are
// counted.
type tap struct {
	contents bool          // whether it sees what is in calls
	news     chan struct{} // has a value when there is something to tell

	room    atomic.Int64 // how many more calls may begin that it is told of; below 0 it is full
	dropped atomic.Uint64

	mu      sync.Mutex
	pending []byte // a CallsResponse
	left    bool   // the viewer has gone
}

func newTap(contents bool) *tap {
	t := &tap{contents: contents, news: make(chan struct{}, 1)}
	t.room.Store(maxBurst)
	return t
}

// admits reports whether the tap is told of a call that begins.
func (t *tap) admits() bool {
	// It is only read when it is full, so that calls need not have it one after the other.
	if t.room.Load() > 0 && t.room.Add(-1) >= 0 {
		return true
	}
	t.drop()
	return false
}

// drop counts a call. Most calls of a busy server end here, so only the first since the last response wakes.
func (t *tap) drop() {
	if t.dropped.Add(1) == 1 {
		t.wake()
	}
}

func (t *tap) wake() {
	select {
	case t.news <- struct{}{}:
	default:
	}
}

// refill makes room for the calls of a time.
func (t *tap) refill(d time.Duration) {
	more := int64(min(d.Seconds()*callsPerSecond*float64(runtime.GOMAXPROCS(0)), maxBurst))
	room := max(t.room.Load(), 0)
	// Calls that have taken some in between begin nevertheless.
	t.room.Store(min(room+more, maxBurst))
}

// tell adds a Call.
func (t *tap) tell(call []byte) {
	t.mu.Lock()
	first := len(t.pending) == 0
	fits := !t.left && len(t.pending)+len(call) <= maxPending
	if fits {
		t.pending = appendBytes(t.pending, fieldCalls, call)
	}
	t.mu.Unlock()
	switch {
	case !fits:
		t.drop()
	case first:
		t.wake()
	}
}

// take returns what there is to tell, and leaves spare for what comes.
func (t *tap) take(spare []byte) (calls []byte, dropped uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	calls = t.pending
	t.pending = spare[:0]
	return calls, t.dropped.Swap(0)
}

// pause returns how long to wait after a response with so many dropped calls. What is in calls is large, so that there
// is no room for those of a long pause.
func (t *tap) pause(dropped uint64) time.Duration {
	if dropped > 0 && !t.contents {
		return longPause
	}
	return shortPause
}

// leave gives up what was not told. Calls that still run may know the tap.
func (t *tap) leave() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.left, t.pending = true, nil
}

// Calls implements the service.
func (v viewer) Calls(req *inspectv1.CallsRequest, stream grpc.ServerStreamingServer[inspectv1.CallsResponse]) error {
	if req.GetContents() {
		if v.contents == nil {
			return status.Error(codes.PermissionDenied, "the server's program lets nobody see messages: it does with runtime.InspectMessages()")
		}
		v.contents()
	}
	t := newTap(req.GetContents())
	defer v.taps.add(t)()
	// The viewer knows then that it sees what comes.
	if err := stream.SendHeader(nil); err != nil {
		return err
	}
	var told []byte
	refilled := time.Now()
	for {
		err := wait(v.Inspection, stream, t.news)
		now := time.Now()
		t.refill(now.Sub(refilled))
		refilled = now
		calls, dropped := t.take(told)
		if len(calls) > 0 || dropped > 0 {
			resp := &inspectv1.CallsResponse{Dropped: dropped}
			resp.ProtoReflect().SetUnknown(calls) // they are encoded already
			if err := stream.Send(resp); err != nil {
				return err
			}
			told = calls
		}
		if err == nil {
			err = wait(v.Inspection, stream, time.After(t.pause(dropped)))
		}
		if err != nil {
			return err
		}
	}
}

// wait waits for a value, and returns the status of a stream that has to end before that.
func wait[T any](i *Inspection, stream grpc.ServerStream, c <-chan T) error {
	select {
	case <-c:
		return nil
	case <-i.config.Draining:
		return status.Error(codes.Unavailable, "the server drains")
	case <-stream.Context().Done():
		return status.FromContextError(stream.Context().Err()).Err()
	}
}
