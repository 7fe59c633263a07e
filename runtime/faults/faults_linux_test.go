package faults_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"

	greeterv1 "github.com/udsgrpc/udsgrpc/examples/greeter/gen/greeter/v1"
	"github.com/udsgrpc/udsgrpc/internal/testproc"
	"github.com/udsgrpc/udsgrpc/runtime"
	"github.com/udsgrpc/udsgrpc/runtime/internal/fixture"
	"github.com/udsgrpc/udsgrpc/runtime/internal/greetertest"
	"github.com/udsgrpc/udsgrpc/runtime/socket"
)

// serveWithFewFiles is a program: the greeter, which everybody may call, in a process that has all but 20 of
// its 1024 descriptors in use. It prints its events.
func serveWithFewFiles(args []string) error {
	limit := syscall.Rlimit{Cur: 1024, Max: 1024}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return err
	}
	var own []int
	for {
		fd, err := syscall.Open("/dev/null", syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
		if err != nil {
			break
		}
		own = append(own, fd)
	}
	for _, fd := range own[len(own)-20:] {
		syscall.Close(fd)
	}
	return greetertest.ServeUntilTerminated(args[0], runtime.EventLog(slog.New(slog.NewTextHandler(os.Stdout, nil))), runtime.SocketMode(0o666), runtime.Authorize(runtime.Anyone()))
}

// A program that has used up its descriptors still lets in its own user, at the cost of a stranger who says
// nothing.
func TestServerOutOfDescriptorsLetsItsOwnUserIn(t *testing.T) {
	t.Parallel()
	greetertest.NeedRoot(t)
	path := greetertest.PublicPath(t)
	server := testproc.Start(t, "greeter with few files", path)
	server.Line()
	stranger := greetertest.StartAs(t, greetertest.User{UID: 1002, GID: 1002}, "hold silent", path, "200")
	stranger.Line()
	for range 5 {
		client, _ := greetertest.Dial(t, path)
		greetertest.Greet(t, client)
	}
}

// holdSilent is a program: it makes connections and says nothing on them.
func holdSilent(args []string) error {
	n, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	for range n {
		if _, err := rawConnect(args[0]); err != nil {
			return err
		}
	}
	fmt.Println("connected")
	return testproc.WaitForKill()
}

func TestServerOutOfDescriptorsSaysSoAndRecovers(t *testing.T) {
	t.Parallel()
	path := fixture.FreePath(t)
	server := testproc.Start(t, "greeter with few files", path)
	server.Line()
	early, _ := greetertest.Dial(t, path)
	greetertest.Greet(t, early)
	// Otherwise the connections may take the descriptor that the server needs to watch its path.
	fixture.Eventually(t, "the server to watch its path", func() bool { return hasOpen(t, server.Process.Pid, "anon_inode:inotify") })

	conns := connect(t, path, 100)
	late, _ := greetertest.Dial(t, path)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if _, err := late.Greet(ctx, &greeterv1.GreetRequest{}); err == nil {
		t.Fatal("the server is not out of descriptors")
	}
	greetertest.Greet(t, early)
	for _, conn := range conns {
		conn.Close()
	}
	if _, err := late.Greet(t.Context(), &greeterv1.GreetRequest{}, grpc.WaitForReady(true)); err != nil {
		t.Error(err)
	}

	if err := server.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	for line, ok := server.NextLine(); ok; line, ok = server.NextLine() {
		log.WriteString(line + "\n")
	}
	isRings := func(m string) bool { return m == "no shared memory" } // whose memory takes a descriptor, too, for a moment
	if got, want := slices.DeleteFunc(greetertest.Messages(log.String()), isRings), []string{"serving", "cannot accept", "draining"}; !slices.Equal(got, want) || !strings.Contains(log.String(), "too many open files") {
		t.Errorf("the events are %q, want %q: %s", got, want, &log)
	}
}

// hasOpen reports whether a process has something open that /proc describes so.
func hasOpen(t *testing.T, pid int, what string) bool {
	t.Helper()
	dir := fmt.Sprintf("/proc/%d/fd", pid)
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	return slices.ContainsFunc(entries, func(entry os.DirEntry) bool {
		target, err := os.Readlink(filepath.Join(dir, entry.Name()))
		return err == nil && target == what // it may have been closed meanwhile
	})
}

func TestHalfOpenConnectionsNeitherBlockNorStay(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("takes seconds")
	}
	path := fixture.FreePath(t)
	greetertest.Serve(t, path, greetertest.New())
	conns := connect(t, path, 1000)
	client, _ := greetertest.Dial(t, path)
	greetertest.Greet(t, client)
	deadline := time.Now().Add(time.Minute)
	for _, conn := range conns {
		conn.SetReadDeadline(deadline)
		// The server greets with its settings and then hangs up.
		if _, err := io.Copy(io.Discard, conn); err != nil && !isReset(err) {
			t.Fatalf("the server did not hang up: %v", err)
		}
	}
	greetertest.Greet(t, client)
}

func TestGarbageHurtsNobodyElse(t *testing.T) {
	t.Parallel()
	path := fixture.FreePath(t)
	greetertest.Serve(t, path, greetertest.New())
	client, _ := greetertest.Dial(t, path)
	random := rand.NewChaCha8([32]byte{})
	noise := make([]byte, 4096)
	random.Read(noise)
	preface := []byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
	for name, garbage := range map[string][]byte{
		"noise":                 noise,
		"noise after preface":   append(bytes.Clone(preface), noise...),
		"HTTP/1":                []byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
		"huge frame":            append(bytes.Clone(preface), "\xff\xff\xff\x00\x00\x00\x00\x00\x01"...),
		"other handover":        []byte("UDSGRPC-HANDOVER/9.9\r\n\r\n"),
		"half a handover":       []byte("UDSGRPC"),
		"zeroes":                make([]byte, 4096),
		"preface, then nothing": preface[:10],
	} {
		conn := connect(t, path, 1)[0]
		if _, err := conn.Write(garbage); err != nil && !isReset(err) {
			t.Errorf("%s: %v", name, err)
		}
		conn.Close()
		greetertest.Greet(t, client)
	}
}

// streamForever is a program: a client with an endless stream.
func streamForever(args []string) error {
	client, conn, err := greeterv1.DialGreeterUDS(args[0])
	if err != nil {
		return err
	}
	defer conn.Close()
	stream, err := client.Countdown(context.Background(), &greeterv1.CountdownRequest{From: -1})
	if err != nil {
		return err
	}
	for {
		if _, err := stream.Recv(); err != nil {
			return err
		}
		fmt.Println("received")
	}
}

func TestHandlerLearnsOfAKilledClient(t *testing.T) {
	t.Parallel()
	path := fixture.FreePath(t)
	g := greetertest.New()
	greetertest.Serve(t, path, g)
	client := testproc.Start(t, "stream forever", path)
	client.Line()
	<-g.Entered
	client.Kill()
	<-g.Entered // the handler's context has ended
}

func TestSIGTERMFinishesUnaryCallsAndEndsStreams(t *testing.T) {
	t.Parallel()
	path := fixture.FreePath(t)
	server := testproc.Start(t, "greeter", path)
	server.Line()
	client, _ := greetertest.Dial(t, path)
	const calls = 20
	answers := make(chan error, calls)
	for range calls {
		go func() {
			_, err := client.Greet(t.Context(), &greeterv1.GreetRequest{Name: "wait"})
			answers <- err
		}()
	}
	stream, err := client.Countdown(t.Context(), &greeterv1.CountdownRequest{From: -1})
	if err != nil {
		t.Fatal(err)
	}
	for range calls + 1 { // each, and the stream, says that it has reached its handler
		if line := server.Line(); line != "waiting" {
			t.Fatalf("the server says %q", line)
		}
	}
	if _, err := stream.Recv(); err != nil {
		t.Fatal(err)
	}
	if err := server.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	for range calls {
		if err := <-answers; err != nil {
			t.Errorf("a call in flight was lost: %v", err)
		}
	}
	_, err = stream.Recv()
	greetertest.CheckCode(t, err, codes.Unavailable)
	if err := server.WaitExit(); err != nil {
		t.Error(err)
	}
	fixture.CheckMissing(t, path)
}

// Not parallel: it counts the descriptors of the process.
func TestTenThousandConnectsLeakNothing(t *testing.T) {
	path := fixture.FreePath(t)
	srv := greetertest.Serve(t, path, greetertest.New())
	client, conn := greetertest.Dial(t, path)
	greetertest.Greet(t, client)
	// The server's watch opens descriptors, too.
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	fixture.Eventually(t, "the server to watch its path", func() bool { return srv.Stats().Rebound == 1 })
	before := fixture.OpenFiles(t)
	for range 100 {
		for _, conn := range connect(t, path, 98) {
			conn.Close()
		}
		for range 2 {
			client, conn := greetertest.Dial(t, path)
			greetertest.Greet(t, client)
			conn.Close()
		}
	}
	fixture.Eventually(t, "the server to close its ends", func() bool { return fixture.OpenFiles(t) <= before })
	greetertest.Greet(t, client)
	conn.Close()
	srv.Stop()
	if err := <-srv.Done; err != nil {
		t.Error(err)
	}
}

func TestConnectionsOutliveTheirSocketFile(t *testing.T) {
	t.Parallel()
	path := fixture.FreePath(t)
	srv := greetertest.Serve(t, path, greetertest.New())
	client, _ := greetertest.Dial(t, path)
	greetertest.Greet(t, client)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	greetertest.Greet(t, client)
	srv.Stop()
	if err := <-srv.Done; err != nil {
		t.Errorf("Serve returned %v", err)
	}
}

func TestCallToAHungServerSaysSo(t *testing.T) {
	t.Parallel()
	path := fixture.FreePath(t)
	l, err := net.Listen("unix", path) // and nobody ever accepts
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	client, conn := greetertest.Dial(t, path, runtime.WithGRPCDialOptions(grpc.WithConnectParams(grpc.ConnectParams{
		MinConnectTimeout: 100 * time.Millisecond,
	})))
	_, err = client.Greet(t.Context(), &greeterv1.GreetRequest{})
	greetertest.CheckCode(t, err, codes.Unavailable)
	if want := "does not answer"; !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path) {
		t.Errorf("error is %v; want %q and the path in it", err, want)
	}
	_, direct := greetertest.Dial(t, path) // which asks for the direct transport first
	for _, conn := range []*runtime.ClientConn{conn, direct} {
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		if err := conn.WaitReady(ctx); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "does not answer") {
			t.Errorf("WaitReady says %v", err)
		}
	}
}

func connect(t testing.TB, path string, n int) []net.Conn {
	t.Helper()
	conns := make([]net.Conn, n)
	for i := range conns {
		conn, err := (&socket.Dialer{}).DialContext(t.Context(), path) // which waits while the queue is full
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		conns[i] = conn
	}
	return conns
}

func isReset(err error) bool {
	return errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// A preface may come in pieces.
func TestPrefacesComeInPieces(t *testing.T) {
	t.Parallel()
	path := fixture.FreePath(t)
	greetertest.Serve(t, path, greetertest.New())
	for _, kind := range []string{"idle http2", "idle direct"} {
		for _, cut := range []int{1, 10, 23, 24, 25} {
			conn := connect(t, path, 1)[0]
			client, _ := greetertest.Dial(t, path)
			io.WriteString(conn, floods[kind][:cut])
			greetertest.Greet(t, client) // and so the first piece was most likely looked at
			io.WriteString(conn, floods[kind][cut:])
			conn.SetReadDeadline(time.Now().Add(fixture.Guard))
			if _, err := io.ReadFull(conn, make([]byte, 9)); err != nil {
				t.Errorf("%s, cut after %d bytes: %v", kind, cut, err)
			}
		}
	}
}
