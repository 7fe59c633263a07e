package socket_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/udsgrpc/udsgrpc/internal/testproc"
	"github.com/udsgrpc/udsgrpc/runtime/internal/fixture"
	"github.com/udsgrpc/udsgrpc/runtime/socket"
)

// Real processes, all released at once onto a path with a dead socket.
func TestOneOfFiftyProcessesThatStartAtOnceWins(t *testing.T) {
	t.Parallel()
	path := fixture.FreePath(t)
	abandonSocket(t, path)
	gate, open, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer gate.Close()
	starters := make([]*testproc.Process, 50)
	for i := range starters {
		cmd := testproc.Command(t, "contend", path)
		cmd.ExtraFiles = []*os.File{gate}
		starters[i] = testproc.StartCmd(t, cmd)
	}
	for _, s := range starters {
		if line := s.Line(); line != "ready" {
			t.Fatalf("a starter says %q", line)
		}
	}
	open.Close()
	winners := 0
	for _, s := range starters {
		switch line := s.Line(); line {
		case "won":
			winners++
		case "lost":
		default:
			t.Errorf("a starter says %q", line)
		}
	}
	if winners != 1 {
		t.Errorf("%d of %d processes won", winners, len(starters))
	}
}

// contend waits until the gate, descriptor 3, opens, then tries to get the path. A winner
// keeps it until it is killed.
func contend(args []string) error {
	gate := os.NewFile(3, "gate")
	fmt.Println("ready")
	gate.Read(make([]byte, 1))
	_, err := socket.Listen(args[0])
	switch {
	case err == nil:
		fmt.Println("won")
		return testproc.WaitForKill()
	case errors.Is(err, socket.ErrInUse):
		fmt.Println("lost")
		return nil
	default:
		return err
	}
}

// Servers come, die at random moments by kill -9, and come again. At no time may two of
// them hold the path: each takes a referee's lock, which the kernel keeps, while it thinks
// that it does.
func TestNoTwoServersOverlapInACrashStorm(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("takes seconds")
	}
	path := fixture.FreePath(t)
	referee := filepath.Join(fixture.ShortDir(t), "referee")
	end := time.Now().Add(4 * time.Second)
	results := make(chan string)
	const workers = 6
	for range workers {
		go func() {
			var wins int
			verdict := ""
			for time.Now().Before(end) && verdict == "" {
				cmd := testproc.Command(t, "listen and die", path, referee)
				out, err := cmd.Output()
				wins += strings.Count(string(out), "won\n")
				var exit *exec.ExitError
				if err != nil && !(errors.As(err, &exit) && exit.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL) {
					verdict = fmt.Sprintf("%v: %s%s", err, out, exitStderr(exit))
				}
			}
			if verdict == "" && wins == 0 {
				verdict = "a worker never won"
			}
			results <- verdict
		}()
	}
	for range workers {
		if verdict := <-results; verdict != "" {
			t.Error(verdict)
		}
	}
}

func exitStderr(err *exec.ExitError) string {
	if err == nil {
		return ""
	}
	return string(err.Stderr)
}

// listenAndDie gets the path again and again until one of its lives ends by kill -9 with the
// socket file left behind.
func listenAndDie(args []string) error {
	path, refereePath := args[0], args[1]
	for {
		l, err := socket.Listen(path)
		if errors.Is(err, socket.ErrInUse) {
			<-time.After(time.Duration(rand.IntN(300)) * time.Microsecond)
			continue
		}
		if err != nil {
			return err
		}
		fmt.Println("won")
		referee, err := os.OpenFile(refereePath, os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			return err
		}
		if err := unix.Flock(int(referee.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
			return fmt.Errorf("two servers hold the path at once: %w", err)
		}
		<-time.After(time.Duration(rand.IntN(2000)) * time.Microsecond)
		if rand.IntN(3) == 0 {
			return unix.Kill(os.Getpid(), unix.SIGKILL)
		}
		referee.Close()
		if err := l.Close(); err != nil {
			return err
		}
	}
}

// Between bind(2) and chmod(2) the socket of most servers is open to whom the umask lets
// in. Here a hostile user does nothing but try.
func TestNoOtherUserGetsInAtAnyMomentWithoutUmask(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("becoming another user takes root")
	}
	dir := fixture.ShortDir(t)
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "s.sock")
	cmd := testproc.Command(t, "intrude", path)
	runAs(cmd, 1234)
	intruder := testproc.StartCmd(t, cmd)
	if line := intruder.Line(); line != "trying" {
		t.Fatalf("the intruder says %q", line)
	}
	server := testproc.Start(t, "listen without umask", path, "2000")
	if line := server.Line(); line != "done" {
		t.Fatalf("the server says %q", line)
	}
	if err := intruder.Process.Signal(unix.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if line := intruder.Line(); line != "got in 0 times" {
		t.Errorf("the intruder %s", line)
	}
}

// listenWithoutUmask listens and closes args[1] times with everybody allowed everything by
// the umask.
func listenWithoutUmask(args []string) error {
	unix.Umask(0)
	var times int
	if _, err := fmt.Sscan(args[1], &times); err != nil {
		return err
	}
	for range times {
		l, err := socket.Listen(args[0])
		if err != nil {
			return err
		}
		if err := l.Close(); err != nil {
			return err
		}
	}
	fmt.Println("done")
	return nil
}

// intrude connects until it gets SIGTERM. It counts as in even if nobody accepts: then the
// kernel has let it into the queue.
func intrude(args []string) error {
	fmt.Println("trying")
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, unix.SIGTERM)
	times := 0
	for {
		select {
		case <-stop:
			fmt.Printf("got in %d times\n", times)
			return nil
		default:
		}
		fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK, 0)
		if err != nil {
			return err
		}
		if unix.Connect(fd, &unix.SockaddrUnix{Name: args[0]}) == nil {
			times++
		}
		unix.Close(fd)
	}
}

// What the umask takes away from an asked-for mode is given back.
func TestUmaskDoesNotNarrowTheMode(t *testing.T) {
	t.Parallel()
	path := fixture.FreePath(t)
	server := testproc.Start(t, "listen wide", path)
	server.Line()
	info, err := os.Lstat(path)
	if err != nil || info.Mode().Perm() != 0o666 {
		t.Errorf("the socket has mode %v, %v", info.Mode(), err)
	}
}

// listenWide lets everybody in, if the umask allows it.
func listenWide(args []string) error {
	unix.Umask(0o077)
	l, err := (&socket.ListenConfig{Mode: 0o666}).Listen(context.Background(), args[0])
	if err != nil {
		return err
	}
	fmt.Println("listening on", l.Address())
	return testproc.WaitForKill()
}
