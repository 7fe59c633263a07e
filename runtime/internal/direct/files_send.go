package direct

import (
	"errors"
	"syscall"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/udsgrpc/udsgrpc/runtime/internal/filewalk"
)

var (
	errTakesNoFiles = status.Error(codes.FailedPrecondition, "the other end takes no open files: nothing was sent")

	// errInFlight is for ETOOMANYREFS: the kernel bounds how many descriptors a user may have sent that nobody
	// has received, by RLIMIT_NOFILE; see unix(7).
	errInFlight = status.Error(codes.ResourceExhausted, "too many open files of this user are on their way, sent and not received yet: nothing was sent")
)

// writeWith is write for a write that takes open files with it, unless files is nil.
func (c *conn) writeWith(files *filewalk.Files, wait, whole bool) (n int, all bool, err error) {
	if files == nil {
		return c.write(wait, whole)
	}
	err = files.Descriptors(func(fds []int) (err error) {
		c.passing = rights(fds)
		n, all, err = c.write(wait, whole)
		return err
	})
	return n, all, err
}

// refusalOf returns the status of a call whose open files cannot be sent, if that is the reason for which a
// write of n bytes has failed; else nil. The connection is as it was then, and the server waits.
func refusalOf(files *filewalk.Files, n int, err error) error {
	if files == nil || n > 0 || err == nil {
		return nil
	}
	if isStatus(err) {
		return err
	}
	var errno syscall.Errno
	if !errors.As(err, &errno) {
		return nil
	}
	switch errno {
	case syscall.EPIPE, syscall.ECONNRESET, syscall.ENOTCONN, syscall.EBADF:
		return nil // it is the connection
	case syscall.ETOOMANYREFS:
		return errInFlight
	case syscall.ENOMEM, syscall.ENOBUFS:
		return status.Errorf(codes.ResourceExhausted, "the open files of the message cannot be sent: %v: nothing was sent", errno)
	default:
		return status.Errorf(codes.InvalidArgument, "the open files of the message cannot be sent: %v: the kernel does not let every kind of file, such as an io_uring, go to another process: nothing was sent", errno)
	}
}
