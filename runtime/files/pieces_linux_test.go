package files_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
	"google.golang.org/grpc/codes"

	"github.com/udsgrpc/udsgrpc/internal/testproc"
	udsgrpcv1 "github.com/udsgrpc/udsgrpc/proto/udsgrpc/v1"
	"github.com/udsgrpc/udsgrpc/runtime"
	"github.com/udsgrpc/udsgrpc/runtime/internal/direct/wire"
	"github.com/udsgrpc/udsgrpc/runtime/internal/fixture"
	filetestv1 "github.com/udsgrpc/udsgrpc/runtime/internal/fixture/gen/filetest/v1"
)

func fdOf(t testing.TB, f *os.File) (fd int) {
	t.Helper()
	raw, err := f.SyscallConn()
	if err == nil {
		err = raw.Control(func(n uintptr) { fd = int(n) })
	}
	if err != nil {
		t.Fatal(err)
	}
	return fd
}

// wantReply reads the answer of a unary call.
func (r *raw) wantReply(t testing.TB, text string) {
	t.Helper()
	k, b := r.next()
	if k != wire.KindMessage {
		s, _ := wire.ParseStatus(b)
		t.Fatalf("next is a frame of kind %q, %+v, want a message", k, s)
	}
	reply := &filetestv1.Shapes{}
	if err := unmarshal(b, reply); err != nil || reply.GetText() != text {
		t.Errorf("got %q, %v, want %q", reply.GetText(), err, text)
	}
	if s := r.wantStatus(); s.Code != 0 || s.Last {
		t.Errorf("got %+v", s)
	}
}

// A call in two pieces, cut anywhere. The descriptors go with any byte up to the frame that announces them.
func TestFilesArriveHoweverTheBytesDo(t *testing.T) {
	t.Parallel()
	path, _ := start(t, "serve")
	r, _ := dialRaw(t, path)
	a, b := newFile("a"), newFile("b")
	defer a.Close()
	defer b.Close()
	fds := []int{fdOf(t, a), fdOf(t, b)}
	m := &filetestv1.Shapes{Text: "read", Files: []*udsgrpcv1.File{{Id: 1}, {Id: 2}}}
	begin := call("/filetest.v1.Files/Swap")
	whole := concat(begin, files(1, 2), message(m), endFrame)
	for cut := 1; cut < len(whole); cut++ {
		r.send(whole[:cut], fds...)
		r.send(whole[cut:])
		r.wantReply(t, "a b")
	}
	for with := 1; with <= len(begin); with++ { // the last is the first byte of F
		r.send(whole[:with])
		r.send(whole[with:], fds...)
		r.wantReply(t, "a b")
	}
	for _, b := range whole[:len(begin)] { // byte by byte, with one descriptor each, in the end
		r.send([]byte{b})
	}
	// With the last byte before F, and the first of it: two batches, for one message.
	r.send(whole[len(begin):len(begin)+1], fds...)
	r.send(whole[len(begin)+1:])
	r.wantReply(t, "a b")
	r.send(whole[:1], fds[0])
	r.send(whole[1:], fds[1])
	r.wantReply(t, "a b")
}

func TestMessagesOfEverySizeHaveFiles(t *testing.T) {
	t.Parallel()
	path, _ := start(t, "serve")
	client := dial(t, path)
	for _, n := range []int{1, 100, 16<<10 - 100, 16 << 10, 64 << 10, 300 << 10, 1 << 20, 4<<20 - 200} {
		text := "return " + strings.Repeat("x", n)
		reply, err := client.Swap(t.Context(), &filetestv1.Shapes{Text: text, File: shared(t, "small"), Nested: &filetestv1.Nested{File: shared(t, "nested")}})
		if err != nil || reply.GetText() != text {
			t.Fatalf("%d bytes come to %d, %v", n, len(reply.GetText()), err)
		}
		check(t, reply, "small nested")
	}
	_, err := client.Swap(t.Context(), &filetestv1.Shapes{Text: strings.Repeat("x", 4<<20), File: shared(t, "small")})
	wantStatus(t, err, codes.ResourceExhausted, "grpc: received message larger than max")
}

// Messages with files come in order among others: small ones that wait to be written together, and large ones that
// the kernel has no room for.
func TestMessagesWithFilesKeepTheirPlace(t *testing.T) {
	t.Parallel()
	path, _ := start(t, "serve")
	stream, err := dial(t, path).Collect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	large := strings.Repeat("y", 100<<10)
	var want strings.Builder
	for i := range 300 {
		m := &filetestv1.Shapes{Text: strconv.Itoa(i) + ","}
		var f *os.File
		if i%3 == 0 {
			f = newFile("f" + strconv.Itoa(i))
			m.File = runtime.ShareFile(f)
		}
		if i%10 == 0 {
			m.Text += large
		}
		if err := stream.Send(m); err != nil {
			t.Fatal(err)
		}
		fmt.Fprint(&want, m.GetText())
		if f != nil {
			fmt.Fprintf(&want, "f%d", i)
			f.Close()
		}
		if i < 299 {
			want.WriteByte(' ')
		}
	}
	reply, err := stream.CloseAndRecv()
	if got := reply.GetText(); err != nil || got != want.String() {
		t.Errorf("the server got %d bytes, want %d, error %v", len(got), want.Len(), err)
	}
}

// A handler closes what it shares when Send has returned, although the client has not read yet what was sent before.
func TestFilesOfAStreamStayOpenUntilTheyAreSent(t *testing.T) {
	path, _ := start(t, "serve")
	client := dial(t, path)
	before := count(t, client)
	stream, err := client.Watch(t.Context(), &filetestv1.Plain{Text: "60 65536"})
	if err != nil {
		t.Fatal(err)
	}
	fixture.Eventually(t, "files to wait in the server", func() bool { return descriptors(t, client) > before.server+30 })
	for i := range 60 {
		if m, err := stream.Recv(); err != nil || len(m.GetText()) != 65536 {
			t.Fatalf("got %d bytes, %v", len(m.GetText()), err)
		}
		m, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		check(t, m, strconv.Itoa(i))
	}
	if _, err := stream.Recv(); err != io.EOF {
		t.Errorf("got %v at the end", err)
	}
	before.here++ // the stream had a second connection
	before.server++
	before.check("after the stream")
}

// The descriptor is what was sent: its offset and flags are common to both ends, and are left alone. Only child
// processes do not get it.
func TestFlagsAndOffsetAreUnchanged(t *testing.T) {
	t.Parallel()
	path, _ := start(t, "serve")
	client := dial(t, path)
	var blocking, nonblocking [2]int
	if err := errors.Join(unix.Pipe2(blocking[:], unix.O_CLOEXEC), unix.Pipe2(nonblocking[:], unix.O_CLOEXEC|unix.O_NONBLOCK)); err != nil {
		t.Fatal(err)
	}
	f := newFile("0123456789")
	if _, err := io.ReadFull(f, make([]byte, 3)); err != nil {
		t.Fatal(err)
	}
	sent := []*os.File{f}
	for _, fd := range []int{blocking[0], blocking[1], nonblocking[0], nonblocking[1]} {
		sent = append(sent, os.NewFile(uintptr(fd), "pipe"))
	}
	m := &filetestv1.Shapes{Text: "return"}
	var before []int
	for _, f := range sent {
		defer f.Close()
		before = append(before, flags(t, f, unix.F_GETFL))
		m.Files = append(m.Files, runtime.ShareFile(f))
	}
	reply, err := client.Swap(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	for i, file := range reply.GetFiles() {
		got, err := file.Take()
		if err != nil {
			t.Fatal(err)
		}
		defer got.Close()
		if at, want := flags(t, got, unix.F_GETFL), before[i]; at != want || flags(t, sent[i], unix.F_GETFL) != want {
			t.Errorf("file %d: the flags are %#x, want %#x", i, at, want)
		}
		if flags(t, got, unix.F_GETFD)&unix.FD_CLOEXEC == 0 {
			t.Errorf("file %d: child processes get it", i)
		}
		if open := testproc.Run(t, exec.Command("ls", "-l", "/proc/self/fd")); strings.Contains(open, linkOf(t, got)) {
			t.Errorf("file %d: a child process has it: %s", i, open)
		}
		if i == 0 {
			if at, err := got.Seek(0, io.SeekCurrent); err != nil || at != 3 {
				t.Errorf("the offset is %d, %v, want 3", at, err)
			}
		}
	}
}

func flags(t testing.TB, f *os.File, what int) int {
	t.Helper()
	n, err := unix.FcntlInt(uintptr(fdOf(t, f)), what, 0)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// linkOf returns what the kernel calls an open file.
func linkOf(t testing.TB, f *os.File) string {
	t.Helper()
	link, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", fdOf(t, f)))
	if err != nil {
		t.Fatal(err)
	}
	return link
}
