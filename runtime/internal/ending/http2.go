package ending

import (
	"context"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/status"
)

// Unary returns an interceptor of unary calls over HTTP/2, whose contexts grpc ends only together with their
// connection. It is the outermost, with inner inside it: a chain would allocate for each call. The direct
// transport needs none.
func (c *Calls) Unary(inner grpc.UnaryServerInterceptor) grpc.UnaryServerInterceptor {
	return func(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
		k := &call{Context: ctx, calls: c}
		c.add(k)
		defer c.remove(k)
		return inner(k, req, info, next)
	}
}

// Stream is the same for streams.
func (c *Calls) Stream(inner grpc.StreamServerInterceptor) grpc.StreamServerInterceptor {
	return func(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) error {
		s := &stream{ServerStream: ss, call: call{Context: ss.Context(), calls: c}}
		c.add(&s.call)
		defer c.remove(&s.call)
		return inner(srv, s, info, next)
	}
}

type stream struct {
	grpc.ServerStream
	call call
}

func (s *stream) Context() context.Context { return &s.call }

// call is a call over HTTP/2 whose handler runs, and its context. Most handlers never wait for the end of their
// context, so what that needs is made on first use. From then on a context of package context is underneath, so
// that contexts derived from it need no goroutine.
type call struct {
	context.Context // grpc's
	calls           *Calls
	prev, next      *call // in the list of all; guarded by calls.mu

	mu     sync.Mutex // guards what follows; may be taken while calls.mu is held
	waited context.Context
	cancel context.CancelCauseFunc
}

func (c *Calls) add(k *call) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if k.next = c.http; k.next != nil {
		k.next.prev = k
	}
	c.http = k
}

func (c *Calls) remove(k *call) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if k.next != nil {
		k.next.prev = k.prev
	}
	if k.prev != nil {
		k.prev.next = k.next
	} else {
		c.http = k.next
	}
}

func (k *call) Done() <-chan struct{} { return k.wait().Done() }

func (k *call) Err() error {
	if from := k.current(); from != nil {
		return from.Err()
	}
	return k.Context.Err()
}

func (k *call) Value(key any) any {
	if from := k.current(); from != nil {
		return from.Value(key)
	}
	return k.Context.Value(key)
}

// current returns the context underneath, if it is needed to tell whether the call has ended; otherwise nil.
func (k *call) current() context.Context {
	if k.calls.base.Err() != nil {
		return k.wait()
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.waited
}

// wait returns the context underneath. When base has ended, so has it.
func (k *call) wait() context.Context {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.waited == nil {
		k.waited, k.cancel = context.WithCancelCause(k.Context)
	}
	if k.calls.base.Err() != nil {
		k.cancel(k.calls.stopped)
	}
	return k.waited
}

// answer ends the call with a status, if grpc's stream lets others than grpc do that: its type is internal, and
// so can lose this method. Then the client sees only that the connection is closed. grpc's own end of the call,
// and what the handler does later, has no effect after it.
func (k *call) answer(st *status.Status) {
	stream, ok := grpc.ServerTransportStreamFromContext(k.Context).(interface {
		WriteStatus(*status.Status) error
	})
	if ok {
		_ = stream.WriteStatus(st) // an error means that the client has gone
	}
}
