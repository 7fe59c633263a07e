package direct

import (
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/udsgrpc/udsgrpc/internal/openfile"
	"github.com/udsgrpc/udsgrpc/runtime/internal/direct/wire"
	"github.com/udsgrpc/udsgrpc/runtime/internal/filewalk"
)

const (
	// filesPerCall and filesPerUser are how many open files wait at most in a call, or in the calls of a user,
	// until somebody takes or closes them. Where one message can have more than filesPerCall, so can a call.
	filesPerCall = 64
	filesPerUser = 1024
)

var (
	errWithoutFiles  = status.Error(codes.FailedPrecondition, "the call came without its open files: something between client and server, such as socat, passes on bytes only")
	errWithoutMemory = errors.New("the server offered shared memory, and it did not arrive: something between client and server passes on bytes only")
	errFilesLost     = status.Error(codes.ResourceExhausted, "open files were lost when they arrived: this process has no descriptors left, or a security module does not let it have them")
	errTooManyFiles  = wire.Violation("more open files than the frame before the message announces")
	errUnannounced   = wire.Violation("open files that no message has")
	errNotTheMessage = wire.Violation("no message after a frame that announces one with open files")
)

// incoming is the open files that arrive on a connection, from the moment when the kernel has handed over
// their descriptors to when they belong to a message. A nil one is that of a connection on which none can
// arrive.
//
// The kernel returns them with bytes, but not with exactly those they were sent with. So they are queued, and
// each message takes as many from the queue as the frame before it announces.
type incoming struct {
	pool *wire.Buffers
	most int             // per message
	user *openfile.Quota // of whoever sends them
	keep bool            // a server's: what a call has not taken is closed with it
	// ringOnly means that no message has any: only the descriptor of rings can arrive.
	ringOnly bool
	// awaitsRing means that the descriptor of rings can arrive. It is changed by the reading goroutine.
	awaitsRing bool
	// refused means that the other end may not send any. The kernel closes them, and the frames that announce
	// them are skipped: the call is refused, or its message has no field for them.
	refused bool

	// Used by the reading goroutine, in read:
	tryRead func(fd uintptr) bool
	into    []byte
	readN   int
	readErr error

	// some means that there may be something in the fields below. It is set with mu held. Mostly there is nothing,
	// and the lock need not be taken.
	some atomic.Bool

	mu      sync.Mutex // guards what follows
	intake  *openfile.Intake
	queue   []batch
	pending *arrival // of the message whose header was read last; nil if it has none
	flood   bool     // the queue became too long
	closed  bool
}

// batch is what arrived at once.
type batch struct {
	fds []int
	err error // why they were closed; nil if they were not
}

// receives reports whether descriptors are received with bytes.
func (f *incoming) receives() bool { return f != nil && !f.refused && (!f.ringOnly || f.awaitsRing) }

// arrive takes ownership of descriptors. They are incomplete if the kernel could not hand over all.
func (f *incoming) arrive(fds []int, truncated bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.some.Store(true)
	if f.flood = f.flood || len(f.queue) >= wire.MaxFiles; f.flood || f.closed {
		closeDescriptors(fds)
		return
	}
	b := batch{fds: fds}
	if truncated {
		b.err = errFilesLost
	} else if !f.current().Arrived(len(fds)) && (f.keep || !f.arrivedSince(len(fds))) {
		b.err = f.tooMany()
	}
	if f.closed && b.err == nil { // in the meantime
		f.intake.Dropped(len(fds))
		closeDescriptors(fds)
		return
	}
	if b.err != nil {
		closeDescriptors(fds)
		b.fds = nil
	}
	f.queue = append(f.queue, b)
}

// current returns the intake of the running call. The caller holds mu.
func (f *incoming) current() *openfile.Intake {
	if f.intake == nil {
		quota := openfile.NewQuota(max(filesPerCall, f.most), f.user)
		if f.keep {
			f.intake = openfile.NewServerIntake(quota)
		} else {
			f.intake = openfile.NewClientIntake(quota)
		}
	}
	return f.intake
}

// arrivedSince counts n files in a client that seems to have too many. They may be in messages that the program
// has forgotten, and that the garbage collector has not found yet, because they need little memory. The
// caller holds mu, which is released while the collector runs: only the goroutine that reads waits for it.
func (f *incoming) arrivedSince(n int) bool {
	if f.user.Used()+n <= filesPerUser {
		return false // it is the call that has too many, and it is running
	}
	f.mu.Unlock()
	runtime.GC()
	f.mu.Lock()
	for range 50 { // while the files are closed, which another goroutine does
		if f.current().Arrived(n) {
			return true
		}
		f.mu.Unlock()
		time.Sleep(time.Millisecond)
		f.mu.Lock()
	}
	return false
}

func (f *incoming) tooMany() error {
	return status.Errorf(codes.ResourceExhausted, "too many open files that were not taken: a call can have %d of them, and a user %d", max(filesPerCall, f.most), filesPerUser)
}

// next looks at the frame whose header was read. If it announces open files, next finds them, and reads the
// header of the message.
func (f *incoming) next(c *conn, k wire.Kind, n int) (wire.Kind, int, error) {
	if k != wire.KindFiles && !f.some.Load() {
		return k, n, nil
	}
	rd := &c.rd
	switch k {
	case wire.KindFiles:
		if f.ringOnly {
			return k, n, nil
		}
		b, err := rd.Control(n)
		if err != nil {
			return 0, 0, err
		}
		ids, err := wire.ParseFiles(b)
		if err != nil {
			return 0, 0, err
		}
		c.collect(len(ids))
		if err := f.assign(ids); err != nil {
			return 0, 0, err
		}
		if k, n, err = rd.Next(); err != nil {
			err = wire.UnexpectedEOF(err)
		} else if k != wire.KindMessage {
			err = errNotTheMessage
		}
		if err != nil {
			f.take().close()
			return 0, 0, err
		}
	case wire.KindEnd, wire.KindStatus, wire.KindGoAway:
		if f.dropQueue() {
			return 0, 0, errUnannounced
		}
	}
	if f.flooded() {
		f.take().close()
		return 0, 0, errUnannounced
	}
	return k, n, nil
}

func (f *incoming) flooded() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.flood
}

// assign takes the files of a message with these ids from the queue. The error is that of a violation. If
// the files cannot be had for another reason, the connection is good for more, and the receiver of the
// message gets the error.
func (f *incoming) assign(ids []uint64) error {
	if f.refused {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.some.Store(true)
	a := &arrival{}
	a.Intake = f.intake
	for len(a.Files) < len(ids) && a.err == nil {
		if len(f.queue) == 0 {
			a.err = errWithoutFiles
			break
		}
		for _, fd := range f.queue[0].fds {
			a.Files = append(a.Files, filewalk.Arrived{Descriptor: fd})
		}
		a.err = f.queue[0].err
		f.queue = f.queue[1:]
	}
	if len(a.Files) > len(ids) {
		a.close()
		return errTooManyFiles
	}
	for i := range a.Files {
		a.Files[i].ID = ids[i]
	}
	if n := len(ids); n > f.most && a.err == nil {
		a.err = status.Errorf(codes.ResourceExhausted, "a message with %d open files, and %d is the limit", n, f.most)
	}
	if a.err != nil {
		a.Close()
	}
	f.pending.close() // of a message that was skipped
	f.pending = a
	return nil
}

// takeRing returns the descriptor of rings, which is the caller's. The error is that of a violation, or says why
// there is none.
func (f *incoming) takeRing() (fd int, err error) {
	f.awaitsRing = false
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.queue) == 0 {
		return -1, errWithoutMemory
	}
	b := f.queue[0]
	f.queue = f.queue[1:]
	f.intake.Dropped(len(b.fds))
	switch {
	case b.err != nil:
		return -1, b.err
	case len(b.fds) != 1:
		closeDescriptors(b.fds)
		return -1, errTooManyFiles
	}
	return b.fds[0], nil
}

// arrived reports how many descriptors wait in the queue.
func (f *incoming) arrived() (n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, b := range f.queue {
		n += len(b.fds)
		if b.err != nil {
			return wire.MaxFiles
		}
	}
	return n
}

// take returns what came with the message whose header was read last. It is the caller's, who delivers or
// closes it.
func (f *incoming) take() *arrival {
	if f == nil || !f.some.Load() {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	a := f.pending
	f.pending = nil
	return a
}

// dropQueue closes what no message has, and reports whether there was anything.
func (f *incoming) dropQueue() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	some := len(f.queue) > 0
	for _, b := range f.queue {
		closeDescriptors(b.fds)
		f.intake.Dropped(len(b.fds))
	}
	f.queue = nil
	return some
}

// endCall is called when a call is over, before the next.
func (f *incoming) endCall() {
	if f == nil || !f.some.Load() {
		return
	}
	f.take().close()
	f.dropQueue()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.intake.End()
	f.intake = nil
	f.some.Store(f.flood || len(f.queue) > 0)
}

// close is called when the connection was closed. What still arrives is closed at once.
func (f *incoming) close() {
	if f == nil {
		return
	}
	f.mu.Lock()
	f.closed = true
	f.mu.Unlock()
	f.endCall()
}

// arrival is what came with a message: its open files, or why they cannot be had. A nil one is nothing.
type arrival struct {
	filewalk.Arrival
	err       error
	forgotten runtime.Cleanup // see closeIfForgotten
}

// closeIfForgotten makes that the garbage collector closes the files of a message that waits for a program
// which may never receive it.
func (a *arrival) closeIfForgotten() {
	if a != nil && len(a.Files) > 0 {
		a.forgotten = runtime.AddCleanup(a, func(files filewalk.Arrival) { files.Close() }, a.Arrival)
	}
}

// deliver puts the files into the message, which was decoded.
func (a *arrival) deliver(m any) error {
	if a == nil {
		return nil
	}
	a.forgotten.Stop()
	if a.err != nil {
		return a.err
	}
	a.Receive(m)
	return nil
}

// close closes what was not delivered.
func (a *arrival) close() {
	if a != nil {
		a.forgotten.Stop()
		a.Close()
	}
}
