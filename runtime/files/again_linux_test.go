package files_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"

	"github.com/udsgrpc/udsgrpc/internal/testproc"
	"github.com/udsgrpc/udsgrpc/runtime"
	"github.com/udsgrpc/udsgrpc/runtime/internal/direct/wire"
	"github.com/udsgrpc/udsgrpc/runtime/internal/fixture"
	filetestv1 "github.com/udsgrpc/udsgrpc/runtime/internal/fixture/gen/filetest/v1"
)

// takeOverFiles takes over, says "serving", and serves.
func takeOverFiles(args []string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	srv, err := filetestv1.NewFilesUDSServer(args[0], &service{}, runtime.Takeover())
	if err != nil {
		return err
	}
	fmt.Println("serving")
	return srv.Serve(ctx)
}

// takeoverCalls is how many calls with a file each way are made at least while servers take over.
// UDSGRPC_TAKEOVER_CALLS sets more.
func takeoverCalls(t *testing.T) int64 {
	text := cmp.Or(os.Getenv("UDSGRPC_TAKEOVER_CALLS"), "500")
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		t.Fatalf("UDSGRPC_TAKEOVER_CALLS: %v", err)
	}
	return n
}

// Calls with files, of each kind, go on while one server takes over from another.
func TestTakeoversUnderLoadLoseNoFile(t *testing.T) {
	const takeovers = 20
	least := takeoverCalls(t)
	path, owner := start(t, "take over")
	client := dial(t, path)
	before := count(t, client)
	var ended atomic.Bool
	var eachWay, others atomic.Int64 // calls
	var load sync.WaitGroup
	for _, w := range []struct {
		call  func(filetestv1.FilesClient) error
		calls *atomic.Int64
	}{{sendAndReceive, &eachWay}, {sendAndReceive, &eachWay}, {chat, &eachWay}, {stream, &others}, {openOne, &others}} {
		load.Go(func() {
			for !ended.Load() && !t.Failed() {
				if err := w.call(client); err != nil {
					t.Error(err)
					return
				}
				w.calls.Add(1)
			}
		})
	}
	await := func(n int64) {
		fixture.Eventually(t, fmt.Sprintf("%d calls", n), func() bool { return eachWay.Load() >= n || t.Failed() })
	}
	for i := range int64(takeovers) {
		await(least * i / takeovers)
		next := testproc.Start(t, "take over", path)
		if line := next.Line(); line != "serving" {
			t.Fatalf("the successor says %q", line)
		}
		if err := owner.WaitExit(); err != nil {
			t.Error(err)
		}
		owner = next
	}
	await(least)
	ended.Store(true)
	load.Wait()
	t.Logf("%d calls with a file each way and %d others through %d takeovers", eachWay.Load(), others.Load(), takeovers)
	const conns = 4 // that are open besides the first, as five called at once
	fixture.Eventually(t, "the client's descriptors to be as before", func() bool {
		descriptors(t, client)
		return fixture.OpenFiles(t) <= before.here+conns
	})
	fixture.Eventually(t, "the server's descriptors to be as before", func() bool { return descriptors(t, client) <= before.server+conns })
	t.Logf("descriptors: %d here, %d before; %d in the last server, %d in the first", fixture.OpenFiles(t), before.here, descriptors(t, client), before.server)
}

// sendAndReceive makes a unary call with a file each way.
func sendAndReceive(client filetestv1.FilesClient) error {
	f := newFile("x")
	defer f.Close()
	reply, err := client.Swap(context.Background(), &filetestv1.Shapes{Text: "return", File: runtime.ShareFile(f), Nested: &filetestv1.Nested{File: runtime.GiveFile(newFile("y"))}})
	return errors.Join(err, wantContents(reply, "x y"))
}

func stream(client filetestv1.FilesClient) error {
	stream, err := client.Collect(context.Background())
	if err != nil {
		return err
	}
	for _, content := range []string{"a", "b", "c"} {
		f := newFile(content)
		err := errors.Join(stream.Send(&filetestv1.Shapes{File: runtime.ShareFile(f)}), f.Close())
		if err != nil {
			_, err = stream.CloseAndRecv()
			return fmt.Errorf("send: %w", err)
		}
	}
	reply, err := stream.CloseAndRecv()
	if err == nil && reply.GetText() != "a b c" {
		err = fmt.Errorf("the server read %q", reply.GetText())
	}
	return err
}

func chat(client filetestv1.FilesClient) error {
	stream, err := client.Chat(context.Background())
	if err != nil {
		return err
	}
	for range 3 {
		if err := stream.Send(&filetestv1.Shapes{File: runtime.GiveFile(newFile("z"))}); err != nil {
			_, err = stream.Recv()
			return fmt.Errorf("send: %w", err)
		}
		reply, err := stream.Recv()
		if err := errors.Join(err, wantContents(reply, "z")); err != nil {
			return err
		}
	}
	if err := stream.CloseSend(); err != nil {
		return err
	}
	for err == nil {
		_, err = stream.Recv()
	}
	return nil
}

func openOne(client filetestv1.FilesClient) error {
	file, err := client.Open(context.Background(), &filetestv1.Plain{Text: "o"})
	if err != nil {
		return err
	}
	got, err := read(file)
	if err == nil && got != "o" {
		err = fmt.Errorf("got %q", got)
	}
	return err
}

func wantContents(m *filetestv1.Shapes, want string) error {
	if m == nil {
		return nil
	}
	got, err := readAll(m)
	if err == nil && got != want {
		err = fmt.Errorf("the files have %q, want %q", got, want)
	}
	return err
}

// listen listens for a server that a test plays.
func listen(t testing.TB) (*net.UnixListener, string) {
	t.Helper()
	path := fixture.FreePath(t)
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l, path
}

// A call that a server has not processed is sent again, to another server, with its files.
func TestUnprocessedCallIsSentAgainWithItsFiles(t *testing.T) {
	for name, begin := range map[string]func(filetestv1.FilesClient, *filetestv1.Shapes) (func() error, error){
		"unary": func(client filetestv1.FilesClient, m *filetestv1.Shapes) (func() error, error) {
			done := make(chan error, 1)
			go func() {
				_, err := client.Swap(context.Background(), m)
				done <- err
			}()
			return func() error { return <-done }, nil
		},
		"stream": func(client filetestv1.FilesClient, m *filetestv1.Shapes) (func() error, error) {
			stream, err := client.Collect(context.Background())
			if err != nil {
				return nil, err
			}
			return func() error {
				_, err := stream.CloseAndRecv()
				return err
			}, stream.Send(m)
		},
	} {
		t.Run(name, func(t *testing.T) {
			l, path := listen(t)
			takes := wire.Answer{TakesFiles: true}
			client := dial(t, path)
			kept, given := newFile("kept"), newFile("given")
			defer kept.Close()
			m := &filetestv1.Shapes{Text: "x", File: runtime.ShareFile(kept), Nested: &filetestv1.Nested{File: runtime.GiveFile(given)}}
			ended := make(chan error, 1)
			go func() {
				finish, err := begin(client, m)
				if name == "stream" {
					kept.Close() // Send has returned
				}
				if err == nil {
					err = finish()
				}
				ended <- err
			}()
			for try := range 3 {
				r, _ := acceptRaw(t, l, takes)
				r.want(wire.KindCall)
				ids, err := wire.ParseFiles(r.want(wire.KindFiles))
				if err != nil || len(ids) != 2 || len(r.fds) != 2 {
					t.Fatalf("try %d: %d ids and %d descriptors came, %v", try, len(ids), len(r.fds), err)
				}
				r.want(wire.KindMessage)
				if !isOpen(given) {
					t.Errorf("try %d: what was given away is closed already", try)
				}
				if try < 2 {
					r.send(wire.AppendFrameHeader(nil, wire.KindGoAway, 0))
					r.wantClosed()
					continue
				}
				status := (&wire.Status{Last: true}).Append(nil)
				r.send(concat(message(&filetestv1.Shapes{}), wire.AppendFrameHeader(nil, wire.KindStatus, len(status)), status))
			}
			if err := <-ended; err != nil {
				t.Error(err)
			}
			fixture.Eventually(t, "what was given away to be closed", func() bool { return !isOpen(given) })
		})
	}
}

// What a stream gave away is closed as soon as the server has begun to answer, and not only at the end.
func TestStreamClosesWhatItGaveWhenTheServerAnswers(t *testing.T) {
	t.Parallel()
	path, _ := start(t, "serve")
	stream, err := dial(t, path).Chat(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		given := newFile("given")
		if err := stream.Send(&filetestv1.Shapes{File: runtime.GiveFile(given)}); err != nil {
			t.Fatal(err)
		}
		if _, err := stream.Recv(); err != nil {
			t.Fatal(err)
		}
		if isOpen(given) {
			t.Error("it is open although the server has answered")
		}
	}
}

// While there is no server, a call fails with the reason, or waits.
func TestCallWithFilesAndWithoutServer(t *testing.T) {
	t.Parallel()
	path := fixture.FreePath(t)
	client := dial(t, path)
	m := &filetestv1.Shapes{Text: "read", File: shared(t, "x")}
	wantUnavailable := func(err error) {
		t.Helper()
		wantStatus(t, err, unavailable, "connect: no such file or directory")
	}
	_, err := client.Swap(t.Context(), m)
	wantUnavailable(err)
	_, err = client.Open(t.Context(), &filetestv1.Plain{})
	wantUnavailable(err)
	_, err = client.Collect(t.Context())
	wantUnavailable(err)

	answered := make(chan error, 1)
	go func() {
		reply, err := client.Swap(t.Context(), m, grpc.WaitForReady(true))
		if err == nil && reply.GetText() != "x" {
			err = fmt.Errorf("the server read %q", reply.GetText())
		}
		answered <- err
	}()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	_, err = client.Swap(ctx, m, grpc.WaitForReady(true))
	wantStatus(t, err, deadlineExceeded, "")
	server := testproc.Start(t, "serve", path)
	server.Line()
	if err := <-answered; err != nil {
		t.Error(err)
	}
}
