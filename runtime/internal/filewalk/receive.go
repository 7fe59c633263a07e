package filewalk

import (
	"errors"
	"os"
	"slices"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/udsgrpc/udsgrpc/internal/openfile"
)

// An Arrival is the files that came with one message and are not in its fields yet. It owns their
// descriptors. It is for one goroutine.
type Arrival struct {
	Files  []Arrived        // in the sender's order
	Intake *openfile.Intake // where they have been counted as arrived; may be nil
}

// Arrived is one file.
type Arrived struct {
	ID         uint64 // as the sender gave it; others may have the same
	Descriptor int
}

// Receive puts the files into the fields of the message they came with, which was decoded and not yet
// shown to the program. Files that the message has no field for, because the sender knows of more fields
// or has made up ids, are closed. Afterwards the Arrival is empty.
//
// A field gets the first file of its id that no field before it has got. So fields that share a file, and
// then have one id, get a descriptor each.
func (a *Arrival) Receive(message any) {
	if p, m := planOf(message); p != nil && len(a.Files) > 0 {
		w := &walker{}
		w.visit = func(file protoreflect.Message) error { return a.fill(w, p, file) }
		w.walk(p, m) // errFilled is no failure
	}
	a.Close()
}

// Close closes the files that are not in a field: all of them, if the message was not decoded.
func (a *Arrival) Close() {
	for _, file := range a.Files {
		openfile.CloseDescriptor(file.Descriptor)
	}
	a.Intake.Dropped(len(a.Files))
	a.Files = nil
}

// errFilled ends a walk when there are no more files.
var errFilled = errors.New("all files are in fields")

func (a *Arrival) fill(w *walker, p *plan, file protoreflect.Message) error {
	slot := slotIn(file)
	if slot == nil {
		return nil
	}
	id := idOf(file)
	at := slices.IndexFunc(a.Files, func(f Arrived) bool { return f.ID == id })
	if at < 0 {
		return nil
	}
	f := os.NewFile(uintptr(a.Files[at].Descriptor), w.fieldName(p.desc))
	openfile.Put(slot, openfile.Receive(f, a.Intake))
	if a.Files = slices.Delete(a.Files, at, at+1); len(a.Files) == 0 {
		return errFilled
	}
	return nil
}
