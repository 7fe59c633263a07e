package filewalk_test

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/udsgrpc/udsgrpc/internal/openfile"
	udsgrpcv1 "github.com/udsgrpc/udsgrpc/proto/udsgrpc/v1"
	"github.com/udsgrpc/udsgrpc/runtime/internal/filewalk"
	filetestv1 "github.com/udsgrpc/udsgrpc/runtime/internal/fixture/gen/filetest/v1"
)

func TestFilesGoInTheOrderOfTheFields(t *testing.T) {
	t.Parallel()
	f := open(t)
	message, want, _ := everywhere(func(id uint64) *udsgrpcv1.File { return hold(id, openfile.Share(f)) })
	files, err := filewalk.ForSending(message)
	if err != nil {
		t.Fatal(err)
	}
	defer files.Done()
	if got := files.IDs(); !slices.Equal(got, want) {
		t.Errorf("got the ids\n%d, want\n%d", got, want)
	}
}

func TestEachFieldMustHoldAFile(t *testing.T) {
	t.Parallel()
	f := open(t)
	good := func(id uint64) *udsgrpcv1.File { return hold(id, openfile.Share(f)) }
	_, ids, paths := everywhere(good)
	for i, bad := range ids {
		message, _, _ := everywhere(func(id uint64) *udsgrpcv1.File {
			if id == bad {
				return &udsgrpcv1.File{Id: id}
			}
			return good(id)
		})
		want := "filetest.v1.Shapes." + paths[i] + " cannot be sent: it holds no open file: it is a copy, or was not made by ShareFile or GiveFile"
		if _, err := filewalk.ForSending(message); status.Code(err) != codes.InvalidArgument || status.Convert(err).Message() != want {
			t.Errorf("got the error\n%v, want\n%s", err, want)
		}
	}
}

func TestMessageThatCannotBeSent(t *testing.T) {
	t.Parallel()
	const never = "it is a copy, or was not made by ShareFile or GiveFile"
	closed, live := open(t), open(t)
	closed.Close()
	taken := hold(1, openfile.Receive(live, nil))
	if _, err := taken.Take(); err != nil {
		t.Fatal(err)
	}
	shared := hold(1, openfile.Share(live))
	twice := hold(1, openfile.Give(open(t)))
	sentBefore := hold(1, openfile.Give(open(t)))
	files, err := filewalk.ForSending(sentBefore)
	if err != nil {
		t.Fatal(err)
	}
	files.Done()
	for name, test := range map[string]struct {
		message proto.Message
		want    string
	}{
		"an invented id":       {&filetestv1.Nested{File: &udsgrpcv1.File{Id: shared.GetId()}}, "filetest.v1.Nested.file cannot be sent: it holds no open file: " + never},
		"a copy":               {proto.CloneOf(&filetestv1.Nested{File: shared}), "filetest.v1.Nested.file cannot be sent: it holds no open file: " + never},
		"nil in a list":        {&filetestv1.Shapes{Files: []*udsgrpcv1.File{shared, nil}}, "filetest.v1.Shapes.files[1] cannot be sent: it holds no open file: " + never},
		"nil in a map":         {&filetestv1.Shapes{ByName: map[string]*udsgrpcv1.File{"a": nil}}, `filetest.v1.Shapes.by_name["a"] cannot be sent: it holds no open file: ` + never},
		"a File by itself":     {&udsgrpcv1.File{}, "udsgrpc.v1.File cannot be sent: it holds no open file: " + never},
		"a closed file":        {&filetestv1.Nested{File: hold(1, openfile.Share(closed))}, "filetest.v1.Nested.file cannot be sent: it holds no open file: the file is closed"},
		"a closed given file":  {&filetestv1.Nested{File: hold(1, openfile.Give(closed))}, "filetest.v1.Nested.file cannot be sent: it holds no open file: the file is closed"},
		"a file that is taken": {&filetestv1.Nested{File: taken}, "filetest.v1.Nested.file cannot be sent: it holds no open file: the file was taken"},
		"given away before":    {&filetestv1.Nested{File: sentBefore}, "filetest.v1.Nested.file cannot be sent: it holds no open file: it was given away before, and what GiveFile made is sent once"},
		"given away twice": {&filetestv1.Shapes{File: twice, Again: &filetestv1.Shapes{Files: []*udsgrpcv1.File{twice}}},
			"filetest.v1.Shapes.again.files[0] cannot be sent: it holds no open file: it was given away before, and what GiveFile made is sent once"},
	} {
		if files, err := filewalk.ForSending(test.message); files != nil || status.Code(err) != codes.InvalidArgument || status.Convert(err).Message() != test.want {
			t.Errorf("%s: got the error\n%v, want\n%s", name, err, test.want)
		}
	}
	if !isOpen(live) {
		t.Error("the shared file was closed")
	}
}

func TestWhatWasGivenAwayIsClosedAlsoIfItCannotBeSent(t *testing.T) {
	t.Parallel()
	first, last, shared := open(t), open(t), open(t)
	_, err := filewalk.ForSending(&filetestv1.Shapes{
		File:   hold(1, openfile.Give(first)),
		Files:  []*udsgrpcv1.File{hold(2, openfile.Share(shared)), {}},
		Nested: &filetestv1.Nested{File: hold(3, openfile.Give(last))},
	})
	if err == nil {
		t.Fatal("a message with an empty File can be sent")
	}
	if isOpen(first) || isOpen(last) || !isOpen(shared) {
		t.Errorf("open are: given before it %t, given after it %t, shared %t", isOpen(first), isOpen(last), isOpen(shared))
	}
}

func TestDiscardClosesWhatWasGivenAway(t *testing.T) {
	t.Parallel()
	given, shared, received, onItsWay := open(t), open(t), open(t), open(t)
	other := hold(4, openfile.Give(onItsWay))
	files, err := filewalk.ForSending(other)
	if err != nil {
		t.Fatal(err)
	}
	filewalk.Discard(&filetestv1.Shapes{Files: []*udsgrpcv1.File{
		hold(1, openfile.Give(given)), hold(2, openfile.Share(shared)), hold(3, openfile.Receive(received, nil)), other, nil, {},
	}})
	filewalk.Discard("no message")
	if isOpen(given) || !isOpen(shared) || !isOpen(received) || !isOpen(onItsWay) {
		t.Errorf("open are: given %t, shared %t, received %t, on its way %t", isOpen(given), isOpen(shared), isOpen(received), isOpen(onItsWay))
	}
	files.Done()
	if isOpen(onItsWay) {
		t.Error("what was on its way is open after Done")
	}
}

func TestMessageHasAtMostWhatTheKernelPassesOn(t *testing.T) {
	t.Parallel()
	f, given := open(t), open(t)
	shared := hold(1, openfile.Share(f))
	message := &filetestv1.Shapes{Files: slices.Repeat([]*udsgrpcv1.File{shared}, filewalk.MaxPerMessage)}
	files, err := filewalk.ForSending(message)
	if err != nil || len(files.IDs()) != 253 {
		t.Fatalf("253 files: got %d and the error %v", len(files.IDs()), err)
	}
	files.Done()
	message.Nested = &filetestv1.Nested{File: hold(2, openfile.Give(given))}
	const want = "filetest.v1.Shapes cannot be sent: it has 254 open files, and a message can have 253: nothing was sent"
	if _, err := filewalk.ForSending(message); status.Code(err) != codes.ResourceExhausted || status.Convert(err).Message() != want {
		t.Errorf("254 files: got the error %v, want %q", err, want)
	}
	if isOpen(given) {
		t.Error("what was given away is open")
	}
}

func TestDescriptorsAreThoseOfTheFiles(t *testing.T) {
	t.Parallel()
	shared, given := open(t), open(t)
	files, err := filewalk.ForSending(&filetestv1.Shapes{Files: []*udsgrpcv1.File{
		hold(1, openfile.Share(shared)), hold(2, openfile.Give(given)), hold(3, openfile.Share(shared)),
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer files.Done()
	failure := errors.New("the error of the function")
	var want []int
	for _, f := range []*os.File{shared, given, shared} {
		if err := openfile.Control(f, func(fd uintptr) { want = append(want, int(fd)) }); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 { // as often as the message is sent
		if err := files.Descriptors(func(fds []int) error {
			if !slices.Equal(fds, want) {
				t.Errorf("got the descriptors %d, want %d", fds, want)
			}
			return failure
		}); err != failure {
			t.Errorf("got the error %v, want %v", err, failure)
		}
	}
}

func TestFileThatIsClosedBeforeItIsSent(t *testing.T) {
	t.Parallel()
	f := open(t)
	files, err := filewalk.ForSending(&filetestv1.Shapes{Files: []*udsgrpcv1.File{hold(1, openfile.Share(open(t))), hold(2, openfile.Share(f))}})
	if err != nil {
		t.Fatal(err)
	}
	defer files.Done()
	f.Close()
	for name, use := range map[string]func() error{
		"send": func() error {
			return files.Descriptors(func([]int) error {
				t.Error("something is sent")
				return nil
			})
		},
		"keep": files.Keep,
	} {
		err := use()
		if status.Code(err) != codes.InvalidArgument ||
			!strings.HasPrefix(status.Convert(err).Message(), "filetest.v1.Shapes cannot be sent: it holds no open file: file 2 of 2: the file is closed") {
			t.Errorf("%s: got the error %v", name, err)
		}
	}
}

func TestMessageWithoutFilesNeedsNothing(t *testing.T) {
	t.Parallel()
	for _, message := range []any{&filetestv1.Shapes{Text: "text"}, &filetestv1.Plain{}, nil} {
		files, err := filewalk.ForSending(message)
		if files != nil || err != nil {
			t.Fatalf("%v: got %v and the error %v", message, files, err)
		}
		sent := false
		if err := errors.Join(files.Keep(), files.Descriptors(func(fds []int) error { sent = len(fds) == 0; return nil })); err != nil || !sent {
			t.Errorf("sent: %t, error %v", sent, err)
		}
		files.Done()
	}
}
