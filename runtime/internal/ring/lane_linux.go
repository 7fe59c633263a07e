package ring

import (
	"fmt"
	"io"
	"sync/atomic"
	"syscall"
	"unsafe"
)

// A lane is one direction. Its words are in the memory, each on cache lines of its own:
//
//	offset  word
//	0       tail: how many bytes were written, modulo 2^31; bit 31 is set by the reader, which then reads nothing more
//	128     head: how many bytes were read, modulo 2^31; bit 31 is set by the writer, which then takes back the rest
//	256     not 0: the reader sleeps, or is about to, and wants a doorbell when there are bytes
//	320     when the doorbell was rung for the reader
//	384     not 0: the writer sleeps, or is about to, and wants a doorbell when there is room
//	448     when the doorbell was rung for the writer
//
// Who rings sets the word to 0 before that. It has bit 30 if the other end sleeps in a futex. The time is the low half of
// the nanoseconds since 1970, and only helps to decide how to wait.
//
// The lane from the client to the server has its words at 0 and its bytes at headerSize; the other lane has them 512
// and ringSize behind those.
//
// The writer changes tail by compare-and-swap, never by a plain store, and the reader head. So either the other end's
// bit comes first and the bytes do not count, or they come first and the other end sees that: both always know which.
const (
	tailAt        = 0
	headAt        = 128
	readerSleeps  = 256
	rangReader    = 320
	writerSleeps  = 384
	rangWriter    = 448
	laneWords     = 512
	endBit        = 1 << 31
	positionMask  = endBit - 1
	pieceAtOnce   = ringSize / 4 // is copied between two looks at the other end
	wakeWriterFor = ringSize / 2 // bytes of room
)

// lane has the words of a direction, and its bytes. The other process may change all of that at any time.
type lane struct {
	tail, head               *atomic.Uint32
	readerSleeps, rangReader *atomic.Uint32
	writerSleeps, rangWriter *atomic.Uint32
	bytes                    []byte
}

func laneAt(memory []byte, n int) lane {
	word := func(offset int) *atomic.Uint32 {
		return (*atomic.Uint32)(unsafe.Pointer(&memory[n*laneWords+offset]))
	}
	begin := headerSize + n*ringSize
	return lane{word(tailAt), word(headAt), word(readerSleeps), word(rangReader), word(writerSleeps), word(rangWriter),
		memory[begin : begin+ringSize : begin+ringSize]}
}

// writer is the writing end of a lane. One goroutine uses it at a time, but for unread and recall.
type writer struct {
	lane
	tail atomic.Uint32 // how much was written; changed by the writing goroutine alone
	head uint32        // where the reader was at the last look

	recalling atomic.Bool // set before the bit in head
}

// room returns how much there is room for.
func (w *writer) room() (int, error) {
	tail, head := w.tail.Load(), w.lane.head.Load()
	used := (tail - head) & positionMask
	if head&endBit != 0 && w.recalling.Load() {
		return 0, syscall.EPIPE
	}
	if head&endBit != 0 || used > (tail-w.head)&positionMask {
		return 0, fmt.Errorf("%w: of %d bytes it has read those up to %#x, and before to %#x", ErrViolation, tail, head, w.head)
	}
	w.head = head
	return ringSize - int(used), nil
}

// write copies what there is room for, up to pieceAtOnce bytes, and then tells the other end. The first of pieces
// counts from offset on. It returns how much the other end has got.
func (w *writer) write(pieces [][]byte, offset int) (n int, err error) {
	room, err := w.room()
	if err != nil {
		return 0, err
	}
	room = min(room, pieceAtOnce)
	tail := w.tail.Load()
	for _, p := range pieces {
		p = p[offset:]
		offset = 0
		p = p[:min(len(p), room-n)]
		at := (tail + uint32(n)) & (ringSize - 1)
		copied := copy(w.bytes[at:], p)
		copy(w.bytes, p[copied:])
		if n += len(p); n == room {
			break
		}
	}
	if n == 0 {
		return 0, w.ended(tail)
	}
	if err := w.publish(tail, (tail+uint32(n))&positionMask); err != nil {
		return 0, err
	}
	return n, nil
}

func (w *writer) publish(from, to uint32) error {
	w.tail.Store(to) // first, as the other end may have read it before the next line
	if w.lane.tail.CompareAndSwap(from, to) {
		return nil
	}
	w.tail.Store(from)
	if err := w.ended(from); err != nil {
		return err
	}
	return fmt.Errorf("%w: what this end has written to %#x was changed for a moment", ErrViolation, from)
}

// ended returns an error if tail is not where this end has left it.
func (w *writer) ended(left uint32) error {
	switch now := w.lane.tail.Load(); now {
	case left:
		return nil
	case left | endBit:
		return ErrStopped
	default:
		return fmt.Errorf("%w: what this end has written to %#x is now %#x", ErrViolation, left, now)
	}
}

// unread returns how much the other end has not read. Any goroutine may call it.
func (w *writer) unread() int { return w.unreadAt(w.lane.head.Load()) }

func (w *writer) unreadAt(head uint32) int {
	return int(min((w.tail.Load()-head)&positionMask, ringSize))
}

// recall takes back what the other end has not read, and returns how much that is. Any goroutine may call it.
func (w *writer) recall() int {
	w.recalling.Store(true)
	return w.unreadAt(w.lane.head.Or(endBit))
}

// reader is the reading end of a lane. One goroutine uses it at a time, but for stop.
type reader struct {
	lane
	head  uint32 // how much was read
	known uint32 // how much of what comes then was there at the last look

	stopping, stopped atomic.Bool // set before and after the bit in tail
}

// available returns how much there is to read. The error is io.EOF if there will be nothing more.
func (r *reader) available() (int, error) {
	stopped := r.stopped.Load() // before the look at tail, which does not change any more then
	tail := r.lane.tail.Load()
	there := (tail - r.head) & positionMask
	if there > ringSize || there < r.known || tail&endBit != 0 && !r.stopping.Load() {
		return 0, fmt.Errorf("%w: it has written up to %#x, and this end has read up to %#x of %#x", ErrViolation, tail, r.head, r.head+r.known)
	}
	r.known = there
	if there == 0 && (stopped || tail&endBit != 0) {
		return 0, io.EOF
	}
	return int(there), nil
}

// read copies what there is to b. The error is io.EOF if there will be nothing more.
func (r *reader) read(b []byte) (n int, err error) {
	for n < len(b) {
		there, err := r.available()
		if err != nil || there == 0 {
			return n, err
		}
		part := b[n:][:min(there, len(b)-n, pieceAtOnce)]
		copied := copy(part, r.bytes[r.head&(ringSize-1):])
		copy(part[copied:], r.bytes)
		if err := r.publish((r.head + uint32(len(part))) & positionMask); err != nil {
			return n, err
		}
		r.known -= uint32(len(part))
		n += len(part)
	}
	return n, nil
}

func (r *reader) publish(to uint32) error {
	if r.lane.head.CompareAndSwap(r.head, to) {
		r.head = to
		return nil
	}
	if now := r.lane.head.Load(); now != r.head|endBit {
		return fmt.Errorf("%w: what this end has read to %#x is now %#x", ErrViolation, r.head, now)
	}
	return io.EOF
}

// stop tells the other end that nothing more is read than what is there now.
func (r *reader) stop() {
	r.stopping.Store(true)
	r.lane.tail.Or(endBit)
	r.stopped.Store(true)
}
