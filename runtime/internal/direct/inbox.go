package direct

import (
	"bytes"
	"io"
	"slices"

	"github.com/udsgrpc/udsgrpc/runtime/internal/direct/wire"
)

// inbox is where a stream receives frames from: first those that were taken in from its connection while a
// Send waited for room, then the connection itself. So a program whose two ends both send first and
// receive later does not stall.
//
// Only the holder of the stream's reading may receive, or start the goroutine that takes frames in.
type inbox struct {
	conn  *conn
	owner inboxOwner
	limit int // of a message

	current inboxFrame // the next frame, once its header was read
	peeked  bool       // its header was read, and the frame was not received yet
	active  bool       // current was taken in, or the next frame may be

	mu     *monitor // the stream's; guards what follows
	budget *budget  // nil once the stream has ended
	queue  []inboxFrame
	size   int  // bytes of content in queue
	taking bool // the goroutine runs, and reads from the connection
	closed bool // nothing more is received; frames that were taken in are dropped
}

// inboxOwner is the stream that an inbox belongs to.
type inboxOwner interface {
	// arrived is called with mu held when a frame was taken in.
	tookIn(k wire.Kind)
	// sendWaits reports whether a Send waits for room. It is called with mu held.
	sendIsWaiting() bool
}

// inboxFrame is a frame that was taken in.
type inboxFrame struct {
	kind    wire.Kind
	n       int
	content wire.Payload // empty for a message over the limit
	files   *arrival     // that came with it
	err     error        // of reading; then the other fields are zero
	waited  bool         // the receiver had to wait for it
}

// drop frees a frame that nobody receives.
func (a *inboxFrame) drop() {
	a.content.Free()
	a.files.close()
	a.files = nil
}

// peek waits for the next frame and returns its header. It returns the same one until control, message or
// skip is called.
func (in *inbox) peek() (wire.Kind, int, error) {
	c := &in.current
	if !in.peeked {
		if !in.active || !in.take() {
			in.header(c)
		}
		in.peeked = c.err == nil
	}
	return c.kind, c.n, c.err
}

// skip drops a frame whose content is not needed. Only the content of a message may be skipped.
func (in *inbox) skip() { in.peeked = false }

// take makes the next frame that was taken in the current one. It reports whether there is one.
func (in *inbox) take() bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	for len(in.queue) == 0 {
		if !in.taking {
			in.active, in.queue, in.current = false, nil, inboxFrame{}
			return false
		}
		in.mu.wait()
	}
	in.current = in.queue[0]
	in.current.waited = false // it was there before the receiver asked
	in.queue[0] = inboxFrame{}
	in.queue = in.queue[1:]
	in.count(-in.current.content.Len())
	return true
}

// control returns the content of the next frame, which is no message.
func (in *inbox) control() ([]byte, error) {
	in.peeked = false
	if in.active {
		return in.current.content.Bytes, nil
	}
	return in.conn.rd.Control(in.current.n)
}

// count adds n to the bytes taken in; n may be negative. The caller holds mu.
func (in *inbox) count(n int) {
	in.size += n
	if in.budget != nil {
		in.budget.charge(n)
	}
}

// takeFiles returns the open files of the next frame, which is a message. They are the caller's.
func (in *inbox) takeFiles() *arrival {
	files := in.current.files
	in.current.files = nil
	return files
}

// message returns the content of the next frame, which is a message. It is valid until the next message.
func (in *inbox) message() (wire.Payload, error) {
	in.peeked = false
	if in.active {
		p := in.current.content
		in.current.content = wire.Payload{}
		return p, nil
	}
	return in.conn.rd.Message(in.current.n)
}

// hasMessage reports whether the next frame is a message and all of it is in the reader's buffer.
func (in *inbox) hasMessage() bool {
	return !in.peeked && !in.active && in.conn.rd.HasFrame(wire.KindMessage)
}

// allReceived reports whether the stream has received everything that is there.
func (in *inbox) allReceived() bool {
	if in.peeked {
		return false
	}
	if in.active {
		in.mu.Lock()
		defer in.mu.Unlock()
		if in.taking || len(in.queue) > 0 {
			return false
		}
	}
	return in.conn.settled()
}

// buffered reports whether the next frame is of kind k and has arrived. It does not wait.
func (in *inbox) buffered(k wire.Kind) bool {
	if in.peeked {
		return in.current.kind == k
	}
	if in.active {
		in.mu.Lock()
		defer in.mu.Unlock()
		if len(in.queue) > 0 {
			return in.queue[0].kind == k && in.queue[0].err == nil
		}
		if in.taking {
			return false
		}
	}
	return in.conn.rd.NextIs(k)
}

// startTaking starts the goroutine that takes frames in while a Send waits. It ends with the first frame
// after that, and when the connection is closed.
func (in *inbox) startTaking() {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.budget == nil || in.taking || in.size >= window || in.budget.full() || in.ended() {
		return
	}
	begun := in.peeked && !in.active // the header of the first frame was read
	if begun {
		in.peeked = false
	}
	var first inboxFrame
	if begun {
		first = in.current
	}
	in.active, in.taking = true, true
	go func() {
		if !begun {
			in.header(&first)
		}
		for in.takeIn(first) {
			first = inboxFrame{}
			in.header(&first)
		}
	}()
}

// ended reports whether the last frame that was taken in is the last that can be.
func (in *inbox) ended() bool {
	if len(in.queue) == 0 {
		return false
	}
	last := &in.queue[len(in.queue)-1]
	return last.err != nil || !isFollowed(last.kind) || last.kind == wire.KindMessage && last.n > in.limit
}

// header reads the header of the next frame into a, which has no content. It does not set what stays as it is:
// there may be millions of frames in a second.
func (in *inbox) header(a *inboxFrame) {
	var err error
	a.kind, a.n, err = in.conn.next()
	a.waited = in.conn.waited
	if err != nil || a.err != nil {
		a.err = err
	}
	if files := in.conn.files.take(); files != nil || a.files != nil {
		a.files = files
	}
}

// takeIn takes in the frame whose header was read, and reports whether to continue.
func (in *inbox) takeIn(a inboxFrame) bool {
	in.read(&a)
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.closed {
		a.drop()
		in.taking = false
		in.mu.broadcast()
		return false
	}
	a.files.closeIfForgotten()
	in.queue = append(in.queue, a)
	in.count(a.content.Len())
	if a.err == nil {
		in.owner.tookIn(a.kind)
	}
	in.taking = in.budget != nil && !in.ended() && in.owner.sendIsWaiting() && in.size < window && !in.budget.full()
	in.mu.broadcast()
	return in.taking
}

// takeRest takes in everything that has arrived on a connection that was shut down. The caller holds
// reading.
func (in *inbox) takeRest() {
	in.mu.Lock()
	for in.taking {
		in.mu.wait() // ends with the connection
	}
	if in.peeked && in.active {
		in.queue = slices.Insert(in.queue, 0, in.current)
		in.count(in.current.content.Len())
		in.peeked = false
	}
	more := !in.ended()
	in.mu.Unlock()
	for more {
		a := in.current
		if !in.peeked {
			a = inboxFrame{}
			in.header(&a)
		}
		in.peeked = false
		in.active = true
		in.takeIn(a)
		if a.err == nil && a.kind == wire.KindMessage && a.n > in.limit {
			_, err := io.CopyN(io.Discard, &in.conn.rd, int64(a.n))
			more = err == nil
			continue
		}
		in.mu.Lock()
		more = !in.ended()
		in.mu.Unlock()
	}
}

// takeControl removes the frames that are no messages from those taken in, and returns them. It reports
// how many messages are left, and whether one of them is incomplete.
func (in *inbox) takeControl() (control []inboxFrame, messages int, cut bool) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.queue = slices.DeleteFunc(in.queue, func(a inboxFrame) bool {
		if a.kind == wire.KindMessage && a.err == nil {
			return false
		}
		in.count(-a.content.Len())
		switch {
		case a.kind == wire.KindMessage:
			cut = true
		case a.err == nil && (a.kind == wire.KindHeader || a.kind == wire.KindStatus):
			control = append(control, a)
		}
		return true
	})
	return control, len(in.queue), cut
}

// read reads the content of a frame, unless it is a message that is too large or the frame has none.
func (in *inbox) read(a *inboxFrame) {
	rd := &in.conn.rd
	switch {
	case a.err != nil || a.kind == wire.KindMessage && a.n > in.limit:
	case a.kind == wire.KindMessage:
		if a.content, a.err = rd.Message(a.n); a.err != nil {
			a.files.close()
			a.files = nil
		}
		if a.content.Slices == nil {
			a.content.Bytes = bytes.Clone(a.content.Bytes)
		}
	case a.kind == wire.KindHeader || a.kind == wire.KindStatus:
		a.content.Bytes, a.err = rd.Control(a.n)
		a.content.Bytes = bytes.Clone(a.content.Bytes)
	}
}

// isFollowed reports whether another frame of the same stream may come after one of kind k.
func isFollowed(k wire.Kind) bool { return k == wire.KindMessage || k == wire.KindHeader }

// attach continues with another connection, after the last frame of the previous one.
func (in *inbox) attach(c *conn) {
	in.conn, in.current, in.peeked, in.active = c, inboxFrame{}, false, false
	in.queue, in.size = nil, 0
}

// end is called when the stream has ended. Nothing more is read from the connection, and frames that were
// taken in no longer count for the budget, because the program may never receive them.
func (in *inbox) end() {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.budget != nil {
		in.budget.charge(-in.size)
		in.budget = nil
	}
}

// close frees the frames that were taken in and not received.
func (in *inbox) close() {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.closed = true
	for i := range in.queue {
		in.count(-in.queue[i].content.Len())
		in.queue[i].drop()
	}
	in.queue = nil
}
