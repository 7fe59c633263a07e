package filewalk_test

import (
	"io"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/udsgrpc/udsgrpc/internal/openfile"
	udsgrpcv1 "github.com/udsgrpc/udsgrpc/proto/udsgrpc/v1"
	"github.com/udsgrpc/udsgrpc/runtime/internal/filewalk"
	"github.com/udsgrpc/udsgrpc/runtime/internal/fixture"
	filetestv1 "github.com/udsgrpc/udsgrpc/runtime/internal/fixture/gen/filetest/v1"
)

// pipe returns a pipe that is unlike any other open file of the process, so that its descriptors can be
// counted whatever else happens.
func pipe(t testing.TB) (r, w *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close(); w.Close() })
	return r, w
}

// descriptors counts the descriptors of this process for a pipe, both ends together.
func descriptors(t testing.TB, end *os.File) int {
	t.Helper()
	var link string
	if err := openfile.Control(end, func(fd uintptr) {
		link, _ = os.Readlink("/proc/self/fd/" + strconv.Itoa(int(fd)))
	}); err != nil || !strings.HasPrefix(link, "pipe:") {
		t.Fatalf("the pipe is %q, error %v", link, err)
	}
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, entry := range entries {
		if other, _ := os.Readlink("/proc/self/fd/" + entry.Name()); other == link {
			n++
		}
	}
	return n
}

// arrive returns what the transport has when n files came: descriptors that nothing else knows.
func arrive(t testing.TB, f *os.File, ids ...uint64) (files []filewalk.Arrived) {
	t.Helper()
	for _, id := range ids {
		fd, err := openfile.Duplicate(f)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, filewalk.Arrived{ID: id, Descriptor: fd})
	}
	return files
}

func TestWhatIsKeptCanBeSentAfterTheProgramHasClosedIt(t *testing.T) {
	t.Parallel()
	r, w := pipe(t)
	kept, err := filewalk.ForSending(&filetestv1.Shapes{Files: []*udsgrpcv1.File{hold(1, openfile.Share(w)), hold(2, openfile.Share(w))}})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time there is nothing left to do
		if err := kept.Keep(); err != nil {
			t.Fatal(err)
		}
	}
	w.Close()
	if n := descriptors(t, r); n != 3 {
		t.Errorf("the pipe has %d descriptors, want the reader and two that are kept", n)
	}
	if err := kept.Descriptors(func(fds []int) error {
		_, err := unix.Write(fds[1], []byte("kept"))
		return err
	}); err != nil {
		t.Error(err)
	}
	kept.Done()
	kept.Done()
	if n := descriptors(t, r); n != 1 {
		t.Fatalf("the pipe has %d descriptors, want the reader", n)
	}
	if got, err := io.ReadAll(r); string(got) != "kept" || err != nil {
		t.Errorf("read %q, error %v", got, err)
	}
}

func TestWhatWasGivenAwayNeedsNoDuplicate(t *testing.T) {
	t.Parallel()
	r, w := pipe(t)
	files, err := filewalk.ForSending(&filetestv1.Nested{File: hold(1, openfile.Give(w))})
	if err != nil {
		t.Fatal(err)
	}
	if err := files.Keep(); err != nil {
		t.Fatal(err)
	}
	if n := descriptors(t, r); n != 2 {
		t.Errorf("the pipe has %d descriptors, want its two ends", n)
	}
	files.Done()
	if n := descriptors(t, r); n != 1 {
		t.Errorf("the pipe has %d descriptors, want the reader", n)
	}
}

func TestFilesComeIntoTheFieldsTheyWereSentIn(t *testing.T) {
	t.Parallel()
	r, w := pipe(t)
	number := make(map[uint64]*os.File) // a file of its own for each id
	message, ids, _ := everywhere(func(id uint64) *udsgrpcv1.File {
		f := open(t)
		f.WriteString(strconv.FormatUint(id, 10))
		number[id] = f
		return hold(id, openfile.Share(f))
	})
	encoded, err := proto.Marshal(message)
	if err != nil {
		t.Fatal(err)
	}
	received := new(filetestv1.Shapes)
	if err := proto.Unmarshal(encoded, received); err != nil {
		t.Fatal(err)
	}
	arrival := filewalk.Arrival{Files: arrive(t, w, 5, 6)} // for fields that the receiver does not know
	for _, id := range ids {
		arrival.Files = append(arrival.Files, arrive(t, number[id], id)...)
	}
	arrival.Receive(received)
	if n := descriptors(t, r); n != 2 {
		t.Errorf("the pipe has %d descriptors, want its two ends", n)
	}
	seen := 0
	want, _, _ := everywhere(newFile)
	if !proto.Equal(received, want) {
		t.Errorf("got %v", received)
	}
	for _, file := range allOf(received) {
		f, err := file.Take()
		if err != nil {
			t.Errorf("%d: %v", file.GetId(), err)
			continue
		}
		text := make([]byte, 10)
		n, _ := f.ReadAt(text, 0)
		if string(text[:n]) != strconv.FormatUint(file.GetId(), 10) {
			t.Errorf("field %d has the file %s", file.GetId(), text[:n])
		}
		f.Close()
		seen++
	}
	if seen != len(ids) {
		t.Errorf("%d fields have files, want %d", seen, len(ids))
	}
}

// allOf returns the Files of a message that was made by everywhere.
func allOf(m *filetestv1.Shapes) []*udsgrpcv1.File {
	files := append([]*udsgrpcv1.File{m.File, m.GetChosen(), m.Nested.File, m.List[1].File, m.Again.File, m.Again.GetChosenNested().GetFile(),
		m.Delimited.File, m.Ping.Pong.File, m.Ping.Pong.Ping.Pong.File}, m.Files...)
	for _, file := range m.ByName {
		files = append(files, file)
	}
	for _, nested := range m.ByNumber {
		if nested.File != nil {
			files = append(files, nested.File)
		}
	}
	for _, file := range m.ByFlag {
		files = append(files, file)
	}
	for _, file := range m.BySize {
		files = append(files, file)
	}
	return files
}

func TestReceivedFileIsNamedAfterItsField(t *testing.T) {
	t.Parallel()
	_, w := pipe(t)
	message := &filetestv1.Shapes{Nested: &filetestv1.Nested{File: &udsgrpcv1.File{Id: 1}}}
	alone := &udsgrpcv1.File{Id: 1}
	for _, test := range []struct {
		message proto.Message
		file    *udsgrpcv1.File
		want    string
	}{{message, message.Nested.File, "filetest.v1.Nested.file"}, {alone, alone, "udsgrpc.v1.File"}} {
		arrival := filewalk.Arrival{Files: arrive(t, w, 1)}
		arrival.Receive(test.message)
		f, err := test.file.Take()
		if err != nil {
			t.Fatal(err)
		}
		if f.Name() != test.want {
			t.Errorf("got the name %q, want %q", f.Name(), test.want)
		}
		f.Close()
	}
}

func TestFieldsThatShareAnIDGetADescriptorEach(t *testing.T) {
	t.Parallel()
	r, w := pipe(t)
	message := &filetestv1.Shapes{Files: []*udsgrpcv1.File{{Id: 7}, {Id: 7}, {Id: 8}, {Id: 7}}}
	arrival := filewalk.Arrival{Files: arrive(t, w, 7, 7)}
	arrival.Receive(message)
	if n := descriptors(t, r); n != 4 {
		t.Errorf("the pipe has %d descriptors, want its two ends and two", n)
	}
	for i, want := range []bool{true, true, false, false} {
		f, err := message.Files[i].Take()
		if got := err == nil; got != want {
			t.Errorf("field %d has a file: %t, want %t", i, got, want)
		}
		f.Close()
	}
}

func TestWhatHasNoFieldIsClosed(t *testing.T) {
	t.Parallel()
	r, w := pipe(t)
	quota := openfile.NewQuota(10, nil)
	for name, message := range map[string]any{
		"no such id":       &filetestv1.Nested{File: &udsgrpcv1.File{Id: 2}},
		"field not set":    &filetestv1.Nested{},
		"type without one": &filetestv1.Plain{},
		"no message":       "text",
		"nothing":          nil,
	} {
		intake := openfile.NewServerIntake(quota)
		arrival := filewalk.Arrival{Files: arrive(t, w, 1, 1, 3), Intake: intake}
		if !intake.Arrived(3) {
			t.Fatalf("%s: three are too many, %d count", name, quota.Used())
		}
		arrival.Receive(message)
		if n := descriptors(t, r); n != 2 || quota.Used() != 0 {
			t.Errorf("%s: the pipe has %d descriptors, want its two ends; %d count", name, n, quota.Used())
		}
	}
}

func TestServerHasNothingLeftWhenTheCallEnds(t *testing.T) {
	t.Parallel()
	r, w := pipe(t)
	quota := openfile.NewQuota(10, nil)
	intake := openfile.NewServerIntake(quota)
	intake.Arrived(2)
	message := &filetestv1.Shapes{Files: []*udsgrpcv1.File{{Id: 1}, {Id: 2}}}
	arrival := filewalk.Arrival{Files: arrive(t, w, 1, 2), Intake: intake}
	arrival.Receive(message)
	taken, err := message.Files[0].Take()
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	intake.End()
	if n := descriptors(t, r); n != 3 || quota.Used() != 0 {
		t.Errorf("the pipe has %d descriptors, want its two ends and what was taken; %d count", n, quota.Used())
	}
}

func TestGarbageCollectorClosesWhatAClientForgets(t *testing.T) {
	t.Parallel()
	r, w := pipe(t)
	arrival := filewalk.Arrival{Files: arrive(t, w, 1), Intake: openfile.NewClientIntake(openfile.NewQuota(1, nil))}
	arrival.Receive(&filetestv1.Nested{File: &udsgrpcv1.File{Id: 1}})
	for end := time.Now().Add(fixture.Guard); descriptors(t, r) != 2; runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatal("in spite of the garbage collector the file is open")
		}
		runtime.GC()
	}
}

func TestReceivedFileCanBePassedOn(t *testing.T) {
	t.Parallel()
	r, w := pipe(t)
	message := &filetestv1.Nested{File: &udsgrpcv1.File{Id: 1}}
	intake := openfile.NewServerIntake(nil)
	arrival := filewalk.Arrival{Files: arrive(t, w, 1), Intake: intake}
	arrival.Receive(message)
	w.Close()
	files, err := filewalk.ForSending(message)
	if err != nil {
		t.Fatal(err)
	}
	if err := files.Descriptors(func(fds []int) error {
		_, err := unix.Write(fds[0], []byte("passed on"))
		return err
	}); err != nil {
		t.Error(err)
	}
	files.Done()
	intake.End()
	if got, err := io.ReadAll(r); string(got) != "passed on" || err != nil {
		t.Errorf("read %q, error %v", got, err)
	}
}

func TestNoDescriptorIsLeftToKeepAFile(t *testing.T) {
	var before unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &before); err != nil {
		t.Fatal(err)
	}
	_, w := pipe(t)
	files, err := filewalk.ForSending(&filetestv1.Nested{File: hold(1, openfile.Share(w))})
	if err != nil {
		t.Fatal(err)
	}
	defer files.Done()
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 1, Max: before.Max}); err != nil {
		t.Fatal(err)
	}
	err = files.Keep()
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &before); err != nil {
		t.Fatal(err)
	}
	const want = "filetest.v1.Nested cannot be sent: file 1 of 1 cannot be kept open: fcntl: too many open files: nothing was sent"
	if status.Code(err) != codes.ResourceExhausted || status.Convert(err).Message() != want {
		t.Errorf("got the error %v, want %q", err, want)
	}
}
