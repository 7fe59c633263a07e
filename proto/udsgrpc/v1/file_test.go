package udsgrpcv1_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"sync"
	"sync/atomic"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"

	"github.com/udsgrpc/udsgrpc/internal/openfile"
	udsgrpcv1 "github.com/udsgrpc/udsgrpc/proto/udsgrpc/v1"
)

const (
	noFile   = "no open file came with this message"
	wasTaken = "the open file was taken or closed before"
)

func open(t *testing.T) *os.File {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "file"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// hold returns a message that holds h, as the runtime makes it.
func hold(h *openfile.Holder) *udsgrpcv1.File {
	message := &udsgrpcv1.File{Id: 7}
	openfile.Put(openfile.In(message), h)
	return message
}

func isOpen(f *os.File) bool {
	_, err := f.Stat()
	return err == nil
}

func TestStructHasTheFieldThatHoldsTheFile(t *testing.T) {
	t.Parallel()
	field, ok := reflect.TypeFor[udsgrpcv1.File]().FieldByName("openFile")
	if !ok || !field.Anonymous || field.IsExported() || field.Type != reflect.TypeFor[openfile.Slot]() {
		t.Errorf("got the field %+v (%t): run 'make generate'", field, ok)
	}
}

// What programs see of a message is what protoc-gen-go generates, Take and Close.
func TestFileExportsNothingMore(t *testing.T) {
	t.Parallel()
	want := map[string]bool{"Descriptor": true, "GetId": true, "ProtoMessage": true, "ProtoReflect": true, "Reset": true,
		"String": true, "Take": true, "Close": true}
	methods := reflect.TypeFor[*udsgrpcv1.File]()
	for method := range methods.Methods() {
		if name := method.Name; !want[name] {
			t.Errorf("there is a method %s", name)
		}
	}
	for _, field := range reflect.VisibleFields(reflect.TypeFor[udsgrpcv1.File]()) {
		if field.IsExported() && field.Name != "Id" {
			t.Errorf("there is a field %s", field.Name)
		}
	}
}

func TestTakeGivesTheFileOnce(t *testing.T) {
	t.Parallel()
	f := open(t)
	message := hold(openfile.Receive(f, nil))
	if got, err := message.Take(); got != f || err != nil {
		t.Fatalf("got %v and the error %v, want the file", got, err)
	}
	if got, err := message.Take(); got != nil || err == nil || err.Error() != wasTaken {
		t.Errorf("the second time: got %v and the error %v, want %q", got, err, wasTaken)
	}
	if err := message.Close(); err != nil || !isOpen(f) {
		t.Errorf("Close after Take: got the error %v, the file open: %t", err, isOpen(f))
	}
}

func TestCloseClosesWhatWasNotTaken(t *testing.T) {
	t.Parallel()
	f := open(t)
	message := hold(openfile.Receive(f, nil))
	for range 2 {
		if err := message.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if isOpen(f) {
		t.Error("the file is still open")
	}
	if _, err := message.Take(); err == nil || err.Error() != wasTaken {
		t.Errorf("Take after Close: got the error %v, want %q", err, wasTaken)
	}
}

func TestCloseReportsWhatClosingReports(t *testing.T) {
	t.Parallel()
	f := open(t)
	f.Close()
	if err := hold(openfile.Receive(f, nil)).Close(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("got the error %v, want %v", err, os.ErrClosed)
	}
}

func TestCloseOfWhatWasNotSent(t *testing.T) {
	t.Parallel()
	given, shared := open(t), open(t)
	for _, message := range []*udsgrpcv1.File{hold(openfile.Give(given)), hold(openfile.Share(shared))} {
		if got, err := message.Take(); got != nil || err == nil || err.Error() != noFile {
			t.Errorf("Take: got %v and the error %v, want %q", got, err, noFile)
		}
		if err := message.Close(); err != nil {
			t.Error(err)
		}
	}
	if isOpen(given) || !isOpen(shared) {
		t.Errorf("given away: open %t, shared: open %t", isOpen(given), isOpen(shared))
	}
}

func TestMessageWithoutFile(t *testing.T) {
	t.Parallel()
	for name, message := range map[string]*udsgrpcv1.File{"nil": nil, "empty": {}, "with an invented id": {Id: 3}} {
		if got, err := message.Take(); got != nil || err == nil || err.Error() != noFile {
			t.Errorf("%s: got %v and the error %v, want %q", name, got, err, noFile)
		}
		if err := message.Close(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestCopiesHoldNoFile(t *testing.T) {
	t.Parallel()
	decode := func(unmarshal func([]byte, proto.Message) error) func([]byte, error) *udsgrpcv1.File {
		return func(encoded []byte, err error) *udsgrpcv1.File {
			message := new(udsgrpcv1.File)
			if err := errors.Join(err, unmarshal(encoded, message)); err != nil {
				t.Error(err)
			}
			return message
		}
	}
	for name, makeCopy := range map[string]func(*udsgrpcv1.File) *udsgrpcv1.File{
		"clone":     proto.CloneOf[*udsgrpcv1.File],
		"merge":     func(m *udsgrpcv1.File) *udsgrpcv1.File { c := new(udsgrpcv1.File); proto.Merge(c, m); return c },
		"encoding":  func(m *udsgrpcv1.File) *udsgrpcv1.File { return decode(proto.Unmarshal)(proto.Marshal(m)) },
		"protojson": func(m *udsgrpcv1.File) *udsgrpcv1.File { return decode(protojson.Unmarshal)(protojson.Marshal(m)) },
		"prototext": func(m *udsgrpcv1.File) *udsgrpcv1.File { return decode(prototext.Unmarshal)(prototext.Marshal(m)) },
		"json": func(m *udsgrpcv1.File) *udsgrpcv1.File {
			c := new(udsgrpcv1.File)
			encoded, err := json.Marshal(m)
			if err := errors.Join(err, json.Unmarshal(encoded, c)); err != nil {
				t.Error(err)
			}
			return c
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := open(t)
			message := hold(openfile.Receive(f, nil))
			duplicate := makeCopy(message)
			if !proto.Equal(message, duplicate) {
				t.Errorf("got %v of %v", duplicate, message)
			}
			if _, err := duplicate.Take(); err == nil || err.Error() != noFile {
				t.Errorf("the copy: got the error %v, want %q", err, noFile)
			}
			if got, err := message.Take(); got != f || err != nil {
				t.Errorf("the message: got %v and the error %v, want the file", got, err)
			}
		})
	}
}

func TestMergeIntoAMessageLeavesItsFile(t *testing.T) {
	t.Parallel()
	f := open(t)
	message := hold(openfile.Receive(f, nil))
	proto.Merge(message, hold(openfile.Share(open(t))))
	if got, err := message.Take(); got != f || err != nil {
		t.Errorf("got %v and the error %v, want the file it had", got, err)
	}
}

// The file itself is closed by the garbage collector, or by the call that it came with.
func TestResetLetsGoOfTheFile(t *testing.T) {
	t.Parallel()
	for name, reset := range map[string]func(*udsgrpcv1.File){
		"Reset":       (*udsgrpcv1.File).Reset,
		"proto.Reset": func(m *udsgrpcv1.File) { proto.Reset(m) },
		"Unmarshal":   func(m *udsgrpcv1.File) { proto.Unmarshal(nil, m) },
	} {
		f := open(t)
		message := hold(openfile.Receive(f, nil))
		reset(message)
		if _, err := message.Take(); err == nil || err.Error() != noFile {
			t.Errorf("%s: got the error %v, want %q", name, err, noFile)
		}
		if message.GetId() != 0 || !isOpen(f) {
			t.Errorf("%s: left the id %d, the file open: %t", name, message.GetId(), isOpen(f))
		}
	}
}

func TestOneOfManyTakesTheFile(t *testing.T) {
	t.Parallel()
	for range 100 {
		message := hold(openfile.Receive(open(t), nil))
		var took atomic.Int32
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				if _, err := message.Take(); err == nil {
					took.Add(1)
				} else if err.Error() != wasTaken {
					t.Errorf("got the error %v, want %q", err, wasTaken)
				}
			})
		}
		all.Wait()
		if took.Load() != 1 {
			t.Fatalf("%d took the file, want one", took.Load())
		}
	}
}
