package direct

import (
	"errors"
	"sync/atomic"

	"google.golang.org/grpc/mem"

	"github.com/udsgrpc/udsgrpc/runtime/internal/direct/wire"
	"github.com/udsgrpc/udsgrpc/runtime/internal/filewalk"
)

const (
	// window is how many bytes that the other program has not read may wait at a sender: as much as the
	// windows of this project's HTTP/2 allow. It is compared before a message is accepted, so below it a
	// message of any size is accepted.
	window = 4 << 20

	// chunkSize is how large a piece of memory for small messages is.
	chunkSize = 32 << 10

	// writeAtMost is how much is given to the kernel at once. The kernel queues less than that, and after
	// each write it is known how much it has accepted.
	writeAtMost = 256 << 10
)

// outboxLife says what happens to frames. It only moves forward.
type outboxLife int8

const (
	outboxOpen   outboxLife = iota // they are accepted and written
	outboxSealed                   // no more are accepted; queued frames are written
	outboxClosed                   // queued frames that were not written are dropped
)

var errOutboxClosed = errors.New("direct transport: the call is over")

// outbox holds the frames that one end of a stream sends until the kernel has accepted them, so that
// sending does not depend on when the other end reads. The goroutine that adds frames tries to write them.
// The flusher, another goroutine, writes what the kernel had no room for, and ends when nothing is left.
//
// One goroutine writes at a time, without holding mu.
type outbox struct {
	mu     *monitor // the stream's; guards all fields
	owner  outboxOwner
	budget *budget
	pool   *wire.Buffers

	conn        *conn // nil while a client looks for another server
	pieces      []piece
	next        int  // the first piece that the kernel has not accepted completely
	offset      int  // how much of it was accepted
	queued      int  // bytes that the kernel has not accepted
	queuedFiles int  // the same of open files, which are not closed before that
	charged     int  // how many of them the budget counts
	keeping     bool // accepted bytes are kept, to be sent again
	writing     bool // a goroutine writes
	flusher     bool // the flusher is at work
	added       bool // something was left to it since it last looked
	full        bool // the kernel had no room for all of the last write
	life        outboxLife
	err         error
	refusal     error    // why a message with open files, and what was queued after it, was dropped
	cut         bool     // the end of the call was dropped with it
	first       [2]piece // the first array of pieces

	waiting atomic.Int32 // how many wait in admit; changed with mu held
}

// outboxOwner is the stream that an outbox belongs to.
type outboxOwner interface {
	// taken is called with mu held when the kernel has accepted bytes.
	taken()
	// beforeWait is called without mu before a Send waits for room. The other end may be waiting too, so it
	// ensures that frames from there are taken in.
	beforeWait()
	// written is called without mu when a write has finished and the outbox is closed.
	written()
	// refused is called without mu when the kernel does not pass on the open files of a message, with the
	// status that the call ends with.
	refused(err error)
}

// piece is a part of what is to be written: either memory for small frames, to which more can be appended,
// or the content of a large message.
type piece struct {
	b    []byte
	held mem.Buffer // the memory of a large message; nil for small frames

	files  *filewalk.Files // which go with the first byte; nil for none
	passed bool            // they have gone
}

func (o *outbox) init(mu *monitor, owner outboxOwner, c *conn, budget *budget, pool *wire.Buffers) {
	o.mu, o.owner, o.conn, o.budget, o.pool = mu, owner, c, budget, pool
	o.pieces = o.first[:0]
}

// admit waits until a message may be queued. The error says that no more messages are accepted. The caller
// holds mu, which is released while waiting.
func (o *outbox) admit() error {
	for counted := false; ; {
		switch {
		case o.life != outboxOpen:
			return errOutboxClosed
		case o.err != nil:
			return o.err
		case o.queued >= window || o.queuedFiles >= filesPerCall:
			o.await(nil)
		case o.queued > 0 && o.budget.full():
			if !counted {
				counted = true
				o.budget.waited.Add(1)
			}
			if room := o.budget.whenRoom(); room != nil {
				o.await(room)
			}
		default:
			return nil
		}
	}
}

// await waits for a change, or for room in the budget.
func (o *outbox) await(room <-chan struct{}) {
	o.waiting.Add(1)
	changed := o.mu.change()
	o.mu.Unlock()
	o.owner.beforeWait()
	select {
	case <-changed:
	case <-room:
	}
	o.mu.Lock()
	o.waiting.Add(-1)
}

// append queues frames that are no messages. The caller holds mu.
func (o *outbox) append(frames []byte) {
	b := o.chunk(len(frames))
	*b = append(*b, frames...)
	o.queued += len(frames)
}

// appendMessage queues a message and takes ownership of it, and of its open files. These may go with the
// first byte of what is queued, if that is joins bytes and nothing else. The caller holds mu.
func (o *outbox) appendMessage(p wire.Payload, files *filewalk.Files, joins int) {
	if files != nil {
		o.appendFiles(files, joins)
	}
	n := p.Len()
	o.queued += wire.FrameHeaderLen + n
	if n <= copyLimit {
		b := o.chunk(wire.FrameHeaderLen + n)
		*b = p.AppendTo(wire.AppendFrameHeader(*b, wire.KindMessage, n))
		p.Free()
		return
	}
	b := o.chunk(wire.FrameHeaderLen)
	*b = wire.AppendFrameHeader(*b, wire.KindMessage, n)
	for _, held := range p.Slices {
		o.pieces = append(o.pieces, piece{b: held.ReadOnlyData(), held: held})
	}
}

// chunk returns memory to which n bytes can be appended.
func (o *outbox) chunk(n int) *[]byte {
	if last := len(o.pieces) - 1; last >= 0 {
		p := &o.pieces[last]
		if p.held == nil && len(p.b)+n <= max(chunkSize, cap(p.b)) {
			return &p.b
		}
	}
	var b []byte
	switch {
	case len(o.pieces) > 0:
		b = (*o.pool.Get(max(chunkSize, n)))[:0]
	case o.conn != nil:
		b, o.conn.out = o.conn.out[:0], nil
	}
	o.pieces = append(o.pieces, piece{b: b})
	return &o.pieces[len(o.pieces)-1].b
}

// forget frees what was written.
func (o *outbox) forget() {
	o.forgetFiles()
	for i := range o.next {
		o.free(&o.pieces[i])
	}
	if o.next > 0 {
		n := copy(o.pieces, o.pieces[o.next:])
		clear(o.pieces[n:])
		o.pieces, o.next = o.pieces[:n], 0
	}
	if o.queued == 0 && len(o.pieces) == 1 {
		o.pieces[0].b = o.pieces[0].b[:0]
		o.offset = 0
	}
}

func (o *outbox) free(p *piece) {
	p.files.Done()
	if p.held != nil {
		p.held.Free()
	} else if b := p.b; cap(b) == chunkSize {
		o.pool.Put(&b)
	}
	*p = piece{}
}

// stopKeeping frees what was kept to be sent again. The caller holds mu.
func (o *outbox) stopKeeping() {
	if o.keeping {
		o.keeping = false
		o.forget()
	}
}

// kept returns how many bytes that the kernel has accepted are still here.
func (o *outbox) kept() int {
	n := o.offset
	for _, p := range o.pieces[:o.next] {
		n += len(p.b)
	}
	return n
}

// detach is called when the call is unprocessed: everything is queued again, for a connection to the next
// server. The caller holds mu, and nobody writes.
func (o *outbox) detach() {
	o.queued += o.kept()
	o.next, o.offset, o.err, o.conn, o.full = 0, 0, nil, nil, false
	o.passAgain()
	o.chargeBudget()
}

// attach continues with a connection, and replaces the first old bytes by call. The caller holds mu.
func (o *outbox) attach(c *conn, call []byte, old int) {
	o.conn = c
	if old > 0 {
		first := &o.pieces[0].b
		*first = append(call, (*first)[old:]...)
		o.queued += len(call) - old
	}
	o.write(false)
	o.chargeBudget()
}

// chargeBudget tells the budget how much is queued. The caller holds mu.
func (o *outbox) chargeBudget() {
	if n := o.queued - o.charged; n != 0 {
		o.charged = o.queued
		o.budget.charge(n)
	}
}

// seal accepts no more messages, and wakes every Send that waits. The caller holds mu.
func (o *outbox) seal() {
	o.life = max(o.life, outboxSealed)
	o.mu.broadcast()
}

// close drops what is queued, and wakes every goroutine that waits. The caller holds mu.
func (o *outbox) close() {
	o.life = outboxClosed
	if !o.writing {
		o.drop()
	}
	o.mu.broadcast()
}

func (o *outbox) drop() {
	if o.queued == 0 && len(o.pieces) == 1 && o.pieces[0].held == nil && o.pieces[0].files == nil && o.conn != nil && cap(o.pieces[0].b) <= keepIdle {
		o.conn.out, o.pieces = o.pieces[0].b[:0], nil // the next call on the connection uses it
	}
	for i := range o.pieces {
		o.free(&o.pieces[i])
	}
	o.pieces, o.next, o.offset, o.queued, o.queuedFiles, o.keeping = nil, 0, 0, 0, 0, false
	o.chargeBudget()
}
