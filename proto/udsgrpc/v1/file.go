package udsgrpcv1

import (
	"os"

	"github.com/udsgrpc/udsgrpc/internal/openfile"
)

// openFile is embedded in File, which internal/protoc-gen-go sees to. It promotes nothing that is exported.
type openFile = openfile.Slot

// Take returns the open file that came with the message. From then on it belongs to the caller, who closes
// it. A File that has been received holds one if the sender sent one; it can be taken once.
//
// What is not taken need not be closed: a server closes it when the call ends, that is when the handler
// has returned, and in a client the garbage collector does so when the message is not used any more.
// [File.Close] closes it at once.
//
// The file has the offset, the status flags and the locks of the sender's, since both are one open file
// description in the kernel: reading, seeking or setting O_NONBLOCK at one end does so at the other. Child
// processes do not get it unless the program passes it on. Its name, which is for error messages, is that
// of the field in which it came. Before mapping the memory of a file that comes from somebody else, make
// sure that it cannot shrink.
//
// The error says that no open file came with this message, or that it was taken or closed before. No file
// comes with a copy of a message, with one that was not received over udsgrpc's direct transport, or with
// one that this process has made itself with runtime.ShareFile or runtime.GiveFile.
//
// Take may be called on nil. Take and Close may be called concurrently, and then one of them has the file;
// as for all messages, changing the message at the same time, as with Reset, is not safe.
func (x *File) Take() (*os.File, error) {
	if x == nil {
		return nil, openfile.ErrNone
	}
	return openfile.Held(&x.openFile).Take()
}

// Close closes the open file that came with the message, unless it was taken. Closing again, or after
// Take, does nothing, so Close may be deferred before Take is called.
//
// Of a message that this process has made, it closes a file given to runtime.GiveFile that has not been
// sent, and leaves open one that was given to runtime.ShareFile; in either case the message cannot be sent
// any more. It waits for nothing. The error is that of closing the file.
//
// Close may be called on nil, and concurrently as Take may.
func (x *File) Close() error {
	if x == nil {
		return nil
	}
	return openfile.Held(&x.openFile).Close()
}
