package socket_test

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/udsgrpc/udsgrpc/internal/testproc"
	"github.com/udsgrpc/udsgrpc/runtime/internal/fixture"
	"github.com/udsgrpc/udsgrpc/runtime/socket"
)

// connectAndStay is a program: it connects to a path and waits to be killed.
func connectAndStay(args []string) error {
	conn, err := net.Dial("unix", args[0])
	if err != nil {
		return err
	}
	fmt.Println("connected")
	_, err = conn.Read(make([]byte, 1))
	return err
}

// connectAndHandOver is a program: it connects to a path, gives the connection to a child of
// its own, and ends.
func connectAndHandOver(args []string) error {
	conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: args[0], Net: "unix"})
	if err != nil {
		return err
	}
	f, err := conn.File()
	if err != nil {
		return err
	}
	return handOn(f)
}

// handOn gives f to a process that keeps it open, and prints its id.
func handOn(f *os.File) error {
	successor := exec.Command("sleep", "600")
	successor.ExtraFiles = []*os.File{f}
	if err := successor.Start(); err != nil {
		return err
	}
	fmt.Println(successor.Process.Pid)
	return nil
}

func accept(t *testing.T, l *socket.Listener) *net.UnixConn {
	t.Helper()
	conn, err := l.AcceptUnix()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

func TestPeerIsTheProcessThatConnected(t *testing.T) {
	t.Parallel()
	path := fixture.FreePath(t)
	l := listen(t, path)
	cmd := testproc.Command(t, "connect and stay", path)
	want := socket.Peer{UID: os.Geteuid(), GID: os.Getegid(), HasUID: true, HasPID: true}
	if os.Geteuid() == 0 {
		if err := errors.Join(os.Chmod(filepath.Dir(path), 0o755), os.Chmod(path, 0o666)); err != nil {
			t.Fatal(err)
		}
		want.UID, want.GID = 1234, 2345
		for gid := 3000; gid < 3100; gid++ { // more than fit into the first try
			want.Groups = append(want.Groups, gid)
		}
		credential := &syscall.Credential{Uid: 1234, Gid: 2345}
		for _, gid := range want.Groups {
			credential.Groups = append(credential.Groups, uint32(gid))
		}
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: credential}
		cmd.Dir = "/"
	}
	client := testproc.StartCmd(t, cmd)
	client.Line()
	want.PID = client.Process.Pid
	conn := accept(t, l)
	got, err := socket.PeerOf(conn)
	if err != nil {
		t.Fatal(err)
	}
	if got.UID != want.UID || got.GID != want.GID || got.PID != want.PID || !got.HasUID || !got.HasPID ||
		want.Groups != nil && !slices.Equal(got.Groups, want.Groups) {
		t.Errorf("peer is %+v, want %+v", got, want)
	}

	pidfd, err := got.OpenPidfd()
	if errors.Is(err, socket.ErrUnsupported) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer pidfd.Close()
	if err := unix.PidfdSendSignal(int(pidfd.Fd()), unix.SIGKILL, nil, 0); err != nil {
		t.Fatal(err)
	}
	if err := client.WaitExit(); err == nil {
		t.Error("the pidfd was not that of the client: it still runs")
	}
	conn.Close()
	if _, err := got.OpenPidfd(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("after the end of the connection the error is %v", err)
	}
}

// A connection may outlive the process that made it, and the process's id may be given to
// another one. The pidfd must not lead there.
func TestPidfdOfADeadPeerIsNotThatOfTheNextProcessWithItsID(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("choosing a process id takes root")
	}
	path := fixture.FreePath(t)
	l := listen(t, path)
	client := testproc.Start(t, "connect and hand over", path)
	successor, err := strconv.Atoi(client.Line())
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Kill(successor, syscall.SIGKILL)
	if err := client.WaitExit(); err != nil {
		t.Fatal(err)
	}
	peer, err := socket.PeerOf(accept(t, l))
	if err != nil {
		t.Fatal(err)
	}
	if peer.PID != client.Process.Pid {
		t.Fatalf("peer is %v, want process %d", peer, client.Process.Pid)
	}
	impostor := startWithPID(t, peer.PID)
	pidfd, err := peer.OpenPidfd()
	switch {
	case errors.Is(err, os.ErrProcessDone), errors.Is(err, socket.ErrUnsupported):
	case err != nil:
		t.Error(err)
	default:
		// Since Linux 6.16 there is a pidfd of a process that is gone, too.
		defer pidfd.Close()
		if err := unix.PidfdSendSignal(int(pidfd.Fd()), unix.SIGKILL, nil, 0); !errors.Is(err, unix.ESRCH) {
			t.Errorf("a signal to the dead peer ends in %v", err)
		}
	}
	if err := impostor.Process.Signal(syscall.Signal(0)); err != nil {
		t.Errorf("the other process was hit: %v", err)
	}
}

// startWithPID starts a process that gets the id of one that is gone.
func startWithPID(t *testing.T, pid int) *exec.Cmd {
	t.Helper()
	for range 100 { // others may be quicker
		if err := os.WriteFile("/proc/sys/kernel/ns_last_pid", []byte(strconv.Itoa(pid-1)), 0); err != nil {
			t.Skipf("cannot choose a process id: %v", err)
		}
		cmd := exec.Command("sleep", "600")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			cmd.Process.Kill()
			cmd.Wait()
		})
		if cmd.Process.Pid == pid {
			return cmd
		}
	}
	t.Skip("the process id was never free")
	return nil
}

func TestPeerOfAServerIsWhoListens(t *testing.T) {
	t.Parallel()
	path := fixture.FreePath(t)
	server := testproc.Start(t, "listen", path)
	server.Line()
	conn, err := (&socket.Dialer{}).DialContext(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	peer, err := socket.PeerOf(conn)
	if err != nil || peer.PID != server.Process.Pid || peer.UID != os.Geteuid() {
		t.Errorf("peer is %v, %v; want process %d", peer, err, server.Process.Pid)
	}
	if want := fmt.Sprintf("uid %d, gid %d, process %d", os.Geteuid(), os.Getegid(), server.Process.Pid); peer.String() != want {
		t.Errorf("peer reads %q, want %q", peer, want)
	}
}

func TestPeerOfAClosedConnectionIsUnknown(t *testing.T) {
	t.Parallel()
	path := fixture.FreePath(t)
	listen(t, path)
	conn, err := (&socket.Dialer{}).DialContext(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
	peer, err := socket.PeerOf(conn)
	if err == nil || peer.HasUID || peer.HasPID || peer.UID != -1 || !strings.Contains(peer.String(), "unknown") {
		t.Errorf("peer is %+v, %v", peer, err)
	}
	if _, err := peer.OpenPidfd(); !errors.Is(err, socket.ErrUnsupported) {
		t.Errorf("pidfd: %v", err)
	}
}
