package filewalk

import (
	"errors"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/udsgrpc/udsgrpc/internal/openfile"
)

// MaxPerMessage is how many open files a message can have: the kernel passes on no more at once.
const MaxPerMessage = 253

// Files are the open files that go with one message, in the order of its fields. They are for one
// goroutine at a time. A nil one has none.
type Files struct {
	message string // its full name
	ids     []uint64
	uses    []openfile.Use
	kept    []int // descriptors that are duplicates, -1 where the use owns the file; nil before Keep
}

// ForSending returns the files that go with a message, or nil if it has none; Done must be called in the
// end. The ids are those that the message has when it is encoded.
//
// The error, codes.InvalidArgument, names the field that holds no open file, or, with
// codes.ResourceExhausted, says that there are more than [MaxPerMessage]. What was given away with the
// message is closed then, as with Done.
func ForSending(message any) (*Files, error) {
	p, m := planOf(message)
	if p == nil {
		return nil, nil
	}
	files := &Files{message: string(p.desc.FullName())}
	w := &walker{visit: files.add}
	if err := w.walk(p, m); err != nil {
		files.Done()
		Discard(message)
		return nil, status.Errorf(codes.InvalidArgument, "%s cannot be sent: it holds no open file: %v", w.where(p.desc), err)
	}
	if n := len(files.uses); n > MaxPerMessage {
		files.Done()
		return nil, status.Errorf(codes.ResourceExhausted, "%s cannot be sent: it has %d open files, and a message can have %d: nothing was sent",
			files.message, n, MaxPerMessage)
	}
	if len(files.uses) == 0 {
		return nil, nil
	}
	return files, nil
}

func (f *Files) add(file protoreflect.Message) error {
	var holder *openfile.Holder
	if slot := slotIn(file); slot != nil {
		holder = openfile.Held(slot)
	}
	use, err := holder.Send()
	if err != nil {
		return err
	}
	f.ids = append(f.ids, idOf(file))
	f.uses = append(f.uses, use)
	return nil
}

// IDs returns the ids of the files, in the order of their descriptors. Several files can have the same.
func (f *Files) IDs() []uint64 {
	if f == nil {
		return nil
	}
	return f.ids
}

// Keep makes that the files can be sent after the program has closed those that it shares, for a message
// of a stream that may have to be sent again: until Done they are open. The error is
// codes.ResourceExhausted if there are no descriptors left for that, and codes.InvalidArgument if a file
// was closed in the meantime; only Done makes sense then.
func (f *Files) Keep() error {
	if f == nil || f.kept != nil {
		return nil
	}
	kept := make([]int, 0, len(f.uses))
	for i, use := range f.uses {
		if use.Owned() {
			kept = append(kept, -1)
			continue
		}
		duplicate, err := openfile.Duplicate(use.File)
		if err != nil {
			closeAll(kept)
			return f.failed(i, err)
		}
		kept = append(kept, duplicate)
	}
	f.kept = kept
	return nil
}

// Descriptors calls send with the descriptors of the files, which stay open until it returns, and returns
// its error. If a file was closed since [ForSending], that is codes.InvalidArgument, and send is not
// called.
func (f *Files) Descriptors(send func(fds []int) error) error {
	if f == nil {
		return send(nil)
	}
	return f.hold(make([]int, 0, len(f.uses)), send)
}

// hold adds descriptors to fds, one in each call of itself, as a file stays open during a call only.
func (f *Files) hold(fds []int, send func(fds []int) error) error {
	i := len(fds)
	if i == len(f.uses) {
		return send(fds)
	}
	if f.kept != nil && f.kept[i] >= 0 {
		return f.hold(append(fds, f.kept[i]), send)
	}
	var sent error
	if err := openfile.Control(f.uses[i].File, func(fd uintptr) {
		sent = f.hold(append(fds, int(fd)), send)
	}); err != nil {
		return f.failed(i, err)
	}
	return sent
}

// failed says that there is no descriptor of a file.
func (f *Files) failed(i int, err error) error {
	if errors.Is(err, openfile.ErrClosed) {
		return status.Errorf(codes.InvalidArgument, "%s cannot be sent: it holds no open file: file %d of %d: %v", f.message, i+1, len(f.uses), err)
	}
	return status.Errorf(codes.ResourceExhausted, "%s cannot be sent: file %d of %d cannot be kept open: %v: nothing was sent", f.message, i+1, len(f.uses), err)
}

// Done ends the sending, whatever came of it: files that were given away are closed, and so are
// duplicates. Calling it again does nothing.
func (f *Files) Done() {
	if f == nil {
		return
	}
	closeAll(f.kept)
	for _, use := range f.uses {
		use.Sent()
	}
	f.ids, f.uses, f.kept = nil, nil, nil
}

func closeAll(fds []int) {
	for _, fd := range fds {
		if fd >= 0 {
			openfile.CloseDescriptor(fd)
		}
	}
}

// Discard closes what was given away with a message that will not be sent. It is for a call that fails
// before [ForSending].
func Discard(message any) {
	p, m := planOf(message)
	if p == nil {
		return
	}
	w := &walker{visit: func(file protoreflect.Message) error {
		if slot := slotIn(file); slot != nil {
			openfile.Held(slot).Discard()
		}
		return nil
	}}
	w.walk(p, m)
}
