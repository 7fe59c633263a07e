package openfile

import (
	"errors"
	"os"
	"runtime"
	"sync"
)

// What Take answers when there is nothing to take.
var (
	ErrNone  = errors.New("no open file came with this message")
	ErrTaken = errors.New("the open file was taken or closed before")
)

// What Send answers when there is nothing to send.
var (
	ErrClosed    = errors.New("the file is closed")
	errAbsent    = errors.New("ShareFile or GiveFile was called with no open file: nil, or an empty os.File")
	errNever     = errors.New("it is a copy, or was not made by ShareFile or GiveFile")
	errTaken     = errors.New("the file was taken")
	errGivenAway = errors.New("it was given away before, and what GiveFile made is sent once")
)

// A state says who owns the file of a [Holder], and what may be done with it. The arrows are functions of
// this file, and nothing else changes a state:
//
//	shared   -Close-> closed                 the program's: never closed here
//	given    -Send->  sending -Sent-> sent   the runtime's, to be sent once
//	given    -Discard-> sent
//	given    -Close-> closed
//	received -Take->  taken                  the runtime's until somebody takes it
//	received -Close-> closed
//
// A holder that is made of no file is absent, and stays that.
//
// Send leaves a shared and a received file as they are: both may be sent any number of times.
type state int

const (
	shared state = iota
	given
	sending // a call has it, and closes it
	sent
	received
	taken
	closed
	absent
)

// A Holder holds the open file of a message. A nil one is that of an empty slot. The methods may be called
// concurrently.
type Holder struct {
	file   *os.File
	intake *Intake         // that of a received file, nil if it is not counted
	forget runtime.Cleanup // counts a file out whose message was forgotten

	mu    sync.Mutex
	state state // guarded by mu
}

// Share returns a holder of a file that stays the program's.
func Share(f *os.File) *Holder { return hold(f, shared) }

// Give returns a holder of a file that is the runtime's from now on.
func Give(f *os.File) *Holder { return hold(f, given) }

func hold(f *os.File, s state) *Holder {
	if f == nil || *f == (os.File{}) { // most methods of an empty one panic
		return &Holder{state: absent}
	}
	return &Holder{file: f, state: s}
}

// Take returns the file that was received, which is the caller's from then on; otherwise [ErrNone] or
// [ErrTaken].
func (h *Holder) Take() (*os.File, error) {
	if h == nil {
		return nil, ErrNone
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	switch h.state {
	case received:
		h.state = taken
		h.leave()
		return h.file, nil
	case taken, closed:
		return nil, ErrTaken
	default:
		return nil, ErrNone
	}
}

// Close closes a file that was received or given away, and is still here. A file that a call sends is the
// call's to close, and a shared one the program's. Closing again does nothing.
func (h *Holder) Close() error {
	if h == nil {
		return nil
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	switch h.state {
	case shared:
		h.state = closed
		return nil
	case given:
		h.state = closed
		return h.file.Close()
	case received:
		h.state = closed
		h.leave()
		return h.file.Close()
	default:
		return nil
	}
}

// leave counts a received file out. h.mu is held.
func (h *Holder) leave() {
	h.forget.Stop()
	h.intake.leave(h)
}

// A Use is what one call, or one message of a stream, does with the file that it sends, from Send to Sent.
type Use struct {
	File   *os.File
	holder *Holder
	owned  bool // Sent closes the file
}

// Owned tells whether the file is the sender's to close, and so stays open until Sent.
func (u Use) Owned() bool { return u.owned }

// Send begins to send the file. An error says why there is none to be sent.
func (h *Holder) Send() (Use, error) {
	if h == nil {
		return Use{}, errNever
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	switch h.state {
	case absent:
		return Use{}, errAbsent
	case closed:
		return Use{}, ErrClosed
	case taken:
		return Use{}, errTaken
	case sending, sent:
		return Use{}, errGivenAway
	}
	if err := Control(h.file, func(uintptr) {}); err != nil {
		return Use{}, err
	}
	use := Use{File: h.file, holder: h}
	if h.state == given {
		h.state = sending
		use.owned = true
	}
	return use, nil
}

// Sent ends a use. It closes a file that was given away.
func (u Use) Sent() {
	if !u.owned {
		return
	}
	u.holder.mu.Lock()
	defer u.holder.mu.Unlock()
	if u.holder.state == sending {
		u.holder.state = sent
		u.File.Close() // the receiver has its own, and the sender has lost interest
	}
}

// Discard closes a file that was given away and will not be sent. Others stay as they are.
func (h *Holder) Discard() {
	if h == nil {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.state == given {
		h.state = sent
		h.file.Close()
	}
}

// Control calls f with the descriptor of a file, which stays open until f returns. Unlike Fd of a file, it
// never changes the file's mode to blocking. The error is [ErrClosed].
func Control(file *os.File, f func(fd uintptr)) error {
	conn, err := file.SyscallConn()
	if err == nil {
		err = conn.Control(f)
	}
	if err != nil {
		return ErrClosed
	}
	return nil
}
