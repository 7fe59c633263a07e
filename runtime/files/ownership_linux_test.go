package files_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	goruntime "runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	udsgrpcv1 "github.com/udsgrpc/udsgrpc/proto/udsgrpc/v1"
	"github.com/udsgrpc/udsgrpc/runtime"
	"github.com/udsgrpc/udsgrpc/runtime/internal/fixture"
	filetestv1 "github.com/udsgrpc/udsgrpc/runtime/internal/fixture/gen/filetest/v1"
	"github.com/udsgrpc/udsgrpc/runtime/internal/greetertest"
)

// descriptors returns how many the server's process has.
func descriptors(t testing.TB, client filetestv1.FilesClient) int {
	t.Helper()
	reply, err := client.Echo(context.Background(), &filetestv1.Plain{Text: "descriptors"})
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(reply.GetText())
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// counts watches the descriptors of both ends. The test must not run in parallel with others.
type counts struct {
	t            testing.TB
	client       filetestv1.FilesClient
	here, server int
}

// count returns the counts before something, when the client has a connection.
func count(t testing.TB, client filetestv1.FilesClient) counts {
	t.Helper()
	descriptors(t, client)
	goruntime.GC() // may close what earlier tests have forgotten
	return counts{t, client, fixture.OpenFiles(t), descriptors(t, client)}
}

// check waits until both ends have no more than before; the garbage collector may have closed others.
func (c counts) check(what string) {
	c.t.Helper()
	descriptors(c.t, c.client) // with a connection that is open in the end
	fixture.Eventually(c.t, "the client's descriptors to be as before, "+what, func() bool { return fixture.OpenFiles(c.t) <= c.here })
	fixture.Eventually(c.t, fmt.Sprintf("the server to have %d descriptors as before, not %d, %s", c.server, descriptors(c.t, c.client), what), func() bool { return descriptors(c.t, c.client) <= c.server })
}

func isOpen(f *os.File) bool {
	_, err := f.Stat()
	return err == nil
}

// However a call ends, the server closes what was not taken, and the client what was given away.
func TestNoDescriptorIsLeftHoweverACallEnds(t *testing.T) {
	path, _ := start(t, "serve")
	client := dial(t, path)
	before := count(t, client)
	for _, c := range []struct {
		what string
		want codes.Code
	}{
		{"read", codes.OK}, {"ignore", codes.OK}, {"fail", codes.DataLoss}, {"panic", codes.Internal}, {"unknown", codes.Unimplemented},
	} {
		for range 10 {
			kept, given := newFile("kept"), newFile("given")
			_, err := client.Swap(t.Context(), &filetestv1.Shapes{
				Text: c.what, File: runtime.ShareFile(kept), Files: []*udsgrpcv1.File{runtime.ShareFile(kept), runtime.GiveFile(given)},
			})
			greetertest.CheckCode(t, err, c.want)
			if !isOpen(kept) || isOpen(given) {
				t.Errorf("%s: the shared file is open: %t, the one given away: %t", c.what, isOpen(kept), isOpen(given))
			}
			kept.Close()
		}
		before.check(c.what)
	}
}

func TestNoDescriptorIsLeftWhenACallIsCancelled(t *testing.T) {
	path, _ := start(t, "serve")
	client := dial(t, path)
	before := count(t, client)
	for range 10 {
		given := newFile("given")
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		_, err := client.Swap(ctx, &filetestv1.Shapes{Text: "wait", File: runtime.GiveFile(given)})
		cancel()
		greetertest.CheckCode(t, err, codes.DeadlineExceeded)
		if isOpen(given) {
			t.Error("what was given away is open")
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	given := newFile("given")
	_, err := client.Swap(ctx, &filetestv1.Shapes{File: runtime.GiveFile(given)})
	greetertest.CheckCode(t, err, codes.Canceled)
	if isOpen(given) {
		t.Error("what was given away with a call that did not begin is open")
	}
	// The connection of a cancelled call is closed; the next call makes another.
	before.check("cancelled")
}

func TestStreamsLeaveNoDescriptor(t *testing.T) {
	path, _ := start(t, "serve")
	client := dial(t, path)
	before := count(t, client)

	for _, end := range []string{"end", "cancel", "fail"} {
		ctx, cancel := context.WithCancel(t.Context())
		stream, err := client.Chat(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for range 10 {
			given := newFile("given")
			if err := stream.Send(&filetestv1.Shapes{File: runtime.GiveFile(given)}); err != nil {
				t.Fatal(err)
			}
			reply, err := stream.Recv()
			if err != nil {
				t.Fatal(err)
			}
			if got, err := read(reply.GetFile()); err != nil || got != "given" {
				t.Errorf("got %q, %v", got, err)
			}
			if isOpen(given) {
				t.Error("the server has answered, and what was given away is still open")
			}
		}
		switch end {
		case "end":
			stream.CloseSend()
			if _, err := stream.Recv(); err != io.EOF {
				t.Errorf("got %v", err)
			}
		case "cancel":
			cancel()
			_, err := stream.Recv()
			greetertest.CheckCode(t, err, codes.Canceled)
		case "fail":
			err := stream.Send(&filetestv1.Shapes{File: &udsgrpcv1.File{}})
			greetertest.CheckCode(t, err, codes.InvalidArgument)
		}
		cancel()
		before.check(end)
	}
	forgetMessages(t, client)
	fixture.Eventually(t, "the garbage collector to close files in messages that nobody has received", func() bool {
		goruntime.GC()
		return fixture.OpenFiles(t) <= before.here
	})
}

// forgetMessages cancels a stream with messages that have arrived, and does not receive them.
func forgetMessages(t *testing.T, client filetestv1.FilesClient) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	stream, err := client.Watch(ctx, &filetestv1.Plain{Text: "30 3"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Header(); err != nil {
		t.Fatal(err)
	}
}

// A client closes the files of an answer itself, or forgets them.
func TestUntakenFilesOfAnAnswerAreClosedByCloseOrTheGarbageCollector(t *testing.T) {
	path, _ := start(t, "serve")
	client := dial(t, path)
	before := count(t, client)
	for _, how := range []string{"Close", "Take", "forget"} {
		finishWithFiles(t, client, before, how)
		fixture.Eventually(t, "files to be closed after "+how, func() bool {
			if how == "forget" {
				goruntime.GC()
			}
			return fixture.OpenFiles(t) <= before.here
		})
		before.check(how)
	}
}

// finishWithFiles gets 16 files, and closes, takes or forgets them.
func finishWithFiles(t *testing.T, client filetestv1.FilesClient, before counts, how string) {
	t.Helper()
	reply, err := client.Swap(t.Context(), &filetestv1.Shapes{Text: "give 16"})
	if err != nil {
		t.Fatal(err)
	}
	if n := fixture.OpenFiles(t) - before.here; n < 10 {
		t.Errorf("%d files have come, want 16", n)
	}
	for _, file := range reply.GetFiles() {
		switch how {
		case "Take":
			f, err := file.Take()
			if err != nil {
				t.Fatal(err)
			}
			f.Close()
		case "Close":
			if err := errors.Join(file.Close(), file.Close()); err != nil {
				t.Error(err)
			}
		}
	}
	goruntime.KeepAlive(reply)
}

func TestFileIsTakenOnce(t *testing.T) {
	t.Parallel()
	path, _ := start(t, "serve")
	client := dial(t, path)
	reply, err := client.Swap(t.Context(), &filetestv1.Shapes{Text: "twice", File: shared(t, "x")})
	if want := "the open file was taken or closed before"; err != nil || reply.GetText() != want {
		t.Errorf("the server says %q, want %q, error %v", reply.GetText(), want, err)
	}
	reply, err = client.Swap(t.Context(), &filetestv1.Shapes{Text: "twice"})
	if want := "no open file came with this message"; err == nil || status.Convert(err).Message() != want {
		t.Errorf("got %v, %v, want %q", reply, err, want)
	}
}

// What a handler shares, and closes when it returns, is closed before the answer is sent; it has to give it away.
func TestHandlerCannotCloseWhatItSharesInItsAnswer(t *testing.T) {
	t.Parallel()
	path, _ := start(t, "serve")
	_, err := dial(t, path).Swap(t.Context(), &filetestv1.Shapes{Text: "share 1"})
	want := "filetest.v1.Shapes.files[0] cannot be sent: it holds no open file: the file is closed"
	if s := status.Convert(err); s.Code() != codes.InvalidArgument || !strings.Contains(s.Message(), want) {
		t.Errorf("got %v, want %q", err, want)
	}
}

// A message that comes too late is not sent, and what was given away with it is closed.
func TestFileGivenAfterTheEndIsClosed(t *testing.T) {
	path, _ := start(t, "serve")
	for name, opts := range map[string][]runtime.DialOption{"direct": nil, "HTTP/2": {runtime.WithHTTP2Only()}} {
		t.Run(name, func(t *testing.T) {
			stream, err := dial(t, path, opts...).Chat(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if name == "direct" {
				stream.CloseSend()
			} else if err := stream.Send(&filetestv1.Shapes{File: shared(t, "x")}); err == nil { // which ends the call
				t.Fatal("a file went over HTTP/2")
			}
			given := newFile("late")
			if err := stream.SendMsg(&filetestv1.Shapes{File: runtime.GiveFile(given)}); err == nil {
				t.Error("the message was sent")
			}
			if isOpen(given) {
				t.Error("what was given away is open")
			}
		})
	}
}
