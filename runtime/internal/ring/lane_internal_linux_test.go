package ring

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"sync"
	"testing"
)

// newLane returns both ends of a lane in memory of this process, of which position bytes were written and read.
func newLane(position uint32) (*writer, *reader) { return laneIn(make([]byte, Size), position) }

func laneIn(memory []byte, position uint32) (*writer, *reader) {
	l := laneAt(memory, 0)
	l.tail.Store(position)
	l.head.Store(position)
	w, r := &writer{lane: l, head: position}, &reader{lane: l, head: position}
	w.tail.Store(position)
	return w, r
}

func TestBytesArriveAtEveryPosition(t *testing.T) {
	t.Parallel()
	content := make([]byte, 300)
	for i := range content {
		content[i] = byte(i)
	}
	got, memory := make([]byte, len(content)+1), make([]byte, Size)
	for _, round := range []uint32{0, ringSize, endBit - ringSize} {
		for position := range uint32(ringSize) {
			w, r := laneIn(memory, round+position)
			n, err := w.write([][]byte{content[:7], nil, content[7:200], content[200:]}, 0)
			if n != len(content) || err != nil {
				t.Fatalf("at %#x %d bytes were written, error %v", round+position, n, err)
			}
			n, err = r.read(got)
			if err != nil || !bytes.Equal(got[:n], content) {
				t.Fatalf("at %#x %d bytes arrived, error %v", round+position, n, err)
			}
		}
	}
}

func TestAFullRingTakesNothing(t *testing.T) {
	t.Parallel()
	w, r := newLane(endBit - 5)
	content := make([]byte, ringSize+100)
	for i := range content {
		content[i] = byte(i * 7)
	}
	written := 0
	for {
		n, err := w.write([][]byte{content}, written)
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			break
		}
		written += n
	}
	if written != ringSize || w.unread() != ringSize {
		t.Fatalf("%d bytes were written and %d are unread, want %d", written, w.unread(), ringSize)
	}
	one := make([]byte, 1)
	for i := range ringSize + 100 {
		if n, err := r.read(one); n != 1 || err != nil || one[0] != content[i] {
			t.Fatalf("byte %d is %d, error %v", i, one[0], err)
		}
		if written < len(content) {
			n, err := w.write([][]byte{content}, written)
			if n != 1 || err != nil {
				t.Fatalf("%d bytes were written where one was read, error %v", n, err)
			}
			written += n
		}
	}
}

// Whoever stops reading, and whoever recalls, does it while the other end is in the middle of it.
func TestBothEndsKnowWhichBytesWereReadAfterStop(t *testing.T) {
	t.Parallel()
	for range 500 {
		w, r := newLane(rand.Uint32() & positionMask)
		var both sync.WaitGroup
		written, read := 0, 0
		both.Go(func() {
			var err error
			for n := 0; err == nil; written += n {
				n, err = w.write([][]byte{make([]byte, 1+rand.IntN(3000))}, 0)
			}
			if !errors.Is(err, ErrStopped) {
				t.Error(err)
			}
		})
		both.Go(func() {
			b := make([]byte, 1000)
			var err error
			for n := 0; err == nil; read += n {
				n, err = r.read(b)
			}
			if !errors.Is(err, io.EOF) {
				t.Error(err)
			}
		})
		both.Go(r.stop)
		both.Wait()
		if written != read {
			t.Fatalf("%d bytes were written, and %d read", written, read)
		}
	}
}

func TestBothEndsKnowWhichBytesWereReadAfterRecall(t *testing.T) {
	t.Parallel()
	for range 500 {
		w, r := newLane(rand.Uint32() & positionMask)
		content := make([]byte, pieceAtOnce)
		if _, err := w.write([][]byte{content}, 0); err != nil {
			t.Fatal(err)
		}
		var both sync.WaitGroup
		read, recalled := 0, 0
		both.Go(func() {
			b := make([]byte, 100)
			for {
				n, err := r.read(b)
				read += n
				if err != nil || read == len(content) {
					return
				}
			}
		})
		both.Go(func() { recalled = w.recall() })
		both.Wait()
		if read+recalled != len(content) {
			t.Fatalf("%d bytes were read and %d recalled, of %d", read, recalled, len(content))
		}
	}
}

func TestWhatCannotBeIsAViolation(t *testing.T) {
	t.Parallel()
	for name, does := range map[string]func(w *writer, r *reader) error{
		"more than the ring holds": func(w *writer, r *reader) error {
			r.lane.tail.Store(ringSize + 1)
			_, err := r.read(make([]byte, 1))
			return err
		},
		"less than before": func(w *writer, r *reader) error {
			r.lane.tail.Store(100)
			r.read(make([]byte, 1))
			r.lane.tail.Store(99)
			_, err := r.read(make([]byte, 1))
			return err
		},
		"an end that this end has not set": func(w *writer, r *reader) error {
			r.lane.tail.Store(10 | endBit)
			_, err := r.read(make([]byte, 1))
			return err
		},
		"another position of the reader": func(w *writer, r *reader) error {
			r.lane.tail.Store(10)
			r.lane.head.Store(5)
			_, err := r.read(make([]byte, 1))
			return err
		},
		"read more than was written": func(w *writer, r *reader) error {
			w.lane.head.Store(1)
			_, err := w.write([][]byte{{1}}, 0)
			return err
		},
		"read less than before": func(w *writer, r *reader) error {
			w.write([][]byte{make([]byte, 100)}, 0)
			w.lane.head.Store(50)
			w.room()
			w.lane.head.Store(49)
			_, err := w.write([][]byte{{1}}, 0)
			return err
		},
		"a recall that this end has not made": func(w *writer, r *reader) error {
			w.lane.head.Store(endBit)
			_, err := w.write([][]byte{{1}}, 0)
			return err
		},
		"another position of the writer": func(w *writer, r *reader) error {
			w.lane.tail.Store(5)
			_, err := w.write([][]byte{{1}}, 0)
			return err
		},
	} {
		if err := does(newLane(0)); !errors.Is(err, ErrViolation) {
			t.Errorf("%s: got the error %v", name, err)
		}
	}
}
