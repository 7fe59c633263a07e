package ring

import (
	"errors"
	"syscall"
)

// Doorbell is the byte on the socket that wakes the other end. No frame of the direct transport begins with it.
const Doorbell = 0

const (
	// ringSize is how many bytes each direction holds. It is a power of two.
	ringSize = 64 << 10

	// headerSize is how much of the memory comes before the two rings. It is a page.
	headerSize = 4 << 10

	// Size is how large the memory is, in bytes.
	Size = headerSize + 2*ringSize
)

// Errors of Read, Write and Open. They are compared with errors.Is.
var (
	// ErrStopped says that the other end reads nothing more: it has called Stop or Shutdown. What an earlier Write
	// has taken is read there, and nothing of what this Write has not.
	ErrStopped error = stoppedError{}

	// ErrViolation says that the other end has put something into the memory that cannot be.
	ErrViolation = errors.New("the other end breaks the rules of the memory that both share")

	// ErrForeign says that a descriptor is not of memory that New of another process has made.
	ErrForeign = errors.New("not the memory of a ring")
)

// stoppedError is EPIPE, as a socket says it.
type stoppedError struct{}

func (stoppedError) Error() string        { return "the other end reads nothing more" }
func (stoppedError) Is(target error) bool { return target == syscall.EPIPE }

// End is one of the two ends of a connection.
type End uint8

const (
	Server End = iota // has made the memory
	Client            // has opened it
)

// Socket is the connection that the rings belong to. It stays the caller's, who closes it.
type Socket struct {
	// Raw waits for the socket, and writes doorbells to it. Its deadlines end a wait with their error.
	Raw syscall.RawConn

	// Receive reads at most one byte from the socket, like read(2), and does not wait: syscall.EAGAIN says that there
	// is none. It is called by one goroutine at a time. With nil, it is read(2). A connection that receives
	// descriptors together with doorbells sets it.
	Receive func(fd int, b []byte) (int, error)

	// LongWait is called, perhaps more than once, by a goroutine whose wait may become long: longer than it takes to
	// look in vain, which is less than a millisecond. nil is for nothing.
	LongWait func()
}
