package direct

import "context"

// callWatch shuts the connection of a unary call down when the context of the call ends.
type callWatch struct {
	unwatch func() bool // nil if there is nothing to watch
	lazy    *lazyWatch  // nil if the watch began at once
}

// lazyWatch is a watch that begins when the calling goroutine has to wait for long. Over rings most answers come
// while it still looks for them, and a watch that begins and ends costs more than that takes. Only the calling
// goroutine uses it.
type lazyWatch struct {
	ctx     context.Context // nil if no call waits for the watch to begin
	unwatch func() bool     // nil until it has begun
}

// watch begins a watch. A call with open files also waits for the socket, where nothing begins one later.
func (u *unary) watch(conn *conn) callWatch {
	if r := conn.ringIn(); r != nil && u.files == nil {
		r.watch.ctx = u.caller
		return callWatch{lazy: &r.watch}
	}
	return callWatch{unwatch: conn.watch(u.caller)}
}

// watch returns nil if ctx never ends.
func (c *conn) watch(ctx context.Context) (unwatch func() bool) {
	if ctx.Done() == nil {
		return nil
	}
	return context.AfterFunc(ctx, c.shutDownFunc)
}

// begin is called before a goroutine waits for long, perhaps of a stream, which has another watch.
func (l *lazyWatch) begin(c *conn) {
	if ctx := l.ctx; ctx != nil {
		l.ctx = nil
		l.unwatch = c.watch(ctx)
	}
}

// end ends the watch. It reports whether the context has not ended, as far as the watch has seen.
func (w callWatch) end() bool {
	if l := w.lazy; l != nil {
		w.unwatch = l.unwatch
		*l = lazyWatch{}
	}
	return w.unwatch == nil || w.unwatch()
}
