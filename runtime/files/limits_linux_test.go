package files_test

import (
	"context"
	"fmt"
	"io"
	"os"
	goruntime "runtime"
	"runtime/debug"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
	"google.golang.org/grpc/codes"

	udsgrpcv1 "github.com/udsgrpc/udsgrpc/proto/udsgrpc/v1"
	"github.com/udsgrpc/udsgrpc/runtime"
	"github.com/udsgrpc/udsgrpc/runtime/internal/direct/wire"
	"github.com/udsgrpc/udsgrpc/runtime/internal/fixture"
	filetestv1 "github.com/udsgrpc/udsgrpc/runtime/internal/fixture/gen/filetest/v1"
)

// many returns a message with n files.
func many(text string, file *udsgrpcv1.File, n int) *filetestv1.Shapes {
	m := &filetestv1.Shapes{Text: text}
	for range n {
		m.Files = append(m.Files, file)
	}
	return m
}

func TestMessagesHaveAsManyFilesAsTheReceiverTakes(t *testing.T) {
	for _, c := range []struct {
		program   string
		opts      []runtime.DialOption
		send, get int
		code      codes.Code
		want      string
	}{
		{"serve", nil, 16, 16, codes.OK, ""},
		{"serve", nil, 17, 0, codes.ResourceExhausted, "a message with 17 open files, and 16 is the limit"},
		{"serve", nil, 0, 17, codes.ResourceExhausted, "a message with 17 open files, and the client takes 16: nothing was sent"},
		{"serve", []runtime.DialOption{runtime.WithMaxFiles(1)}, 0, 1, codes.OK, ""},
		{"serve", []runtime.DialOption{runtime.WithMaxFiles(1)}, 0, 2, codes.ResourceExhausted, "the client takes 1: nothing was sent"},
		{"serve", []runtime.DialOption{runtime.WithMaxFiles(0)}, 16, 0, codes.OK, ""},
		{"serve", []runtime.DialOption{runtime.WithMaxFiles(0)}, 0, 1, codes.FailedPrecondition, "the other end takes no open files: nothing was sent"},
		{"serve none", nil, 0, 16, codes.OK, ""},
		{"serve none", nil, 1, 0, codes.FailedPrecondition, "the other end takes no open files: nothing was sent"},
		{"serve 253", []runtime.DialOption{runtime.WithMaxFiles(253)}, 253, 253, codes.OK, ""},
		{"serve 253", nil, 254, 0, codes.ResourceExhausted, "filetest.v1.Shapes cannot be sent: it has 254 open files, and a message can have 253: nothing was sent"},
		{"serve 253", []runtime.DialOption{runtime.WithMaxFiles(253)}, 0, 254, codes.ResourceExhausted, "it has 254 open files, and a message can have 253: nothing was sent"},
	} {
		t.Run(fmt.Sprintf("%s %d %d", c.program, c.send, c.get), func(t *testing.T) {
			path, _ := start(t, c.program)
			client, conn, err := filetestv1.DialFilesUDS(path, c.opts...)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			before := count(t, client)
			f := newFile("x")
			m := many(fmt.Sprintf("give %d", c.get), runtime.ShareFile(f), c.send)
			reply, err := client.Swap(t.Context(), m)
			wantStatus(t, err, c.code, c.want)
			if n := len(reply.GetFiles()); err == nil && n != c.get {
				t.Errorf("%d files came, want %d", n, c.get)
			}
			for _, file := range reply.GetFiles() {
				file.Close()
			}
			f.Close()
			before.check("after the call")
			if n := conn.Stats().Connections.Direct; n != 1 {
				t.Errorf("there were %d connections: the first could have gone on", n)
			}
		})
	}
}

// A handler that takes no files gets so many, and no more.
func TestFilesThatAreNotTakenEndTheCallAtTheLimit(t *testing.T) {
	path, _ := start(t, "serve")
	client := dial(t, path)
	before := count(t, client)
	f := newFile("x")
	stream, err := client.Collect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	m := many("ignore", runtime.ShareFile(f), 16)
	for err == nil {
		err = stream.Send(m)
	}
	_, err = stream.CloseAndRecv()
	wantStatus(t, err, codes.ResourceExhausted, "too many open files that were not taken: a call can have 64 of them, and a user 1024")
	f.Close()
	before.check("after the stream")
}

// So does a peer that sends as many as the kernel passes on, in each message.
func TestEndlessStreamOfFilesEndsAtTheLimit(t *testing.T) {
	for _, program := range []string{"serve", "serve 253"} {
		path, _ := start(t, program)
		client := dial(t, path)
		before := count(t, client)
		r, _ := dialRaw(t, path)
		m := &filetestv1.Shapes{Text: "ignore"}
		ids := make([]uint64, wire.MaxFiles)
		for i := range ids {
			ids[i] = uint64(i)
			m.Files = append(m.Files, &udsgrpcv1.File{Id: ids[i]})
		}
		fds := make([]int, wire.MaxFiles) // all of them standard input
		r.send(call("/filetest.v1.Files/Collect"))
		var err error
		for err == nil {
			err = r.trySend(concat(files(ids...), message(m)), fds...)
			if n := descriptors(t, client); n > before.server+2*wire.MaxFiles+10 { // those of a message that is refused, for a moment
				t.Fatalf("the server has %d descriptors, and had %d", n, before.server)
			}
		}
		if s := r.wantStatus(); codes.Code(s.Code) != codes.ResourceExhausted {
			t.Errorf("got %v", s)
		}
		r.end()
		before.check(program)
	}
}

func TestUserHasALimitOfFilesInAllCalls(t *testing.T) {
	t.Parallel()
	path, _ := start(t, "serve")
	client := dial(t, path)
	m := many("wait", shared(t, "x"), 16)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	errs := make(chan error, 65)
	var calls sync.WaitGroup
	for range cap(errs) {
		calls.Go(func() {
			_, err := client.Swap(ctx, m)
			errs <- err
		})
	}
	select {
	case err := <-errs:
		wantStatus(t, err, codes.ResourceExhausted, "and a user 1024")
	case <-time.After(fixture.Guard):
		t.Fatal("all calls have got their files")
	}
	cancel()
	calls.Wait()
	fixture.Eventually(t, "room for files", func() bool {
		_, err := client.Swap(t.Context(), many("ignore", shared(t, "x"), 16))
		return err == nil
	})
}

// A client that forgets the files it gets is not held up by those that the garbage collector has not found yet.
func TestClientThatForgetsFilesGetsMore(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	path, _ := start(t, "serve")
	client := dial(t, path)
	for range 3 * 1024 / 16 {
		if _, err := client.Swap(t.Context(), &filetestv1.Shapes{Text: "give 16"}); err != nil {
			t.Fatal(err)
		}
	}
}

func TestFilesAreLostWhereTheReceiverHasNoDescriptors(t *testing.T) {
	t.Parallel()
	path, _ := start(t, "serve")
	client := dial(t, path)
	if _, err := client.Echo(t.Context(), &filetestv1.Plain{Text: "leave"}); err != nil {
		t.Fatal(err)
	}
	_, err := client.Swap(t.Context(), many("ignore", shared(t, "x"), 16))
	wantStatus(t, err, codes.ResourceExhausted, "this process has no descriptors left, or a security module does not let it have them")
	if _, err := client.Swap(t.Context(), many("ignore", shared(t, "x"), 2)); err != nil {
		t.Errorf("a few files come to %v", err)
	}
}

// A kind of file that the kernel passes on to nobody ends the call, and not the connection.
func TestFileThatTheKernelDoesNotPassOnIsNotSent(t *testing.T) {
	params := make([]byte, 120) // struct io_uring_params
	fd, _, errno := unix.Syscall(unix.SYS_IO_URING_SETUP, 8, uintptr(unsafe.Pointer(&params[0])), 0)
	if errno != 0 {
		t.Skipf("io_uring_setup: %v", errno)
	}
	ring := os.NewFile(fd, "io_uring")
	defer ring.Close()
	path, _ := start(t, "serve")
	client := dial(t, path)
	const want = "the open files of the message cannot be sent: invalid argument: the kernel does not let every kind of file"
	m := &filetestv1.Shapes{Text: "ignore", File: runtime.ShareFile(ring)}
	ctx, cancel := context.WithTimeout(t.Context(), fixture.Guard)
	defer cancel()
	_, err := client.Swap(ctx, m)
	wantStatus(t, err, codes.InvalidArgument, want)
	stream, err := client.Collect(ctx)
	if err != nil {
		t.Fatal(err)
	}
	stream.Send(m)
	_, err = stream.CloseAndRecv()
	wantStatus(t, err, codes.InvalidArgument, want)
	if _, err := client.Swap(ctx, many("ignore", shared(t, "x"), 1)); err != nil {
		t.Errorf("the next call comes to %v", err)
	}
}

// What a stream keeps for another try is bounded, and goes to the next server.
func TestStreamKeepsFewFilesForAnotherTry(t *testing.T) {
	for _, c := range []struct{ files, messages int }{{1, 64}, {16, 4}, {253, 2}} {
		t.Run(strconv.Itoa(c.files), func(t *testing.T) {
			l, path := listen(t)
			client := dial(t, path)
			sent := make(chan error, 1)
			m := many("", shared(t, "x"), c.files)
			goruntime.GC() // may close what earlier tests have forgotten
			before := fixture.OpenFiles(t)
			var sends atomic.Int64
			go func() {
				stream, err := client.Collect(t.Context())
				for range 100 {
					if err == nil {
						err = stream.Send(m)
					}
					sends.Add(1)
				}
				if err == nil {
					_, err = stream.CloseAndRecv()
				}
				sent <- err
			}()
			takes := wire.Answer{TakesFiles: true}
			r, _ := acceptRaw(t, l, takes)
			fixture.Eventually(t, "the stream to send", func() bool { return sends.Load() >= int64(c.messages) })
			most := c.files*(c.messages+1) + 10 // those of the Send that waits are kept already; and connections
			for range 100 {                     // in which time it might go on
				if n := sends.Load(); n > int64(c.messages) {
					t.Fatalf("%d messages were sent, want %d", n, c.messages)
				}
				if n := fixture.OpenFiles(t) - before; n > most {
					t.Fatalf("the stream keeps %d files, want at most %d", n, most)
				}
			}
			r.send(wire.AppendFrameHeader(nil, wire.KindGoAway, 0))
			r.wantClosed()
			r, _ = acceptRaw(t, l, takes)
			r.want(wire.KindCall)
			for range 100 { // now somebody reads
				ids, err := wire.ParseFiles(r.want(wire.KindFiles))
				r.want(wire.KindMessage)
				if err != nil || len(ids) != c.files || len(r.fds) < c.files {
					t.Fatalf("%d ids and %d descriptors came, %v", len(ids), len(r.fds), err)
				}
				for _, fd := range r.fds[:c.files] {
					unix.Close(fd)
				}
				r.fds = r.fds[c.files:]
			}
			r.want(wire.KindEnd)
			status := (&wire.Status{Last: true}).Append(nil)
			r.send(concat(message(&filetestv1.Plain{}), wire.AppendFrameHeader(nil, wire.KindStatus, len(status)), status))
			if err := <-sent; err != nil {
				t.Error(err)
			}
		})
	}
}

// A server that reads, and answers in the end only, does not hold up the stream.
func TestStreamGoesOnWhileTheServerReads(t *testing.T) {
	path, _ := start(t, "serve")
	client := dial(t, path)
	before := count(t, client)
	stream, err := client.Collect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	m := many("", shared(t, "x"), 1)
	for range 500 {
		if err := stream.Send(m); err != nil {
			t.Fatal(err)
		}
		if kept := fixture.OpenFiles(t) - before.here; kept > 140 { // 64 for another try, 64 that wait for room, and connections
			t.Fatalf("the stream has kept %d files open", kept)
		}
	}
	if reply, err := stream.CloseAndRecv(); err != nil || len(reply.GetText()) != 2*500-1 {
		t.Errorf("got %q, %v", reply.GetText(), err)
	}
}

// A client that does not read what a server sends cannot fill the server's table of descriptors.
func TestStreamThatNobodyReadsHoldsFewFiles(t *testing.T) {
	path, _ := start(t, "serve")
	client := dial(t, path)
	before := count(t, client)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	stream, err := client.Watch(ctx, &filetestv1.Plain{Text: "5000 1"})
	if err != nil {
		t.Fatal(err)
	}
	opened := func() int { return descriptors(t, client) - before.server }
	fixture.Eventually(t, "the server to have sent what it can", func() bool { return opened() >= 60 })
	for range 3000 { // in which time it might go on
		if n := opened(); n > 100 {
			t.Fatalf("the server has opened %d files for it", n)
		}
	}
	for files := 0; files < 5000; {
		m, err := stream.Recv()
		if err != nil {
			t.Fatalf("after %d files: %v", files, err)
		}
		if m.GetFile() == nil {
			continue
		}
		if content, err := read(m.GetFile()); err != nil || content != strconv.Itoa(files) {
			t.Fatalf("file %d has %q, %v", files, content, err)
		}
		files++
	}
	if m, err := stream.Recv(); err != io.EOF {
		t.Errorf("the end comes to %v, %v", m, err)
	}
	before.here++ // each end has a connection more
	before.server++
	before.check("after the stream")
}
