package files_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/udsgrpc/udsgrpc/runtime"
	"github.com/udsgrpc/udsgrpc/runtime/internal/direct/wire"
	filetestv1 "github.com/udsgrpc/udsgrpc/runtime/internal/fixture/gen/filetest/v1"
	"github.com/udsgrpc/udsgrpc/runtime/internal/greetertest"
)

// The kernel bounds how many descriptors of a user are on their way, by the limit of open files of who sends (ETOOMANYREFS).
// It does not apply to root, and the user's processes have one count, so each test has a user of its own.

const descriptorLimit = 100

var errTooManyOnTheirWay = status.Error(codes.ResourceExhausted, "too many open files of this user are on their way, sent and not received yet: nothing was sent")

// sendTooMany makes calls with files, or a stream of them, to a server that receives none, and prints the first error.
func sendTooMany(args []string) error {
	if err := limitDescriptors(descriptorLimit); err != nil {
		return err
	}
	client, conn, err := filetestv1.DialFilesUDS(args[0], runtime.WithServerPolicy(runtime.Anyone()))
	if err != nil {
		return err
	}
	m := many("", runtime.ShareFile(newFile("x")), 16)
	if args[1] == "stream" {
		fmt.Println(streamTooMany(client, m))
		return conn.Close()
	}
	failed := make(chan error)
	for range 20 {
		go func() {
			_, err := client.Swap(context.Background(), m)
			failed <- err
		}()
	}
	fmt.Println(<-failed)
	return conn.Close()
}

// streamTooMany sends until the stream ends, and returns its status.
func streamTooMany(client filetestv1.FilesClient, m *filetestv1.Shapes) error {
	stream, err := client.Collect(context.Background())
	if err != nil {
		return err
	}
	if _, err := stream.Header(); err != nil { // then nothing is kept for another try
		return err
	}
	for err == nil {
		err = stream.Send(m)
	}
	_, err = stream.CloseAndRecv()
	return err
}

func TestSenderLearnsThatTooManyFilesAreOnTheirWay(t *testing.T) {
	greetertest.NeedRoot(t)
	md := wire.AppendMetadata(nil, nil)
	header := concat(wire.AppendFrameHeader(nil, wire.KindHeader, len(md)), md)
	for kind, uid := range map[string]uint32{"unary": 4711, "stream": 4712} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			l, path := listenPublic(t)
			var peers sync.WaitGroup
			defer peers.Wait()
			defer l.Close()
			peers.Go(func() {
				for {
					c, err := l.AcceptUnix()
					if err != nil {
						return
					}
					r := newRaw(t, c)
					if r.more() != nil {
						continue // the client has ended already
					}
					r.trySend(wire.Answer{Version: wire.Version, TakesFiles: true}.Append(nil))
					if kind == "stream" && r.more() == nil {
						r.trySend(header)
					}
				}
			})
			client := greetertest.StartAs(t, greetertest.User{UID: uid, GID: uid}, "send too many", path, kind)
			if got := client.Line(); got != errTooManyOnTheirWay.Error() {
				t.Errorf("got %q, want %q", got, errTooManyOnTheirWay)
			}
		})
	}
}

// serveFew serves with a low limit of descriptors.
func serveFew(args []string) error {
	if err := limitDescriptors(descriptorLimit); err != nil {
		return err
	}
	return serveFiles(args[0], runtime.SocketMode(0o666), runtime.Authorize(runtime.Anyone()))
}

// awaitReadable waits until there is something to read.
func (r *raw) awaitReadable() {
	r.t.Helper()
	conn, err := r.SyscallConn()
	if err == nil {
		err = conn.Read(func(fd uintptr) bool {
			_, _, err := unix.Recvfrom(int(fd), make([]byte, 1), unix.MSG_PEEK|unix.MSG_DONTWAIT)
			return err != unix.EAGAIN
		})
	}
	if err != nil {
		r.t.Fatal(err)
	}
}

func TestAnswerSaysThatTooManyFilesAreOnTheirWay(t *testing.T) {
	greetertest.NeedRoot(t)
	for kind, c := range map[string]struct {
		uid   int
		begin []byte // of a call whose answer has files
	}{
		"unary":  {4713, concat(call("/filetest.v1.Files/Swap"), message(&filetestv1.Shapes{Text: "give 16"}), wire.AppendFrameHeader(nil, wire.KindEnd, 0))},
		"stream": {4714, concat(call("/filetest.v1.Files/Watch"), message(&filetestv1.Plain{Text: "500 1"}), wire.AppendFrameHeader(nil, wire.KindEnd, 0))},
	} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			path := greetertest.PublicPath(t)
			if err := os.Chown(filepath.Dir(path), c.uid, c.uid); err != nil {
				t.Fatal(err)
			}
			greetertest.StartAs(t, greetertest.User{UID: uint32(c.uid), GID: uint32(c.uid)}, "serve few", path).Line()
			var clients []*raw
			for range 8 { // 8 times 16 are too many
				r, _ := dialRaw(t, path)
				r.send(c.begin)
				r.awaitReadable()
				clients = append(clients, r)
			}
			refused := 0
			for _, r := range clients {
				if s := r.wantStatus(); codes.Code(s.Code) == codes.ResourceExhausted && s.Message == status.Convert(errTooManyOnTheirWay).Message() {
					refused++
				} else if codes.Code(s.Code) != codes.OK {
					t.Errorf("got %+v", s)
				}
				r.end()
			}
			if refused == 0 {
				t.Error("no call was refused")
			}
			r, _ := dialRaw(t, path) // now that all were received
			r.send(concat(call("/filetest.v1.Files/Swap"), message(&filetestv1.Shapes{Text: "give 16"}), wire.AppendFrameHeader(nil, wire.KindEnd, 0)))
			if s := r.wantStatus(); codes.Code(s.Code) != codes.OK {
				t.Errorf("the next call comes to %+v", s)
			}
		})
	}
}
