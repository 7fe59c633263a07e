package listener_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/udsgrpc/udsgrpc/internal/testproc"
	"github.com/udsgrpc/udsgrpc/runtime/internal/fixture"
	"github.com/udsgrpc/udsgrpc/runtime/internal/listener"
	"github.com/udsgrpc/udsgrpc/runtime/internal/peek"
	"github.com/udsgrpc/udsgrpc/runtime/socket"
)

// offer accepts one connection, and hands the listener over if it asks for that.
func offer(ctx context.Context, l *listener.Listener) <-chan error {
	done := make(chan error, 1)
	go func() {
		conn, err := l.AcceptUnix()
		if err != nil {
			done <- err
			return
		}
		defer conn.Close()
		first := make([]byte, 1)
		if _, err := peek.Bytes(conn, first, func([]byte) bool { return true }); err != nil || first[0] != listener.HandoverRequest[0] {
			done <- fmt.Errorf("first byte is %q, %w", first, err)
			return
		}
		if _, err := io.ReadFull(conn, make([]byte, len(listener.HandoverRequest))); err != nil {
			done <- err
			return
		}
		done <- l.HandOver(ctx, conn)
	}()
	return done
}

func takeOver(t *testing.T, path string) *listener.Listener {
	t.Helper()
	l, err := (&listener.Config{}).TakeOver(t.Context(), path, dial)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func TestHandoverKeepsFileAndLock(t *testing.T) {
	t.Parallel()
	for name, path := range map[string]string{
		"path":     fixture.FreePath(t),
		"long":     longPath(t),
		"abstract": fmt.Sprintf("@udsgrpc-handover-test-%d", os.Getpid()),
	} {
		t.Run(name, func(t *testing.T) {
			owner := listen(t, path)
			before, _ := os.Lstat(path)
			handed := offer(t.Context(), owner)
			successor := takeOver(t, path)
			if err := successor.Commit(); err != nil {
				t.Fatal(err)
			}
			if err := <-handed; err != nil {
				t.Fatal(err)
			}
			again := offer(t.Context(), owner)
			if _, err := (&listener.Config{}).TakeOver(t.Context(), path, dial); !errors.Is(err, socket.ErrInUse) {
				t.Errorf("what was given away was given again: %v", err)
			}
			if err := <-again; err == nil {
				t.Error("what was given away was given again")
			}
			if err := owner.Close(); err != nil {
				t.Error(err)
			}
			checkConnects(t, successor, path)
			if _, err := socket.Listen(path); !errors.Is(err, socket.ErrInUse) {
				t.Errorf("the path is not locked: %v", err)
			}
			if path[0] == '@' {
				return
			}
			after, err := os.Lstat(path)
			if err != nil || !os.SameFile(before, after) {
				t.Errorf("the socket file is not the same: %v", err)
			}
			successor.Close()
			fixture.CheckMissing(t, path)
			checkConnects(t, listen(t, path), path)
		})
	}
}

func TestSuccessorThatGivesUpLeavesTheOwnerAsItWas(t *testing.T) {
	t.Parallel()
	path := fixture.FreePath(t)
	owner := listen(t, path)
	for range 3 {
		handed := offer(t.Context(), owner)
		if err := takeOver(t, path).Close(); err != nil {
			t.Error(err)
		}
		if err := <-handed; !errors.Is(err, io.EOF) || !strings.Contains(err.Error(), "has not become ready") {
			t.Errorf("the owner sees %v", err)
		}
		checkConnects(t, owner, path)
		if _, err := socket.Listen(path); !errors.Is(err, socket.ErrInUse) {
			t.Errorf("the path is not locked: %v", err)
		}
	}
	owner.Close()
	fixture.CheckMissing(t, path)
}

func TestSuccessorThatClosesDuringItsCommitLeavesNoFileWithoutAnOwner(t *testing.T) {
	t.Parallel()
	path := fixture.FreePath(t)
	for i := range 500 {
		owner := listen(t, path)
		handed := offer(t.Context(), owner)
		successor := takeOver(t, path)
		committed := make(chan error, 1)
		go func() { committed <- successor.Commit() }()
		for range i % 50 { // it comes at each step of the commit at some time
			runtime.Gosched()
		}
		err := successor.Close()
		if err := errors.Join(err, owner.Close()); err != nil {
			t.Error(err)
		}
		<-committed
		<-handed
		fixture.CheckMissing(t, path)
		if t.Failed() {
			return
		}
	}
}

func TestOwnerThatStopsMeanwhileFailsTheCommit(t *testing.T) {
	t.Parallel()
	path := fixture.FreePath(t)
	owner := listen(t, path)
	ctx, cancel := context.WithCancel(t.Context())
	handed := offer(ctx, owner)
	conf := listener.Config{Mode: 0o666}
	if os.Geteuid() == 0 {
		conf.Owner = &listener.Owner{UID: -1, GID: 4242}
	}
	successor, err := conf.TakeOver(t.Context(), path, dial)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o640); err != nil { // by hand, during the handover
		t.Fatal(err)
	}
	before := ownerAndMode(t, path)
	cancel()
	if err := <-handed; !errors.Is(err, net.ErrClosed) || !strings.Contains(err.Error(), "was not ready") {
		t.Errorf("the owner sees %v", err)
	}
	if err := successor.Commit(); !isLetGo(err) || !strings.Contains(err.Error(), `step "commit"`) {
		t.Errorf("the successor sees %v", err)
	}
	successor.Close()
	checkConnects(t, owner, path)
	if after := ownerAndMode(t, path); after != before {
		t.Errorf("the owner's file was %s and is %s", before, after)
	}
}

func ownerAndMode(t *testing.T, path string) string {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%d:%d %#o", st.Uid, st.Gid, st.Mode)
}

func TestWithdrawnSocketIsNotHandedOver(t *testing.T) {
	t.Parallel()
	path := fixture.FreePath(t)
	owner := listen(t, path)
	handed := offer(t.Context(), owner)
	successor := takeOver(t, path)
	if err := owner.Withdraw(); err != nil {
		t.Fatal(err)
	}
	if err := successor.Commit(); !isLetGo(err) {
		t.Errorf("the successor sees %v", err)
	}
	if err := <-handed; !errors.Is(err, net.ErrClosed) {
		t.Errorf("the owner, which had withdrawn the socket, sees %v", err)
	}
}

// isLetGo reports whether an error of Commit says that the owner has let go of the listener, and does not
// claim that it serves.
func isLetGo(err error) bool {
	return errors.Is(err, socket.ErrInUse) && errors.Is(err, net.ErrClosed) && !strings.Contains(err.Error(), "goes on serving")
}

func TestTakeOverSaysWhichStepFailed(t *testing.T) {
	t.Parallel()
	t.Run("nobody there", func(t *testing.T) {
		_, err := (&listener.Config{}).TakeOver(t.Context(), fixture.FreePath(t), dial)
		if !errors.Is(err, fs.ErrNotExist) || errors.Is(err, socket.ErrInUse) || !strings.Contains(err.Error(), `step "connect"`) {
			t.Errorf("error is %v", err)
		}
	})
	for name, c := range map[string]struct {
		answer func(*net.UnixConn)
		want   string
	}{
		"hangs up":            {func(*net.UnixConn) {}, "no udsgrpc server"},
		"says no":             {func(c *net.UnixConn) { c.Write([]byte("Nbecause")) }, "the owner says: because"},
		"babbles":             {func(c *net.UnixConn) { c.Write([]byte("HTTP/1.1 400 Bad Request\r\n")) }, "no udsgrpc server"},
		"sends no descriptor": {func(c *net.UnixConn) { c.Write([]byte("Y")) }, "0 descriptors"},
		"sends a file":        {func(c *net.UnixConn) { sendFiles(t, c, os.Stdin) }, `step "check the listener"`},
	} {
		t.Run(name, func(t *testing.T) {
			path := fixture.FreePath(t)
			l := listen(t, path)
			served := make(chan struct{})
			go func() {
				defer close(served)
				conn, err := l.AcceptUnix()
				if err != nil {
					t.Error(err)
					return
				}
				defer conn.Close()
				io.ReadFull(conn, make([]byte, len(listener.HandoverRequest)))
				c.answer(conn)
			}()
			_, err := (&listener.Config{}).TakeOver(t.Context(), path, dial)
			<-served
			if !errors.Is(err, socket.ErrInUse) || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "goes on serving") {
				t.Errorf("error is %v; want %q in it", err, c.want)
			}
			checkConnects(t, l, path)
		})
	}
}

func TestTakeOverSaysThatItsContextHasEnded(t *testing.T) {
	t.Parallel()
	path := fixture.FreePath(t)
	listen(t, path) // and nobody accepts
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	_, err := (&listener.Config{}).TakeOver(ctx, path, dial)
	if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, socket.ErrInUse) {
		t.Errorf("got the error %v", err)
	}
}

func TestListenerIsNotHandedToAnotherUser(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("becoming another user takes root")
	}
	path := fixture.FreePath(t)
	if err := os.Chmod(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	owner := listenWith(t, path, listener.Config{Mode: 0o666})
	handed := offer(t.Context(), owner)
	cmd := testproc.Command(t, "rob", path)
	runAs(cmd, 1234)
	robber := testproc.StartCmd(t, cmd)
	if err := <-handed; !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), "uid 1234") {
		t.Errorf("the owner sees %v", err)
	}
	if line := robber.Line(); !strings.HasPrefix(line, "N") || !strings.HasSuffix(line, " 0") {
		t.Errorf("the other user gets %q", line)
	}
	checkConnects(t, owner, path)
}

// rob is a program: it asks for a listener without the checks of TakeOver, and prints the
// answer and how many bytes of descriptors came with it.
func rob(args []string) error {
	conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: args[0], Net: "unix"})
	if err != nil {
		return err
	}
	if _, err := io.WriteString(conn, listener.HandoverRequest); err != nil {
		return err
	}
	buf, oob := make([]byte, 600), make([]byte, 600)
	n, oobn, _, _, err := conn.ReadMsgUnix(buf, oob)
	if err != nil {
		return err
	}
	fmt.Println(string(buf[:n]), oobn)
	return nil
}

func TestClientsOfTheSuccessorSeeItsCredentials(t *testing.T) {
	t.Parallel()
	path := fixture.FreePath(t)
	owner := listen(t, path)
	handed := offer(t.Context(), owner)
	successor := testproc.Start(t, "take over", path)
	successor.Line()
	if err := <-handed; err != nil {
		t.Fatal(err)
	}
	owner.Close()
	checkGreets(t, path)
	conn, err := (&socket.Dialer{}).DialContext(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	peer, err := socket.PeerOf(conn)
	if err != nil || peer.PID != successor.Process.Pid {
		t.Errorf("the server is %v, %v; want process %d", peer, err, successor.Process.Pid)
	}
	_, err = socket.Listen(path)
	checkInUse(t, err, fmt.Sprintf("process %d holds its lock", successor.Process.Pid))
}

// takeOverAndSayHello is listenAndSayHello for a successor.
func takeOverAndSayHello(args []string) error {
	l, err := (&listener.Config{}).TakeOver(context.Background(), args[0], dial)
	if err != nil {
		return err
	}
	if err := l.Commit(); err != nil {
		return err
	}
	return sayHello(l)
}

func sendFiles(t *testing.T, conn *net.UnixConn, files ...*os.File) {
	t.Helper()
	var fds []int
	for _, f := range files {
		fds = append(fds, int(f.Fd()))
	}
	if _, _, err := conn.WriteMsgUnix([]byte("Y"), unix.UnixRights(fds...), nil); err != nil {
		t.Error(err)
	}
}

// Both ends have the same open file. If either makes it blocking, an accept of the other can no
// longer be ended, and the handover hangs now and then.
func TestHandoverLeavesTheListenerNonblocking(t *testing.T) {
	t.Parallel()
	path := fixture.FreePath(t)
	owner := listen(t, path)
	handed := offer(t.Context(), owner)
	successor := takeOver(t, path)
	for name, l := range map[string]*listener.Listener{"owner": owner, "successor": successor} {
		raw, err := l.SyscallConn()
		if err != nil {
			t.Fatal(err)
		}
		var flags int
		if err := raw.Control(func(fd uintptr) { flags, err = unix.FcntlInt(fd, unix.F_GETFL, 0) }); err != nil {
			t.Fatal(err)
		}
		if err != nil || flags&unix.O_NONBLOCK == 0 {
			t.Errorf("the listener of the %s blocks: flags %#x, %v", name, flags, err)
		}
	}
	successor.Close()
	<-handed
}
