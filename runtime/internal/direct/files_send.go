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
func (c *conn) writeWith(files *filewalk.Files, wait bool) (n int, all bool, err error) {
	if files == nil {
		return c.write(wait)
	}
	err = files.Descriptors(func(fds []int) (err error) {
		c.passing = rights(fds)
		n, all, err = c.write(wait)
		return err
	})
	return n, all, err
}

// refusalOf returns the status of a call whose open files cannot be sent, if that is the reason for which a
// write of n bytes has failed; else nil.
func refusalOf(files *filewalk.Files, n int, err error) error {
	switch {
	case files == nil || n > 0 || err == nil:
		return nil
	case errors.Is(err, syscall.ETOOMANYREFS):
		return errInFlight
	case isStatus(err):
		return err
	}
	return nil
}
