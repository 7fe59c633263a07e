package migrate_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"connectrpc.com/connect/v2"
	"google.golang.org/grpc/status"

	"github.com/udsgrpc/udsgrpc/internal/testproc"
)

// peer is a way to serve and call a function that takes a line of text and returns one.
type peer struct {
	name    string // of the document
	module  string
	prepare func(t *testing.T, path string)                          // what the server needs first; nil for nothing
	claims  bool                                                     // the path, itself
	serve   func(ctx context.Context, path string, f function) error // until the end of ctx, as a careful program does it
	dial    func(path string) (function, func() error, error)
}

type function func(ctx context.Context, line string) (string, error)

// What the server does with a line.
const (
	wait  = "wait"  // until the end of the context
	slow  = "slow"  // until the test says so
	crash = "crash" // panic
	big   = "big"   // answer with 5 MiB
)

const tooBig = 5 << 20

// behave is the function that is served. It says on standard output what happens.
func behave(release <-chan struct{}) function {
	return func(ctx context.Context, line string) (string, error) {
		switch line {
		case wait:
			fmt.Println("began")
			select {
			case <-ctx.Done():
				fmt.Println("ended:", ctx.Err())
				<-release // so that the client tells what it has noticed itself
				return "", ctx.Err()
			case <-release:
				fmt.Println("never ended")
				return "late", nil
			}
		case slow:
			fmt.Println("began")
			<-release
			return "done", nil
		case crash:
			panic("a fault of the handler")
		case big:
			return strings.Repeat("x", tooBig), nil
		}
		return fmt.Sprint(len(line)), nil
	}
}

// facts are the rows of a table, in order.
type facts struct{ rows, cells []string }

func (f *facts) add(row, format string, args ...any) {
	f.rows, f.cells = append(f.rows, row), append(f.cells, fmt.Sprintf(format, args...))
}

// measured is a server of a peer in a process of its own, and a client.
type measured struct {
	t    *testing.T
	peer peer
	path string
	*testproc.Process
	call  function
	close func() error
}

func measure(t *testing.T, p peer) *measured {
	m := &measured{t: t, peer: p, path: filepath.Join(testproc.OpenDir(t), "s")}
	if p.prepare != nil {
		p.prepare(t, m.path)
	}
	m.start()
	var err error
	if m.call, m.close, err = p.dial(m.path); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.close() })
	if got, err := m.do("four"); got != "4" || err != nil {
		t.Fatalf("the first call of %s: got %q, %v", p.name, got, err)
	}
	return m
}

func (m *measured) start() {
	m.t.Helper()
	m.Process = testproc.Start(m.t, "serve", m.peer.name, m.path)
	if line := m.Line(); line != "serving" {
		m.t.Fatalf("the server of %s says %q", m.peer.name, line)
	}
}

// do makes a call that may not take for ever.
func (m *measured) do(line string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	return m.call(ctx, line)
}

// next describes what happens to the next call of the same client.
func (m *measured) next() string {
	got, err := m.do("next")
	switch {
	case err != nil:
		return "the next call: " + describe(err)
	case got != "4":
		return "the next call gets another call's answer"
	}
	return "the next call works"
}

// describe says what a program sees of an error, without what differs from run to run.
func describe(err error) string {
	if err == nil {
		return "no error"
	}
	var text string
	if s, ok := status.FromError(err); ok {
		text = "`" + s.Code().String() + "`"
	} else {
		text = err.Error()
		first, _, more := strings.Cut(text, ": ")
		switch {
		case strings.Contains(text, "read unix") || strings.Contains(text, "write unix") || first == "manager closed":
			return "an error of the connection"
		case connect.CodeOf(err) != connect.CodeUnknown:
			text = "connect's `" + first + "`"
		case more && len(text) > 40:
			text = "`" + first + ": …`"
		default:
			text = "`" + text + "`"
		}
	}
	for target, name := range map[error]string{context.DeadlineExceeded: "context.DeadlineExceeded", context.Canceled: "context.Canceled"} {
		if errors.Is(err, target) {
			text += ", `errors.Is` " + name
		}
	}
	return text
}

// soon is how long something may take that happens at once or never.
const soon = time.Second

// handler says what becomes of the handler of a call that the client has given up.
func (m *measured) handler() string {
	late := time.AfterFunc(soon, m.release)
	line := m.Line()
	if late.Stop() {
		m.release()
	}
	if line == "never ended" {
		return "the handler's context does not end"
	}
	return "the handler's context ends"
}

func deadline(t *testing.T, p peer, f *facts) {
	m := measure(t, p)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := m.call(ctx, wait)
	m.Line() // it began
	f.add("a deadline passes", "%s; %s; %s", describe(err), m.handler(), m.next())
}

func cancelled(t *testing.T, p peer, f *facts) {
	m := measure(t, p)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { _, err := m.call(ctx, wait); done <- err }()
	m.Line() // it began
	cancel()
	err := <-done
	f.add("a call is cancelled", "%s; %s; %s", describe(err), m.handler(), m.next())
}

func panics(t *testing.T, p peer, f *facts) {
	m := measure(t, p)
	_, err := m.do(crash)
	ended := make(chan error, 1)
	go func() { ended <- m.WaitExit() }()
	fate := "the server's process ends"
	select {
	case <-ended:
	case <-time.After(soon):
		fate = "the server lives; " + m.next()
		m.Kill()
		<-ended
	}
	f.add("a handler panics", "%s; %s", describe(err), fate)
}

func limits(t *testing.T, p peer, f *facts) {
	m := measure(t, p)
	_, err := m.do(strings.Repeat("x", tooBig))
	f.add("a request of 5 MiB", "%s; %s", describe(err), m.next())
	m = measure(t, p)
	_, err = m.do(big)
	f.add("an answer of 5 MiB", "%s; %s", describe(err), m.next())
}

func shutdown(t *testing.T, p peer, f *facts) {
	m := measure(t, p)
	// The first call of a client: ttrpc treats a connection that has had one otherwise, now and then.
	call, closeClient, err := p.dial(m.path)
	if err != nil {
		t.Fatal(err)
	}
	defer closeClient()
	done := make(chan error, 1)
	go func() { _, err := call(t.Context(), slow); done <- err }()
	m.Line() // it began
	m.terminate()
	select {
	case err = <-done:
	case <-time.After(soon): // the server waits for the call
		m.release()
		err = <-done
	}
	f.add("the server is told to end while a call runs", "%s", describe(err))
}

func reconnects(t *testing.T, p peer, f *facts) {
	m := measure(t, p)
	m.Kill()
	m.WaitExit()
	m.start()
	f.add("the server is killed and started again", "%s", m.next())
}

// release lets the handlers go on.
func (m *measured) release() { m.signal(syscall.SIGUSR1) }

func (m *measured) terminate() { m.signal(syscall.SIGTERM) }

func (m *measured) signal(s syscall.Signal) {
	m.t.Helper()
	if err := m.Process.Process.Signal(s); err != nil {
		m.t.Error(err)
	}
}

// serveProgram is the server's process.
func serveProgram(args []string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	usr1 := make(chan os.Signal, 1)
	signal.Notify(usr1, syscall.SIGUSR1)
	release := make(chan struct{})
	go func() { <-usr1; close(release) }()
	i := slices.IndexFunc(peers, func(p peer) bool { return p.name == args[0] })
	return peers[i].serve(ctx, args[1], behave(release))
}

var peers = []peer{udsgrpcPeer, grpcPeer, connectPeer, ttrpcPeer, drpcPeer, varlinkPeer, dbusPeer}

func socketFile(t *testing.T, p peer, f *facts) {
	if !p.claims {
		return // whoever calls net.Listen decides
	}
	path := filepath.Join(testproc.OpenDir(t), "s")
	if err := os.WriteFile(path, []byte("somebody's"), 0o644); err != nil {
		t.Fatal(err)
	}
	f.add("an ordinary file is at the path", "%s", inTheWay(t, p, path))
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	first := testproc.Start(t, "serve", p.name, path)
	first.Line()
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	f.add("the socket's mode", "%#o", info.Mode().Perm())
	f.add("a live server is at the path", "%s", inTheWay(t, p, path))
	first.Kill()
	first.WaitExit()
	if _, err := os.Lstat(path); err == nil {
		f.add("the file of a server that was killed is at the path", "%s", inTheWay(t, p, path))
	}
}

// inTheWay starts a server where something is at its path already.
func inTheWay(t *testing.T, p peer, path string) string {
	next := testproc.Start(t, "serve", p.name, path)
	defer next.Kill()
	if line, ok := next.NextLine(); ok && line == "serving" {
		return "it is replaced"
	}
	return "the server does not start, and what was there stays"
}
