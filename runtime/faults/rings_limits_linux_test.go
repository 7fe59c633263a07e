package faults_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
	"google.golang.org/grpc"
	"google.golang.org/grpc/stats"

	greeterv1 "github.com/udsgrpc/udsgrpc/examples/greeter/gen/greeter/v1"
	"github.com/udsgrpc/udsgrpc/internal/testproc"
	"github.com/udsgrpc/udsgrpc/runtime"
	"github.com/udsgrpc/udsgrpc/runtime/internal/fixture"
	"github.com/udsgrpc/udsgrpc/runtime/internal/greetertest"
)

// serveUnderALimit is a program: a greeter that has, or loses, what memory for rings takes. It prints its events.
func serveUnderALimit(args []string) error {
	opts := []runtime.ServerOption{runtime.EventLog(slog.New(slog.NewTextHandler(os.Stdout, nil)))}
	if args[1] == "descriptors" {
		opts = append(opts, runtime.UnaryInterceptor(func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
			if err := noMoreDescriptors(); err != nil {
				return nil, err
			}
			return next(ctx, req)
		}))
	} else if err := limit(args[1]); err != nil {
		return err
	}
	return greetertest.ServeUntilTerminated(args[0], opts...)
}

// callUnderALimit is a program: a client that has, or loses, what memory for rings takes. It prints its events, and in the
// end how many of its connections have moved and how many calls were direct.
func callUnderALimit(args []string) error {
	opts := []runtime.DialOption{runtime.WithEventLog(slog.New(slog.NewTextHandler(os.Stdout, nil)))}
	if args[1] == "descriptors" {
		opts = append(opts, runtime.WithStatsHandler(new(limitAtConnection)))
	} else if err := limit(args[1]); err != nil {
		return err
	}
	client, conn, err := greeterv1.DialGreeterUDS(args[0], opts...)
	if err != nil {
		return err
	}
	defer conn.Close()
	for range 5 {
		if _, err := client.Greet(context.Background(), &greeterv1.GreetRequest{}); err != nil {
			return err
		}
	}
	fmt.Printf("%d moved, %d direct\n", conn.Stats().Rings, conn.Stats().Calls.Direct)
	return nil
}

// limit limits this process, by what is called so.
func limit(name string) error {
	switch name {
	case "file size":
		return unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: 1000, Max: 1000})
	case "EPERM":
		return fixture.DenyCall(unix.SYS_MEMFD_CREATE, syscall.EPERM)
	case "ENOSYS":
		return fixture.DenyCall(unix.SYS_MEMFD_CREATE, syscall.ENOSYS)
	case "noexec":
		return os.WriteFile("/proc/sys/vm/memfd_noexec", []byte("2"), 0)
	}
	return fixture.FillCgroup(name, 2<<20) // so much is left that the process can go on
}

// noMoreDescriptors lets this process have no more than it has.
func noMoreDescriptors() error { return syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{}) }

// limitAtConnection is a stats handler that does so when there is a connection, before anything is received there.
type limitAtConnection struct{ greetertest.ConnCounter }

func (*limitAtConnection) HandleConn(_ context.Context, s stats.ConnStats) {
	if _, ok := s.(*stats.ConnBegin); ok {
		if err := noMoreDescriptors(); err != nil {
			fmt.Println(err)
		}
	}
}

// startUnderALimit starts a program with a limit. It skips a test of what this machine does not have.
func startUnderALimit(t *testing.T, program, path, limit string) *testproc.Process {
	t.Helper()
	if limit == "cgroup" {
		if fixture.RaceDetector {
			t.Skip("the race detector takes more memory than is left")
		}
		if limit = fixture.NewCgroup(); limit == "" {
			t.Skip("control groups cannot be made here")
		}
		t.Cleanup(func() { os.Remove(limit) })
	}
	cmd := testproc.Command(t, program, path, limit)
	if limit == "noexec" {
		greetertest.NeedRoot(t)
		if _, err := os.Stat("/proc/sys/vm/memfd_noexec"); err != nil {
			t.Skip("Linux before 6.3")
		}
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID} // which the setting is for
	}
	return testproc.StartCmd(t, cmd)
}

// awaitLine returns the next line of a process that has a text in it, and how many came before.
func awaitLine(p *testproc.Process, text string) (line string, before []string) {
	for line = p.Line(); !strings.Contains(line, text); line = p.Line() {
		before = append(before, line)
	}
	return line, before
}

const noRings = `msg="no shared memory"`

// What a server needs for rings can be missing. All connections, old and new, then go on over their sockets, and the
// server says why, once.
func TestServerUnderALimitServesOverItsSockets(t *testing.T) {
	t.Parallel()
	overRings(t)
	for limit, why := range map[string]string{
		"file size":   "file too large",
		"EPERM":       "memfd_create: operation not permitted",
		"ENOSYS":      "memfd_create: function not implemented",
		"cgroup":      "cannot allocate memory",
		"descriptors": "too many open files",
		"noexec":      "", // which rings do not break
	} {
		t.Run(limit, func(t *testing.T) {
			t.Parallel()
			path := fixture.FreePath(t)
			server := startUnderALimit(t, "greeter under a limit", path, limit)
			awaitLine(server, "msg=serving")
			first, firstConn := greetertest.Dial(t, path)
			second, secondConn := greetertest.Dial(t, path)
			if limit == "descriptors" {
				second, secondConn = first, firstConn // which would be turned away
			}
			for range 5 {
				greetertest.Greet(t, first)
				greetertest.Greet(t, second)
			}
			want := int64(0)
			if why == "" {
				want = 1
			}
			for _, conn := range []*runtime.ClientConn{firstConn, secondConn} {
				if stats := conn.Stats(); stats.Rings != want || stats.Calls.HTTP2 != 0 || stats.Connections.Direct != 1 {
					t.Errorf("a client counted %+v", stats)
				}
			}
			if why != "" {
				if told, _ := awaitLine(server, noRings); !strings.Contains(told, why) {
					t.Errorf("the server says %s", told)
				}
			}
			if err := server.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			for line, more := server.NextLine(); more; line, more = server.NextLine() {
				if strings.Contains(line, noRings) {
					t.Errorf("the server says again: %s", line)
				}
			}
			if err := server.WaitExit(); err != nil && limit != "noexec" { // where it is the first process and handles signals
				t.Error(err)
			}
		})
	}
}

// A client needs a descriptor for a moment, and no more.
func TestClientUnderALimitCallsOverItsSocket(t *testing.T) {
	t.Parallel()
	overRings(t)
	for limit, why := range map[string]string{
		"file size":   "",
		"EPERM":       "",
		"ENOSYS":      "",
		"cgroup":      "",
		"noexec":      "",
		"descriptors": "no descriptors left",
	} {
		t.Run(limit, func(t *testing.T) {
			t.Parallel()
			path := fixture.FreePath(t)
			srv := greetertest.Serve(t, path, greetertest.New())
			client := startUnderALimit(t, "call under a limit", path, limit)
			counted, told := awaitLine(client, " moved, ")
			moved, reasons := 1, 0
			if why != "" {
				moved, reasons = 0, 1
			}
			if want := fmt.Sprintf("%d moved, 5 direct", moved); counted != want {
				t.Errorf("the client counted %s, want %s", counted, want)
			}
			if all := strings.Join(told, "\n"); strings.Count(all, noRings) != reasons || !strings.Contains(all, why) {
				t.Errorf("the client says %s", all)
			}
			if n := srv.Stats().Rings; n != int64(moved) {
				t.Errorf("the server counted %d", n)
			}
		})
	}
}
