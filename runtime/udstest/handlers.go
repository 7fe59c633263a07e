package udstest

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"runtime/pprof"
	"slices"
	"strings"
	"sync"

	"google.golang.org/grpc"

	"github.com/udsgrpc/udsgrpc/runtime"
)

// handlers knows which handlers of a server run.
type handlers struct {
	abandon func() // ends a server whose caller would wait for ever

	mu      sync.Mutex
	running map[*handler]struct{}
	exited  string // the method of a handler that ended its goroutine
}

// handler is a running one.
type handler struct {
	method string
	done   chan struct{} // closed when it has ended
}

func newHandlers() *handlers { return &handlers{running: map[*handler]struct{}{}} }

// options make a server tell of its handlers. They come first, so that interceptors of the test,
// which can hang as well, are inside.
func (h *handlers) options() []runtime.ServerOption {
	return []runtime.ServerOption{runtime.UnaryInterceptor(h.unary), runtime.StreamInterceptor(h.stream)}
}

func (h *handlers) unary(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (resp any, err error) {
	h.watch(info.FullMethod, func() { resp, err = next(ctx, req) })
	return resp, err
}

func (h *handlers) stream(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) (err error) {
	h.watch(info.FullMethod, func() { err = next(srv, ss) })
	return err
}

// watch runs a handler.
func (h *handlers) watch(method string, handle func()) {
	running := &handler{method: method, done: make(chan struct{})}
	h.mu.Lock()
	h.running[running] = struct{}{}
	h.mu.Unlock()
	returned := false
	defer func() {
		h.mu.Lock()
		delete(h.running, running)
		if !returned {
			h.exited = method
		}
		h.mu.Unlock()
		close(running.done)
		if !returned {
			// It panics, which ends the process anyway, or has called runtime.Goexit.
			h.abandon()
		}
	}()
	handle()
	returned = true
}

// hung waits for the handlers that run, and describes those that still do when ctx ends.
func (h *handlers) hung(ctx context.Context) string {
	for _, r := range h.list() {
		select {
		case <-r.done:
		case <-ctx.Done():
			return h.describe()
		}
	}
	return ""
}

func (h *handlers) list() []*handler {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Collect(maps.Keys(h.running))
}

// describe lists the running handlers and their stacks.
func (h *handlers) describe() string {
	count := map[string]int{}
	for _, r := range h.list() {
		count[r.method]++
	}
	var text strings.Builder
	for _, method := range slices.Sorted(maps.Keys(count)) {
		fmt.Fprintf(&text, "\n%d × %s", count[method], method)
	}
	text.WriteString("\nStacks of the handlers that run in this process:")
	var stacks bytes.Buffer
	pprof.Lookup("goroutine").WriteTo(&stacks, 2)
	for stack := range strings.SplitSeq(stacks.String(), "\n\n") {
		if strings.Contains(stack, "udstest.(*handlers).watch(") {
			text.WriteString("\n\n" + stack)
		}
	}
	return text.String()
}

// exitedMethod returns the method of a handler that ended its goroutine, if there was one.
func (h *handlers) exitedMethod() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.exited
}
