package runtime_test

import (
	"errors"
	"fmt"
	"io/fs"
	"log"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	udsgrpcv1 "github.com/udsgrpc/udsgrpc/proto/udsgrpc/v1"
	"github.com/udsgrpc/udsgrpc/runtime"
	"github.com/udsgrpc/udsgrpc/runtime/internal/filewalk"
	"github.com/udsgrpc/udsgrpc/runtime/internal/fixture"
	filetestv1 "github.com/udsgrpc/udsgrpc/runtime/internal/fixture/gen/filetest/v1"
)

func createFile(t *testing.T) *os.File {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "file"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func isOpen(f *os.File) bool {
	_, err := f.Stat()
	return err == nil
}

func TestSharedFileIsSentAsOftenAsOneLikesAndStaysOpen(t *testing.T) {
	t.Parallel()
	f := createFile(t)
	file := runtime.ShareFile(f)
	message := &filetestv1.Shapes{File: file, Files: []*udsgrpcv1.File{file}}
	for range 2 {
		files, err := filewalk.ForSending(message)
		if err != nil {
			t.Fatal(err)
		}
		if ids := files.IDs(); len(ids) != 2 || ids[0] != file.GetId() || ids[1] != file.GetId() {
			t.Errorf("got the ids %d, want %d twice", ids, file.GetId())
		}
		files.Done()
	}
	if err := file.Close(); err != nil || !isOpen(f) {
		t.Errorf("after Close: error %v, the file is open: %t", err, isOpen(f))
	}
}

func TestSharedFileIsSentByManyCallsAtOnce(t *testing.T) {
	t.Parallel()
	message := &filetestv1.Nested{File: runtime.ShareFile(createFile(t))}
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			files, err := filewalk.ForSending(message)
			if err != nil {
				t.Error(err)
				return
			}
			defer files.Done()
			encoded, err := proto.Marshal(message)
			decoded := new(filetestv1.Nested)
			if err := errors.Join(err, proto.Unmarshal(encoded, decoded)); err != nil || decoded.GetFile().GetId() != files.IDs()[0] {
				t.Errorf("error %v, the message has the id %d, and its file %d", err, decoded.GetFile().GetId(), files.IDs()[0])
			}
		})
	}
	all.Wait()
}

func TestGivenFileIsSentOnceAndClosed(t *testing.T) {
	t.Parallel()
	f := createFile(t)
	message := &filetestv1.Nested{File: runtime.GiveFile(f)}
	files, err := filewalk.ForSending(message)
	if err != nil || !isOpen(f) {
		t.Fatalf("while it is sent: error %v, the file is open: %t", err, isOpen(f))
	}
	files.Done()
	if isOpen(f) {
		t.Error("after it was sent the file is open")
	}
	if _, err := filewalk.ForSending(message); status.Code(err) != codes.InvalidArgument {
		t.Errorf("sent again: got the error %v", err)
	}
}

func TestGivenFileThatIsNotSentCanBeClosed(t *testing.T) {
	t.Parallel()
	f := createFile(t)
	if err := runtime.GiveFile(f).Close(); err != nil || isOpen(f) {
		t.Errorf("error %v, the file is open: %t", err, isOpen(f))
	}
}

func TestFilesOfOneMessageHaveDifferentIDs(t *testing.T) {
	t.Parallel()
	f := createFile(t)
	if a, b := runtime.ShareFile(f), runtime.ShareFile(f); a.GetId() == b.GetId() || proto.Equal(a, b) {
		t.Errorf("got %v and %v", a, b)
	}
}

func TestNoFileHoldsNone(t *testing.T) {
	t.Parallel()
	const want = "filetest.v1.Nested.file cannot be sent: it holds no open file: ShareFile or GiveFile was called with no open file: nil, or an empty os.File"
	for _, file := range []*udsgrpcv1.File{
		runtime.ShareFile(nil), runtime.GiveFile(nil), runtime.ShareFile(&os.File{}), runtime.GiveFile(&os.File{}),
	} {
		_, err := filewalk.ForSending(&filetestv1.Nested{File: file})
		if status.Convert(err).Message() != want {
			t.Errorf("got the error %v, want %q", err, want)
		}
		filewalk.Discard(&filetestv1.Nested{File: file})
		if f, err := file.Take(); f != nil || err == nil {
			t.Errorf("Take: got %v, %v", f, err)
		}
		if err := file.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestNumberOfFilesPerMessage(t *testing.T) {
	t.Parallel()
	if n, err := runtime.MaxFilesOf(); n != 16 || err != nil {
		t.Errorf("a server's default: got %d and the error %v", n, err)
	}
	if n, err := runtime.DialMaxFilesOf(); n != 16 || err != nil {
		t.Errorf("a client's default: got %d and the error %v", n, err)
	}
	for _, n := range []int{0, 1, 253} {
		if got, err := runtime.MaxFilesOf(runtime.MaxFiles(n)); got != n || err != nil {
			t.Errorf("MaxFiles(%d): got %d and the error %v", n, got, err)
		}
		if got, err := runtime.DialMaxFilesOf(runtime.WithMaxFiles(n)); got != n || err != nil {
			t.Errorf("WithMaxFiles(%d): got %d and the error %v", n, got, err)
		}
	}
}

func TestImpossibleNumberOfFilesIsAnError(t *testing.T) {
	t.Parallel()
	for _, n := range []int{-1, 254} {
		want := fmt.Sprintf("maximum of %d open files in a message: give a number from 0 to 253", n)
		srv, err := runtime.NewServer(fixture.FreePath(t), runtime.MaxFiles(n))
		if srv != nil || !errors.Is(err, fs.ErrInvalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("NewServer: got the error %v, want %q", err, want)
		}
		conn, err := runtime.Dial(fixture.FreePath(t), runtime.WithMaxFiles(n))
		if conn != nil || !errors.Is(err, fs.ErrInvalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("Dial: got the error %v, want %q", err, want)
		}
	}
}

// A file goes to a server in a field of the request, whose type in the .proto file is udsgrpc.v1.File.
func ExampleShareFile() {
	hosts, err := os.Open("/dev/null")
	if err != nil {
		log.Fatal(err)
	}
	defer hosts.Close() // after the call; the server has a descriptor of its own

	request := &filetestv1.Nested{Text: "no hosts", File: runtime.ShareFile(hosts)}
	fmt.Println(request.GetText())
	// Output: no hosts
}

// The writing end of a pipe goes to a server, and the runtime closes it here. So the reader sees the end of
// the log as soon as the server closes its own.
func ExampleGiveFile() {
	reader, writer, err := os.Pipe()
	if err != nil {
		log.Fatal(err)
	}
	defer reader.Close()

	request := &filetestv1.Nested{Text: "the log", File: runtime.GiveFile(writer)}
	defer request.GetFile().Close() // in case that the request is never sent
	fmt.Println(request.GetText())
	// Output: the log
}
