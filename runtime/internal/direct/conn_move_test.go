package direct

import (
	"runtime"
	"testing"
)

// While the reading goroutine answers a ring frame, a writer waits: it must not answer, too, and what it writes goes to
// the ring if this end has moved.
func TestWriterWaitsWhileTheReaderAnswersARingFrame(t *testing.T) {
	for name, tc := range map[string]struct {
		end   func(*outgoing) // of the answer
		moved bool
	}{
		"moved":    {func(o *outgoing) { o.Store(outMoved) }, true},
		"declined": {func(o *outgoing) { o.Store(outBusy); o.end(false, true) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			for range 100 {
				var o outgoing
				if !o.want() {
					t.Fatal("the reader does not answer, and nobody else writes")
				}
				begun := make(chan bool)
				go func() {
					_, moved := o.begin()
					begun <- moved
				}()
				for range 100 {
					runtime.Gosched()
					select {
					case <-begun:
						t.Fatal("the writer did not wait")
					default:
					}
				}
				tc.end(&o)
				if moved := <-begun; moved != tc.moved {
					t.Fatalf("that this end has moved is %v for the writer", moved)
				}
			}
		})
	}
}

// A ring frame that comes while a goroutine writes is answered by that one, between two frames.
func TestWriterAnswersARingFrameBetweenFrames(t *testing.T) {
	var o outgoing
	o.begin()
	if o.want() {
		t.Error("the reader answers in the middle of a write")
	}
	if o.end(true, false) {
		t.Error("the writer answers in the middle of a frame")
	}
	if before, moved := o.begin(); moved || before != outPartial|outWanted {
		t.Errorf("the next write finds the state %b", before)
	}
	if !o.end(false, false) {
		t.Error("the writer does not answer after the frame")
	}
	if o.end(false, true) {
		t.Error("the writer answers again, although there was no room")
	}
	if before, _ := o.begin(); before&outWanted == 0 {
		t.Error("the next write does not know that it has to answer")
	}
}
