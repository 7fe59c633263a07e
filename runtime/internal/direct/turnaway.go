package direct

import (
	"errors"

	"github.com/udsgrpc/udsgrpc/runtime/internal/direct/wire"
)

// A server that ends tells the client of each connection on which no call runs that none will. So a call that is on
// its way is sent again to another server, even if the connection's goroutine gets no processor in time.

// connStage is what the client of a connection was told. It only moves forward.
type connStage int8

const (
	stageNew     connStage = iota // nothing
	stageWelcome                  // that it may call
	stageRefused                  // that no further call will be processed
)

var errTurnedAway = errors.New("direct transport: the client was turned away")

var goAwayFrame = wire.AppendFrameHeader(nil, wire.KindGoAway, 0)

// welcome writes the answer to the preface.
type welcome struct{ *serverConn }

func (w welcome) Write(answer []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.stage != stageNew {
		return 0, errTurnedAway
	}
	w.stage = stageWelcome
	return w.UnixConn.Write(answer) // which does not wait: there is room for the first
}

// refuse lets no more calls begin.
func (sc *serverConn) refuse() {
	sc.mu.Lock()
	defer sc.mu.Unlock()
	sc.refusing = true
}

// turnAway tells the client that its call, or the one that it may be about to make, is unprocessed, and will not be
// processed: not if a call has begun, and only once. It does not wait, as a client that reads has room for it.
func (sc *serverConn) turnAway() {
	sc.mu.Lock()
	defer sc.mu.Unlock()
	if sc.call != nil && !sc.call.progress.CompareAndSwap(progressReading, progressRefused) {
		return
	}
	last := goAwayFrame
	switch sc.stage {
	case stageNew: // it waits for an answer, and can use HTTP/2 after this one
		last = wire.Answer{Full: true}.Append(nil)
	case stageRefused:
		return
	}
	sc.stage = stageRefused
	sc.pieces = append(sc.pieces[:0], last)
	sc.write(false, true)
}
