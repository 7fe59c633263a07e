package files_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"github.com/udsgrpc/udsgrpc/internal/testproc"
	udsgrpcv1 "github.com/udsgrpc/udsgrpc/proto/udsgrpc/v1"
	"github.com/udsgrpc/udsgrpc/runtime"
	"github.com/udsgrpc/udsgrpc/runtime/internal/direct/wire"
	"github.com/udsgrpc/udsgrpc/runtime/internal/fixture"
	filetestv1 "github.com/udsgrpc/udsgrpc/runtime/internal/fixture/gen/filetest/v1"
	"github.com/udsgrpc/udsgrpc/runtime/internal/greetertest"
)

const (
	unavailable      = codes.Unavailable
	deadlineExceeded = codes.DeadlineExceeded

	withoutFiles = "the call came without its open files: something between client and server, such as socat, passes on bytes only"
)

// wantStatus fails the test if err has another code, or not the text.
func wantStatus(t testing.TB, err error, code codes.Code, text string) {
	t.Helper()
	if s := status.Convert(err); s.Code() != code || !strings.Contains(s.Message(), text) {
		t.Errorf("got %v, want %v with %q", err, code, text)
	}
}

// listenPublic is listen for clients of other users.
func listenPublic(t *testing.T) (*net.UnixListener, string) {
	t.Helper()
	path := greetertest.PublicPath(t)
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	if err := os.Chmod(path, 0o666); err != nil {
		t.Fatal(err)
	}
	return l, path
}

// A call with files is not made over HTTP/2, and says why it would have been; others are.
func TestHTTP2CarriesNoFiles(t *testing.T) {
	const sent = ": open files go over the direct transport only, and this call would go over HTTP/2 because "
	for _, c := range []struct {
		program string
		dial    []runtime.DialOption
		call    []grpc.CallOption
		ctx     func(context.Context) context.Context
		because string
	}{
		{program: "serve", dial: []runtime.DialOption{runtime.WithHTTP2Only()}, because: "the client has the option WithHTTP2Only"},
		{program: "serve", dial: []runtime.DialOption{runtime.WithGRPCDialOptions(grpc.WithUserAgent("x"))}, because: "the client has options given to WithGRPCDialOptions, which the direct transport does not know"},
		{program: "serve", call: []grpc.CallOption{grpc.UseCompressor("identity")}, because: "it has a call option that the direct transport does not know"},
		{program: "serve", ctx: func(ctx context.Context) context.Context {
			return metadata.AppendToOutgoingContext(ctx, "long", strings.Repeat("x", wire.MaxControl))
		}, because: "it has metadata that the direct transport does not carry"},
		{program: "serve HTTP/2", because: "the server speaks HTTP/2 only"},
	} {
		t.Run(c.because, func(t *testing.T) {
			path, _ := start(t, c.program)
			client := dial(t, path, c.dial...)
			ctx := t.Context()
			if c.ctx != nil {
				ctx = c.ctx(ctx)
			}
			for range 2 {
				given := newFile("given")
				_, err := client.Swap(ctx, &filetestv1.Shapes{Text: "read", File: runtime.GiveFile(given)}, c.call...)
				wantStatus(t, err, codes.FailedPrecondition, "/filetest.v1.Files/Swap"+sent+c.because+": nothing was sent")
				if isOpen(given) {
					t.Error("what was given away is open")
				}
			}
			given := newFile("given")
			stream, err := client.Collect(ctx, c.call...)
			if err != nil && c.ctx == nil {
				t.Fatal(err)
			}
			if err == nil {
				for _, err := range []error{stream.Send(&filetestv1.Shapes{File: runtime.GiveFile(given)}), stream.RecvMsg(&filetestv1.Plain{})} {
					wantStatus(t, err, codes.FailedPrecondition, "/filetest.v1.Files/Collect"+sent+c.because+": nothing was sent")
				}
				if isOpen(given) {
					t.Error("what was given away with a stream is open")
				}
			}
			given.Close()
			if c.ctx == nil { // grpc-go's servers take no such metadata
				if _, err := client.Swap(ctx, &filetestv1.Shapes{Text: "ignore"}, c.call...); err != nil {
					t.Errorf("a call without files comes to %v", err)
				}
			}
		})
	}
}

// A server's answer is not sent over HTTP/2 either: the client would find no file in it.
func TestAnswerOverHTTP2CarriesNoFiles(t *testing.T) {
	path, _ := start(t, "serve")
	ours := dial(t, path)
	before := count(t, ours)
	plain, err := grpc.NewClient("unix:"+path, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithAuthority("localhost"))
	if err != nil {
		t.Fatal(err)
	}
	client := filetestv1.NewFilesClient(plain)
	const want = ": open files go over the direct transport only, and this call would go over HTTP/2 because "
	_, err = client.Open(t.Context(), &filetestv1.Plain{Text: "x"})
	wantStatus(t, err, codes.FailedPrecondition, "/filetest.v1.Files/Open"+want)
	_, err = client.Swap(t.Context(), &filetestv1.Shapes{Text: "give 3"})
	wantStatus(t, err, codes.FailedPrecondition, "/filetest.v1.Files/Swap"+want)
	stream, err := client.Watch(t.Context(), &filetestv1.Plain{Text: "3 3"})
	if err != nil {
		t.Fatal(err)
	}
	if m, err := stream.Recv(); err != nil || m.GetText() != "xxx" {
		t.Errorf("the message without a file comes to %v, %v", m, err)
	}
	_, err = stream.Recv()
	wantStatus(t, err, codes.FailedPrecondition, "/filetest.v1.Files/Watch"+want)

	// An invented id holds nothing.
	_, err = client.Swap(t.Context(), &filetestv1.Shapes{Text: "read", File: &udsgrpcv1.File{Id: 1}})
	wantStatus(t, err, codes.NotFound, "no open file came with this message")
	plain.Close()
	before.check("after HTTP/2")
}

// What passes on bytes loses files, and the call says so.
func TestFilesDoNotComeThroughSocat(t *testing.T) {
	program := testproc.Tool(t, "socat", "socat")
	t.Parallel()
	path, _ := start(t, "serve")
	between := filepath.Join(filepath.Dir(path), "between.sock")
	socat := exec.Command(program, "UNIX-LISTEN:"+between+",fork", "UNIX-CONNECT:"+path)
	if err := socat.Start(); err != nil {
		t.Fatal(err)
	}
	defer socat.Wait()
	defer socat.Process.Kill()
	fixture.Eventually(t, "socat to listen", func() bool {
		c, err := net.Dial("unix", between)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
	client := dial(t, between)
	_, err := client.Swap(t.Context(), &filetestv1.Shapes{Text: "ignore", File: shared(t, "x")})
	wantStatus(t, err, codes.FailedPrecondition, withoutFiles)
	_, err = client.Open(t.Context(), &filetestv1.Plain{Text: "x"})
	wantStatus(t, err, codes.FailedPrecondition, withoutFiles)
	if reply, err := client.Swap(t.Context(), &filetestv1.Shapes{Text: "ignore"}); err != nil {
		t.Errorf("a call without files comes to %v, %v", reply, err)
	}
}

// sendAs calls as another user, and prints what it comes to.
func sendAs(args []string) error {
	client, conn, err := filetestv1.DialFilesUDS(args[0], runtime.WithServerPolicy(runtime.Anyone()))
	if err != nil {
		return err
	}
	defer conn.Close()
	f := newFile("x")
	var p peer.Peer
	_, err = client.Swap(context.Background(), &filetestv1.Shapes{Text: "read", File: runtime.ShareFile(f)}, grpc.Peer(&p))
	fmt.Println(transport(&p), err)
	file, err := client.Open(context.Background(), &filetestv1.Plain{Text: "for all"})
	if err == nil {
		var content string
		content, err = read(file)
		fmt.Println(content, err)
	}
	return err
}

// A peer whom no method that takes files permits is refused as ever, and may receive files where it may call.
func TestPeerThatMayNotSendFilesIsRefused(t *testing.T) {
	greetertest.NeedRoot(t)
	t.Parallel()
	path := greetertest.PublicPath(t)
	server := startOn(t, path, "serve root")
	_ = server
	client := greetertest.StartAs(t, greetertest.User{UID: 4711, GID: 4711}, "send as", path)
	if got, want := client.Line(), "direct rpc error: code = PermissionDenied desc = "; !strings.HasPrefix(got, want) || !strings.Contains(got, "uid 4711") || !strings.Contains(got, "may not call /filetest.v1.Files/Swap") {
		t.Errorf("got %q, want %q and the uid", got, want)
	}
	if got, want := client.Line(), "for all <nil>"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// hostile sends descriptors as another user, and prints what the kernel says.
func hostile(args []string) error {
	conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: args[0], Net: "unix"})
	if err != nil {
		return err
	}
	defer conn.Close()
	hello := wire.AppendIntro(wire.Preface{Lowest: wire.Version, Highest: wire.Version}.Append(nil))
	if _, err := conn.Write(hello); err != nil {
		return err
	}
	answer := make([]byte, wire.AnswerLen)
	if _, err := conn.Read(answer); err != nil {
		return err
	}
	n, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	fds := make([]int, n)
	_, _, err = conn.WriteMsgUnix(call("/filetest.v1.Files/Swap"), unix.UnixRights(fds...), nil)
	fmt.Println(errors.Is(err, unix.EPERM), err)
	fmt.Scanln()
	return nil
}

// The kernel keeps descriptors from a server that does not take them from this peer, where it can (Linux 6.16).
func TestNoDescriptorOfAPeerThatMayNotSendEnters(t *testing.T) {
	greetertest.NeedRoot(t)
	path := greetertest.PublicPath(t)
	startOn(t, path, "serve root")
	client := dial(t, path)
	before := count(t, client)
	cmd := greetertest.StartAs(t, greetertest.User{UID: 4711, GID: 4711}, "hostile", path, "200")
	refused := cmd.Line()
	if hasPassRights(t) && !strings.HasPrefix(refused, "true") {
		t.Errorf("sending descriptors comes to %q, want EPERM", refused)
	}
	if n := descriptors(t, client); n > before.server+3 {
		t.Errorf("the server has %d descriptors, and had %d", n, before.server)
	}
}

func hasPassRights(t *testing.T) bool {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fds[0])
	defer unix.Close(fds[1])
	_, err = unix.GetsockoptInt(fds[0], unix.SOL_SOCKET, unix.SO_PASSRIGHTS)
	return err == nil
}

// An old server knows nothing of files, nor does an old client: both say so by zeros.
func TestOldPeersTakeNoFiles(t *testing.T) {
	t.Parallel()
	l, old := listen(t)
	client, sent := dial(t, old), make(chan error)
	go func() {
		_, err := client.Swap(t.Context(), &filetestv1.Shapes{File: shared(t, "x")})
		sent <- err
	}()
	acceptRaw(t, l, wire.Answer{})
	wantStatus(t, <-sent, codes.FailedPrecondition, "the other end takes no open files: nothing was sent")

	path, _ := start(t, "serve")
	c, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	r := newRaw(t, c)
	r.send(wire.AppendIntro(wire.Preface{Lowest: wire.Version, Highest: wire.Version}.Append(nil)))
	if answer := wire.ParseAnswer(r.read(wire.AnswerLen)); answer.Version != wire.Version || !answer.TakesFiles || !answer.SendsFiles || answer.Full {
		t.Errorf("the server answers %+v", answer)
	}
	r.send(concat(call("/filetest.v1.Files/Open"), message(&filetestv1.Plain{}), endFrame))
	if s := r.wantStatus(); codes.Code(s.Code) != codes.FailedPrecondition || s.Message != "the other end takes no open files: nothing was sent" {
		t.Errorf("got %+v", s)
	}
}

// Beyond the connections that a client may have, a call with files waits, and one without goes over HTTP/2.
func TestCallWithFilesWaitsForAConnection(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes a thousand connections")
	}
	t.Parallel()
	path, _ := start(t, "serve")
	client := dial(t, path)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var streams []filetestv1.Files_ChatClient
	for range 1024 { // as many connections as there may be
		stream, err := client.Chat(ctx)
		if err != nil {
			t.Fatal(err)
		}
		streams = append(streams, stream)
	}
	m := &filetestv1.Shapes{Text: "read", File: shared(t, "x")}
	var p peer.Peer
	if _, err := client.Echo(t.Context(), &filetestv1.Plain{}, grpc.Peer(&p)); err != nil || transport(&p) != "http2" {
		t.Skipf("the call goes over %s, %v: there are more connections than that", transport(&p), err)
	}
	short, stop := context.WithTimeout(t.Context(), 50*1e6)
	defer stop()
	_, err := client.Swap(short, m)
	wantStatus(t, err, codes.DeadlineExceeded, "")
	answered := make(chan error, 1)
	go func() {
		reply, err := client.Swap(t.Context(), m)
		if err == nil && reply.GetText() != "x" {
			err = fmt.Errorf("the server read %q", reply.GetText())
		}
		answered <- err
	}()
	streams[0].CloseSend()
	for err == nil || errors.Is(err, context.DeadlineExceeded) || status.Code(err) == codes.DeadlineExceeded {
		_, err = streams[0].Recv()
	}
	if err := <-answered; err != nil {
		t.Error(err)
	}
}

// A server that speaks HTTP/2 only may be followed by one that takes files. A client whose calls all have files, and
// so never go over HTTP/2, notices that too.
func TestServerThatTakesFilesMayFollowOneOfHTTP2(t *testing.T) {
	t.Parallel()
	path, server := start(t, "serve HTTP/2")
	client := dial(t, path)
	m := &filetestv1.Shapes{Text: "read", File: shared(t, "x")}
	_, err := client.Swap(t.Context(), m)
	wantStatus(t, err, codes.FailedPrecondition, "because the server speaks HTTP/2 only")
	server.Stop()
	startOn(t, path, "serve")
	if reply, err := client.Swap(t.Context(), m); err != nil || reply.GetText() != "x" {
		t.Errorf("the server reads %q, error %v", reply.GetText(), err)
	}
}
