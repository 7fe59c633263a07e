package inspect

import (
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	inspectv1 "github.com/udsgrpc/udsgrpc/proto/udsgrpc/inspect/v1"
)

const (
	// maxPending is how many bytes wait for a viewer at most.
	maxPending = 1 << 20
	// pause is the time from one response to the next at least. What comes after a pause is told at once; what
	// comes often is told together, as each response costs more than many calls.
	pause = 20 * time.Millisecond
)

// tap is a viewer of calls, and what it has yet to be told. Calls never wait for it: what there is no room for is
// counted.
type tap struct {
	contents bool          // whether it sees what is in calls
	news     chan struct{} // has a value when there is something to tell

	mu      sync.Mutex
	pending []byte // a CallsResponse
	dropped uint64
	left    bool // the viewer has gone
}

// tell adds a Call.
func (t *tap) tell(call []byte) {
	t.mu.Lock()
	first := len(t.pending) == 0
	if t.left || len(t.pending)+len(call) > maxPending {
		t.dropped++
		t.mu.Unlock()
		return
	}
	t.pending = appendBytes(t.pending, fieldCalls, call)
	t.mu.Unlock()
	if first {
		select {
		case t.news <- struct{}{}:
		default:
		}
	}
}

// take returns what there is to tell, and leaves spare for what comes.
func (t *tap) take(spare []byte) (calls []byte, dropped uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	calls, dropped = t.pending, t.dropped
	t.pending, t.dropped = spare[:0], 0
	return calls, dropped
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
	t := &tap{contents: req.GetContents(), news: make(chan struct{}, 1)}
	defer v.open(t)()
	// The viewer knows then that it sees what comes.
	if err := stream.SendHeader(nil); err != nil {
		return err
	}
	told := []byte(nil)
	for {
		err := wait(v.Inspection, stream, t.news)
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
			err = wait(v.Inspection, stream, time.After(pause))
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

// open adds a tap. The function it returns removes it.
func (i *Inspection) open(t *tap) (remove func()) {
	c := i.enter()
	c.changeTaps(func(taps []*tap) []*tap { return append(slices.Clip(taps), t) })
	return func() {
		c.changeTaps(func(taps []*tap) []*tap {
			return slices.DeleteFunc(slices.Clone(taps), func(other *tap) bool { return other == t })
		})
		t.leave()
		i.leave()
	}
}
