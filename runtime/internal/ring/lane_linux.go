package ring

import (
	"fmt"
	"sync/atomic"
	"unsafe"
)

// A lane is one direction. Its words are in the memory, each on cache lines of its own:
//
//	offset  word
//	0       tail: how many bytes were written, modulo 2^31; bit 31 is set by the reader, which then reads nothing more
//	128     head: how many bytes were read, modulo 2^31
//	256     1: the reader sleeps, or is about to, and wants a doorbell when there are bytes
//	384     1: the writer sleeps, or is about to, and wants a doorbell when there is room
//
// The lane from the client to the server has its words at 0 and its bytes at headerSize; the other lane has them 512
// and ringSize behind those.
//
// The writer changes tail by compare-and-swap, never by a plain store. So either the reader's bit comes first and the
// bytes do not count, or the bytes come first and the reader sees them: both ends always know which.
const (
	tailAt        = 0
	headAt        = 128
	readerSleeps  = 256
	writerSleeps  = 384
	laneWords     = 512
	stopped       = 1 << 31
	positionMask  = stopped - 1
	pieceAtOnce   = ringSize / 4 // is copied between two looks at the other end
	wakeWriterFor = ringSize / 2 // bytes of room
)

// lane has the words of a direction, and its bytes. The other process may change all of that at any time.
type lane struct {
	tail, head, readerSleeps, writerSleeps *atomic.Uint32
	bytes                                  []byte
}

func laneAt(memory []byte, n int) lane {
	word := func(offset int) *atomic.Uint32 {
		return (*atomic.Uint32)(unsafe.Pointer(&memory[n*laneWords+offset]))
	}
	begin := headerSize + n*ringSize
	return lane{word(tailAt), word(headAt), word(readerSleeps), word(writerSleeps), memory[begin : begin+ringSize : begin+ringSize]}
}

// writer is the writing end of a lane. One goroutine uses it at a time, but for unread.
type writer struct {
	lane
	tail atomic.Uint32 // how much was written; changed by the writing goroutine alone
	head uint32        // where the reader was at the last look
}

// room returns how much there is room for.
func (w *writer) room() (int, error) {
	tail, head := w.tail.Load(), w.lane.head.Load()
	used := (tail - head) & positionMask
	if head > positionMask || used > (tail-w.head)&positionMask {
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
		return 0, nil
	}
	if err := w.publish(tail, (tail+uint32(n))&positionMask); err != nil {
		return 0, err
	}
	return n, nil
}

func (w *writer) publish(from, to uint32) error {
	if w.lane.tail.CompareAndSwap(from, to) {
		w.tail.Store(to)
		return nil
	}
	if now := w.lane.tail.Load(); now != from|stopped {
		return fmt.Errorf("%w: what this end has written to %#x is now %#x", ErrViolation, from, now)
	}
	return ErrStopped
}

// unread returns how much the other end has not read. Any goroutine may call it.
func (w *writer) unread() int {
	return int(min((w.tail.Load()-w.lane.head.Load())&positionMask, ringSize))
}

// reader is the reading end of a lane. One goroutine uses it at a time, but for stop.
type reader struct {
	lane
	head  uint32 // how much was read
	known uint32 // how much of what comes then was there at the last look

	stopping, stopped atomic.Bool // around setting the bit
}

// available returns how much there is to read.
func (r *reader) available() (int, error) {
	stopping := r.stopping.Load()
	tail := r.lane.tail.Load()
	there := (tail - r.head) & positionMask
	if there > ringSize || there < r.known || tail&stopped != 0 && !stopping && !r.stopping.Load() {
		return 0, fmt.Errorf("%w: it has written up to %#x, and this end has read up to %#x", ErrViolation, tail, r.head)
	}
	r.known = there
	return int(there), nil
}

// read copies what there is to b.
func (r *reader) read(b []byte) (n int, err error) {
	for n < len(b) {
		there, err := r.available()
		if err != nil || there == 0 {
			return n, err
		}
		part := b[n:][:min(there, len(b)-n, pieceAtOnce)]
		copied := copy(part, r.bytes[r.head&(ringSize-1):])
		copy(part[copied:], r.bytes)
		r.head = (r.head + uint32(len(part))) & positionMask
		r.known -= uint32(len(part))
		r.lane.head.Store(r.head)
		n += len(part)
	}
	return n, nil
}

// stop tells the other end that nothing more is read than what is there now.
func (r *reader) stop() {
	r.stopping.Store(true)
	r.lane.tail.Or(stopped)
	r.stopped.Store(true)
}
