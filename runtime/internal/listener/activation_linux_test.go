package listener_test

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/udsgrpc/udsgrpc/internal/testproc"
	"github.com/udsgrpc/udsgrpc/runtime/internal/fixture"
	"github.com/udsgrpc/udsgrpc/runtime/internal/listener"
	"github.com/udsgrpc/udsgrpc/runtime/socket"
)

// activate is a program: a service that got descriptors from its manager. It executes its
// arguments, and prints a result for each on a line.
func activate(args []string) error {
	if os.Getenv("LISTEN_PID") == "self" {
		os.Setenv("LISTEN_PID", strconv.Itoa(os.Getpid()))
	}
	var l *listener.Listener
	for _, arg := range args {
		verb, what, _ := strings.Cut(arg, " ")
		switch verb {
		case "listen":
			addr, err := socket.ParseAddress(what)
			if err != nil {
				return err
			}
			var ok bool
			l, ok, err = listener.Activated(addr.String())
			fmt.Println(ok, err)
		case "name":
			addr, ok, err := listener.ActivatedAddress(what)
			fmt.Println(ok, addr, err)
		case "accept":
			conn, err := l.Accept()
			if err == nil {
				fmt.Fprintln(conn, "hello")
				conn.Close()
			}
			fmt.Println(errors.Is(err, os.ErrDeadlineExceeded), err)
		case "pending":
			fmt.Println(l.HasQueued())
		case "withdraw":
			fmt.Println(l.Withdraw())
		case "close":
			fmt.Println(l.Close(), l.Close(), l.Withdraw())
		case "inheritable":
			n, err := strconv.Atoi(what)
			if err != nil {
				return err
			}
			for fd := 3; fd < 3+n; fd++ {
				flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
				fmt.Print(flags&unix.FD_CLOEXEC == 0, " ", err, " ")
			}
			fmt.Println()
		}
	}
	return nil
}

// passTo starts the program "activate" as a manager would, with env and files.
func passTo(t *testing.T, files []*os.File, env []string, args ...string) *testproc.Process {
	t.Helper()
	cmd := testproc.Command(t, "activate", args...)
	cmd.Env = append(cmd.Env, "LISTEN_PID=self", "LISTEN_FDS="+strconv.Itoa(len(files)))
	cmd.Env = append(cmd.Env, env...)
	cmd.ExtraFiles = files
	return testproc.StartCmd(t, cmd)
}

func checkLines(t *testing.T, p *testproc.Process, want ...string) {
	t.Helper()
	for _, w := range want {
		if got := strings.TrimSpace(p.Line()); got != w && !(strings.HasPrefix(w, "…") && strings.Contains(got, w[len("…"):])) {
			t.Errorf("the service says %q, want %q", got, w)
		}
	}
	if err := p.WaitExit(); err != nil {
		t.Error(err)
	}
}

// bound returns a socket that is bound to an address.
func bound(t *testing.T, kind int, name string) *os.File {
	t.Helper()
	fd, err := unix.Socket(unix.AF_UNIX, kind|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	f := os.NewFile(uintptr(fd), name)
	t.Cleanup(func() { f.Close() })
	if err := unix.Bind(fd, &unix.SockaddrUnix{Name: name}); err != nil {
		t.Fatal(err)
	}
	return f
}

// managed returns a socket as a service manager makes it.
func managed(t *testing.T, name string) *os.File {
	t.Helper()
	f := bound(t, unix.SOCK_STREAM, name)
	if err := unix.Listen(int(f.Fd()), 100); err != nil {
		t.Fatal(err)
	}
	return f
}

func abstractName(t *testing.T) string { return fmt.Sprintf("@udsgrpc-%d-%s", os.Getpid(), t.Name()) }

func TestPassedListenerIsFoundByItsAddress(t *testing.T) {
	t.Parallel()
	first, second, abstract := fixture.FreePath(t), fixture.FreePath(t), abstractName(t)
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	tcp, err := net.ListenTCP("tcp", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tcp.Close()
	tcpFile, err := tcp.File()
	if err != nil {
		t.Fatal(err)
	}
	defer tcpFile.Close()
	unbound, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	unboundFile := os.NewFile(uintptr(unbound), "")
	defer unboundFile.Close()
	link := filepath.Join(fixture.ShortDir(t), "link")
	if err := os.Symlink(filepath.Dir(second), link); err != nil {
		t.Fatal(err)
	}
	files := []*os.File{null, tcpFile, unboundFile, bound(t, unix.SOCK_DGRAM, abstract), managed(t, first), managed(t, abstract), managed(t, second)}
	p := passTo(t, files, nil,
		"listen "+first,
		"listen unix-abstract:"+abstract[1:],
		"listen "+link+"/s.sock",
		"listen "+fixture.FreePath(t),
		"inheritable 7")
	checkLines(t, p, "true <nil>", "true <nil>", "true <nil>", "false <nil>", strings.TrimSpace(strings.Repeat("false <nil> ", 7)))
}

func TestPassedListenerStaysTheManagers(t *testing.T) {
	t.Parallel()
	for _, name := range []string{fixture.FreePath(t), abstractName(t)} {
		f := managed(t, name)
		dial := func() *net.UnixConn {
			conn, err := (&socket.Dialer{}).DialContext(t.Context(), name)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { conn.Close() })
			return conn
		}
		dial()
		late := dial()
		checkLines(t, passTo(t, []*os.File{f}, nil,
			"listen "+name, "pending", "accept", "pending",
			"withdraw", "withdraw", "pending", "accept",
			"listen "+name, "listen "+name),
			"true <nil>", "true", "false <nil>", "true",
			"<nil>", "<nil>", "false", "…true accept unix ",
			"…this process listens on it already", "…this process listens on it already")
		// Who came too late for the first process waits for the second, which finds it twice.
		checkLines(t, passTo(t, []*os.File{f}, nil,
			"listen "+name, "close", "listen "+name, "pending", "accept"),
			"true <nil>", "<nil> <nil> <nil>", "true <nil>", "true", "false <nil>")
		greeting := make([]byte, len("hello\n"))
		if _, err := late.Read(greeting); err != nil || string(greeting) != "hello\n" {
			t.Errorf("the client that waited reads %q, %v", greeting, err)
		}
		dial()
	}
}

func TestWhatWasPassedToAnotherProcessIsIgnored(t *testing.T) {
	t.Parallel()
	path := fixture.FreePath(t)
	files := []*os.File{managed(t, path)}
	for _, env := range []string{
		"LISTEN_PID=" + strconv.Itoa(os.Getpid()), "LISTEN_PID=1", "LISTEN_PID=", "LISTEN_FDS=", "LISTEN_FDS=0",
	} {
		checkLines(t, passTo(t, files, []string{env}, "listen "+path, "name x"), "false <nil>", "false  <nil>")
	}
}

func TestSenselessActivationIsAnError(t *testing.T) {
	t.Parallel()
	path := fixture.FreePath(t)
	files := []*os.File{managed(t, path)}
	for env, want := range map[string]string{
		"LISTEN_PID=one":                "…LISTEN_PID is \"one\", want a number",
		"LISTEN_PID=-1":                 "…LISTEN_PID is \"-1\", want a number",
		"LISTEN_FDS=one":                "…LISTEN_FDS is \"one\", want a number",
		"LISTEN_FDS=-1":                 "…LISTEN_FDS is \"-1\", want a number",
		"LISTEN_FDS=1 ":                 "…LISTEN_FDS is \"1 \", want a number",
		"LISTEN_FDS=2147483647":         "…LISTEN_FDS is \"2147483647\", want a number up to",
		"LISTEN_FDS=999999999999999999": "…LISTEN_FDS is \"999999999999999999\", want a number up to",
	} {
		checkLines(t, passTo(t, files, []string{env}, "listen "+path, "name x"), want, want)
		checkLines(t, passTo(t, files, []string{env}, "listen "+path), "…"+path)
	}
	// Descriptors that other code has closed by now are none.
	checkLines(t, passTo(t, files, []string{"LISTEN_FDS=100"}, "listen "+fixture.FreePath(t), "listen "+path), "false <nil>", "true <nil>")
}

func TestPassedSocketThatCannotBeUsedIsAnError(t *testing.T) {
	t.Parallel()
	datagram, idle, listening := fixture.FreePath(t), fixture.FreePath(t), fixture.FreePath(t)
	checkLines(t, passTo(t, []*os.File{bound(t, unix.SOCK_DGRAM, datagram), bound(t, unix.SOCK_STREAM, idle)}, nil,
		"listen "+datagram, "listen "+idle),
		"…descriptor 3: it is a datagram or seqpacket socket", "…descriptor 4: it is a connection, or does not listen")

	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: listening, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	conn, err := net.Dial("unix", listening)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	accepted, err := l.AcceptUnix()
	if err != nil {
		t.Fatal(err)
	}
	defer accepted.Close()
	f, err := accepted.File()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	checkLines(t, passTo(t, []*os.File{f}, nil, "listen "+listening), "…Accept=no")
}

func TestPassedListenerIsFoundByItsName(t *testing.T) {
	t.Parallel()
	app, twin, abstract := fixture.FreePath(t), fixture.FreePath(t), abstractName(t)
	datagram := fixture.FreePath(t)
	files := []*os.File{bound(t, unix.SOCK_DGRAM, datagram), managed(t, app), managed(t, abstract), managed(t, twin), managed(t, fixture.FreePath(t))}
	checkLines(t, passTo(t, files, []string{"LISTEN_FDNAMES=app:app:admin:twins:twins"},
		"name app", "name admin", "name twins", "name other", "name "),
		"true "+app+" <nil>", "true "+abstract+" <nil>", "…both "+twin+" and ", "false  <nil>", "false  <nil>")
	for _, names := range []string{"LISTEN_FDNAMES=app", "LISTEN_FDNAMES=a:b:c:d:e:f", "LISTEN_FDNAMES="} {
		checkLines(t, passTo(t, files, []string{names}, "name app", "listen "+app), "…LISTEN_FDS is 5", "true <nil>")
	}
}
