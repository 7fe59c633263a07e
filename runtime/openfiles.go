package runtime

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"

	"github.com/udsgrpc/udsgrpc/internal/openfile"
	udsgrpcv1 "github.com/udsgrpc/udsgrpc/proto/udsgrpc/v1"
	"github.com/udsgrpc/udsgrpc/runtime/internal/filewalk"
)

// SupportsFiles1 marks that this package carries open files in the fields of messages. Generated code of
// services that use udsgrpc.v1.File refers to it, as to [SupportsGenerated1].
const SupportsFiles1 = true

// ShareFile returns a value for a field of type udsgrpc.v1.File, with which the receiver of the message
// gets a descriptor of its own for the open file f. The file stays the caller's, who closes it as ever. It
// has to be open until the call returns, or Send of a stream; what becomes of it here afterwards does not
// matter to the receiver.
//
// The value may stand in several fields and messages, and be sent any number of times, also concurrently.
// Sending it fails with codes.InvalidArgument, in words that name the field, if the file is closed; nothing
// is sent then. The same goes for a nil or empty f, and for a copy of the value, or of the message that it is in: a
// copy holds no file. It also fails for a kind of file that the kernel does not pass on, such as an io_uring.
//
// Both processes have the same open file description then: offset, status flags such as O_NONBLOCK, and
// locks are common to them. Sending changes none of these.
//
// ShareFile does not block. Files go from process to process over the direct transport, on Linux; a call
// that would go over HTTP/2 fails with codes.FailedPrecondition.
func ShareFile(f *os.File) *udsgrpcv1.File {
	return newFile(openfile.Share(f))
}

// GiveFile is [ShareFile] for a file that this process does not need any more: from now on it belongs to
// the runtime, which closes it. The caller must neither use f again nor close it.
//
// It is closed when it was sent, and also if it could not be: for a unary call before that returns, for a
// stream as soon as the message cannot be sent again, at the latest with the call. So a process that gives
// away one end of a pipe sees the end of the other when the receiver closes its own. A file that is never
// sent is closed by the method Close of the value, or by the garbage collector.
//
// The value can be in one field of one message, which is sent once; after that, sending it fails with
// codes.InvalidArgument.
func GiveFile(f *os.File) *udsgrpcv1.File {
	return newFile(openfile.Give(f))
}

// newFile returns a message that holds h. Its id is never changed, since messages can be sent by several
// calls at once. It only has to tell the files of one message apart; where two happen to have the same,
// the order of the fields does.
func newFile(h *openfile.Holder) *udsgrpcv1.File {
	file := &udsgrpcv1.File{Id: rand.Uint64()}
	openfile.Put(openfile.In(file), h)
	return file
}

// MaxFiles sets how many open files a message to the server can have: from 0 to 253, which is what the
// kernel passes on at once; other numbers are an error of NewServer. The default is 16. A message with more
// ends its call with codes.ResourceExhausted, and all its files are closed.
func MaxFiles(n int) ServerOption {
	return func(c *serverConfig) { c.err = errors.Join(c.err, c.maxFiles.set(n)) }
}

// WithMaxFiles sets how many open files a message from the server can have, as [MaxFiles] does for those to
// a server: from 0 to 253, 16 by default. Other numbers are an error of Dial.
func WithMaxFiles(n int) DialOption {
	return func(c *dialConfig) { c.err = errors.Join(c.err, c.maxFiles.set(n)) }
}

// maxFiles is how many open files a message that is received can have.
type maxFiles struct {
	n     int
	given bool // otherwise the default applies
}

func (m *maxFiles) set(n int) error {
	if n < 0 || n > filewalk.MaxPerMessage {
		return fmt.Errorf("maximum of %d open files in a message: give a number from 0 to %d: %w", n, filewalk.MaxPerMessage, fs.ErrInvalid)
	}
	*m = maxFiles{n, true}
	return nil
}

func (m maxFiles) get() int {
	if !m.given {
		return 16
	}
	return m.n
}
