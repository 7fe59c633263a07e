package socket_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/udsgrpc/udsgrpc/internal/testproc"
	"github.com/udsgrpc/udsgrpc/runtime/internal/fixture"
	"github.com/udsgrpc/udsgrpc/runtime/socket"
)

// stall is a program: it listens and accepts nobody.
func stall(args []string) error {
	l, err := socket.Listen(args[0])
	if err != nil {
		return err
	}
	defer l.Close()
	fmt.Println("listening")
	return unix.Pause()
}

// stallAsSystemd is stall under the name of the service manager.
func stallAsSystemd(args []string) error {
	if err := os.WriteFile("/proc/self/comm", []byte("systemd"), 0); err != nil {
		return err
	}
	return stall(args)
}

// stallUnderAnOddName is stall under a name that a careless reader of /proc stumbles over.
func stallUnderAnOddName(args []string) error {
	if err := os.WriteFile("/proc/self/comm", []byte("a) T (b) T"), 0); err != nil {
		return err
	}
	return stall(args)
}

// stallWithoutDescriptors is stall with no descriptor left below its limit, and one above.
func stallWithoutDescriptors(args []string) error {
	l, err := socket.Listen(args[0])
	if err != nil {
		return err
	}
	defer l.Close()
	if err := unix.Dup3(0, 100, 0); err != nil {
		return err
	}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 64, Max: 64}); err != nil {
		return err
	}
	for err == nil {
		_, err = unix.Dup(0)
	}
	if !errors.Is(err, unix.EMFILE) {
		return err
	}
	fmt.Println("listening")
	return unix.Pause()
}

// listenAndHandOn is a program: it listens, gives the socket to a child of its own, which accepts
// nobody, and ends.
func listenAndHandOn(args []string) error {
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: args[0], Net: "unix"})
	if err != nil {
		return err
	}
	f, err := l.File()
	if err != nil {
		return err
	}
	return handOn(f)
}

// answer is a program: it listens for everybody, and begins as an HTTP/2 server does.
func answer(args []string) error {
	l, err := (&socket.ListenConfig{Mode: 0o666}).Listen(context.Background(), args[0])
	if err != nil {
		return err
	}
	defer l.Close()
	fmt.Println("listening")
	for {
		conn, err := l.Accept()
		if err != nil {
			return err
		}
		say(settingsFrame)(conn)
		conn.Close()
	}
}

func TestUnresponsiveServerIsSaidToBeWhatTheSystemKnows(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		program string
		prepare func(*testing.T, *testproc.Process)
		want    string // with the process id for PID
	}{
		"stopped":                          {"stall", stop, "it is stopped: kill -CONT PID"},
		"in a debugger":                    {"stall", debug, "a debugger has stopped it"},
		"out of descriptors":               {"stall without descriptors", nil, "it has no descriptors left: 64 of 64 are in use: raise its limit"},
		"a service manager":                {"stall as systemd", nil, "that is the service manager"},
		"none of these":                    {"stall", nil, "it hangs, is stopped, or does not speak HTTP/2"},
		"none of these, under an odd name": {"stall under an odd name", nil, "it hangs, is stopped, or does not speak HTTP/2"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := fixture.FreePath(t)
			server := testproc.Start(t, c.program, path)
			server.Line()
			if c.prepare != nil {
				c.prepare(t, server)
			}
			checkUnresponsive(t, path, server.Process.Pid, c.want)
		})
	}
}

func checkUnresponsive(t *testing.T, path string, pid int, want string) {
	t.Helper()
	want = fmt.Sprintf("the server, process %d of uid %d, has not answered within 1s: ", pid, os.Geteuid()) +
		strings.ReplaceAll(want, "PID", strconv.Itoa(pid))
	if d := socket.Diagnose(t.Context(), path); d.Condition != socket.Unresponsive || !strings.HasPrefix(d.Detail, want) {
		t.Errorf("diagnosis is %v; want %q", d, want)
	}
}

func stop(t *testing.T, p *testproc.Process) {
	if err := p.Process.Signal(unix.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	waitStopped(t, p, unix.WUNTRACED)
}

// debug stops the process as a debugger does, until the test ends. Only the thread that has
// attached to it may speak to it.
func debug(t *testing.T, p *testproc.Process) {
	runtime.LockOSThread()
	t.Cleanup(runtime.UnlockOSThread)
	if err := unix.PtraceAttach(p.Process.Pid); errors.Is(err, unix.EPERM) {
		t.Skipf("this system lets nobody debug: %v", err)
	} else if err != nil {
		t.Fatal(err)
	}
	waitStopped(t, p, unix.WALL)
}

func waitStopped(t *testing.T, p *testproc.Process, options int) {
	t.Helper()
	var status unix.WaitStatus
	if _, err := unix.Wait4(p.Process.Pid, &status, options, nil); err != nil || !status.Stopped() {
		t.Fatalf("waiting for the process to stop ended with %#x, %v", status, err)
	}
}

// The kernel names the process that began to listen, even when another one has the socket now.
func TestProcessThatHasEndedIsNotBlamed(t *testing.T) {
	t.Parallel()
	for name, wait := range map[string]func(*testproc.Process) error{
		"and was waited for": (*testproc.Process).WaitExit,
		"and was not waited for": func(p *testproc.Process) error {
			return unix.Waitid(unix.P_PID, p.Process.Pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := fixture.FreePath(t)
			server := testproc.Start(t, "listen and hand on", path)
			successor, err := strconv.Atoi(server.Line())
			if err != nil {
				t.Fatal(err)
			}
			defer syscall.Kill(successor, syscall.SIGKILL)
			if err := wait(server); err != nil {
				t.Fatal(err)
			}
			checkUnresponsive(t, path, server.Process.Pid, "that process has ended, and another one has the socket")
		})
	}
}

func TestServerOfAnotherUserIsSaidToBeRefused(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("becoming another user takes root")
	}
	path := fixture.FreePath(t)
	if err := errors.Join(os.Chmod(filepath.Dir(path), 0o755), os.Chown(filepath.Dir(path), 1234, -1)); err != nil {
		t.Fatal(err)
	}
	cmd := testproc.Command(t, "answer", path)
	runAs(cmd, 1234)
	server := testproc.StartCmd(t, cmd)
	server.Line()
	who := fmt.Sprintf("ready: the server, process %d of uid 1234, accepts connections and answers", server.Process.Pid)
	const refused = "; it is of another user, so clients refuse it by default: runtime.WithServerPolicy(runtime.AllowUID(1234)) lets them talk to it"
	for uid, want := range map[uint32]string{0: who + refused, 1234: who, 1235: who + refused} {
		cmd := testproc.Command(t, "diagnose", path)
		runAs(cmd, uid)
		if line := testproc.StartCmd(t, cmd).Line(); line != want {
			t.Errorf("uid %d reads %q, want %q", uid, line, want)
		}
	}
}

func TestServerOfRootIsSaidToBeTrusted(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("becoming another user takes root")
	}
	path := fixture.FreePath(t)
	serveOne(t, listenWith(t, path, socket.ListenConfig{Mode: 0o666}), say(settingsFrame))
	if err := os.Chmod(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := testproc.Command(t, "diagnose", path)
	runAs(cmd, 1234)
	want := fmt.Sprintf("ready: the server, process %d of uid 0, accepts connections and answers", os.Getpid())
	if line := testproc.StartCmd(t, cmd).Line(); line != want {
		t.Errorf("uid 1234 reads %q, want %q", line, want)
	}
}

// From within namespaces in which the server's user and process have no number.
func TestServerOfAnUnknownUserIsSaidToBeRefused(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("becoming another user takes root")
	}
	path := fixture.FreePath(t)
	serveOne(t, listenWith(t, path, socket.ListenConfig{Mode: 0o666}), say(settingsFrame))
	if err := os.Chmod(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := testproc.Command(t, "diagnose", path)
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWPID,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: 1234, Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: 1234, Size: 1}},
		Credential:  &syscall.Credential{},
	}
	const want = "ready: the server accepts connections and answers; it is of uid 65534 (nobody, or a user unknown in this user namespace), so clients refuse it: run both in one user namespace, or give them runtime.WithServerPolicy(runtime.Anyone())"
	if line := testproc.StartCmd(t, cmd).Line(); line != want {
		t.Errorf("who is elsewhere reads %q, want %q", line, want)
	}
}
