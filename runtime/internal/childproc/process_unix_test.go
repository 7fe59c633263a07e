//go:build unix

package childproc_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/udsgrpc/udsgrpc/internal/testproc"
	"github.com/udsgrpc/udsgrpc/runtime/internal/childproc"
	"github.com/udsgrpc/udsgrpc/runtime/internal/fixture"
)

func TestMain(m *testing.M) {
	testproc.Main(m, map[string]testproc.Program{"serve": serve, "stay": stay, "end": end})
}

// serve is a program that does what a child has to do.
func serve([]string) error {
	i, err := ready()
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "serving on %s, NOTIFY_SOCKET=%s\n", i.Path, os.Getenv("NOTIFY_SOCKET"))
	_, err = io.Copy(io.Discard, i.Lifeline)
	return err
}

// stay is a program that does not end when it is to.
func stay([]string) error {
	if _, err := ready(); err != nil {
		return err
	}
	return testproc.WaitForKill()
}

// end is a program that serves nothing.
func end([]string) error {
	fmt.Fprintln(os.Stderr, "nothing to do")
	return nil
}

func ready() (i childproc.Inheritance, err error) {
	i = childproc.Inherit()
	if i.Err != nil {
		return i, i.Err
	}
	if again := childproc.Inherit(); again != (childproc.Inheritance{}) {
		return i, fmt.Errorf("inherits again: %+v", again)
	}
	_, err = io.WriteString(i.Lifeline, childproc.ReadyLine)
	return i, err
}

var patient = childproc.Timeouts{Start: fixture.Guard, Stop: fixture.Guard}

func TestChildEndsWhenItIsStopped(t *testing.T) {
	t.Parallel()
	path := fixture.FreePath(t)
	cmd := testproc.Command(t, "serve")
	cmd.Env = append(cmd.Environ(), "NOTIFY_SOCKET=/run/manager")
	said := childproc.KeepStderr(cmd)
	p, err := childproc.Start(t.Context(), cmd, path, patient)
	if err != nil {
		t.Fatal(err)
	}
	select {
	case <-p.Exited():
		t.Fatalf("the child has ended: %v", said.Explain(p.ExitError()))
	default:
	}
	for range 2 {
		if err := p.Stop(t.Context()); err != nil {
			t.Errorf("Stop returned %v", err)
		}
	}
	if err := p.Wait(); err != nil {
		t.Errorf("Wait returned %v", err)
	}
	if want := "serving on " + path + ", NOTIFY_SOCKET="; !strings.HasSuffix(said.Explain(io.EOF).Error(), fmt.Sprintf("%q", want)) {
		t.Errorf("%v; want %q", said.Explain(io.EOF), want)
	}
}

func TestChildThatStaysIsKilledWhenTheContextEnds(t *testing.T) {
	t.Parallel()
	p, err := childproc.Start(t.Context(), testproc.Command(t, "stay"), fixture.FreePath(t), patient)
	if err != nil {
		t.Fatal(err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	first := p.Stop(ended)
	if exit := (*exec.ExitError)(nil); !errors.As(first, &exit) || !errors.Is(first, context.Canceled) {
		t.Errorf("Stop returned %v", first)
	}
	if again := p.Stop(t.Context()); fmt.Sprint(again) != fmt.Sprint(first) {
		t.Errorf("the second Stop returned %v, the first %v", again, first)
	}
}

func TestChildThatServesNothingIsAnErrorEvenWithStatusZero(t *testing.T) {
	t.Parallel()
	cmd := testproc.Command(t, "end")
	said := childproc.KeepStderr(cmd)
	_, err := childproc.Start(t.Context(), cmd, fixture.FreePath(t), patient)
	if exit := (*exec.ExitError)(nil); !errors.As(err, &exit) || !exit.Success() {
		t.Errorf("Start returned %v", err)
	}
	if err := said.Explain(err); !strings.HasSuffix(err.Error(), `its last words: "nothing to do"`) {
		t.Errorf("the error is %v", err)
	}
}

func TestStderrTailKeepsTheEnd(t *testing.T) {
	t.Parallel()
	cmd := &exec.Cmd{}
	tail := childproc.KeepStderr(cmd)
	if err := tail.Explain(io.EOF); err != io.EOF {
		t.Errorf("before anything was written, the error is %v", err)
	}
	for range 1000 {
		io.WriteString(cmd.Stderr, "all is well\n")
	}
	io.WriteString(cmd.Stderr, "panic\n")
	text := tail.Explain(io.EOF).Error()
	if !strings.HasSuffix(text, `panic"`) || len(text) > 3000 {
		t.Errorf("of 12 kB there are %d bytes: %s", len(text), text)
	}
}

// The caller still gets everything, and os/exec one writer if it was given one.
func TestStderrGoesToTheCallerToo(t *testing.T) {
	t.Parallel()
	var both, other bytes.Buffer
	cmd := &exec.Cmd{Stdout: &both, Stderr: &both}
	tail := childproc.KeepStderr(cmd)
	if cmd.Stdout != cmd.Stderr {
		t.Error("standard output and error are no longer the same")
	}
	io.WriteString(cmd.Stderr, "text")
	if both.String() != "text" || tail.Explain(io.EOF) == io.EOF {
		t.Errorf("the caller gets %q, and the tail %v", both.String(), tail.Explain(io.EOF))
	}
	cmd = &exec.Cmd{Stdout: &both, Stderr: &other}
	if childproc.KeepStderr(cmd); cmd.Stdout != &both {
		t.Error("standard output, which was another writer, has changed")
	}
	cmd = &exec.Cmd{Stderr: os.Stderr}
	if childproc.KeepStderr(cmd); cmd.Stderr != os.Stderr {
		t.Error("a file is no longer written to directly")
	}
}

func TestProcessWithoutAParentInheritsNothing(t *testing.T) {
	t.Parallel()
	if i := childproc.Inherit(); i != (childproc.Inheritance{}) {
		t.Errorf("it is %+v", i)
	}
}

// A program in between may have closed the descriptors.
func TestDescriptorsThatAreMissingAreAnError(t *testing.T) {
	for _, fd := range []string{"", "x", "1000000"} {
		t.Setenv(childproc.ListenPathEnv, "/run/x.sock")
		t.Setenv(childproc.ListenFDEnv, fd)
		t.Setenv(childproc.LifelineFDEnv, fd)
		i := childproc.Inherit()
		if i.Err == nil || i.Path != "/run/x.sock" || i.Bound != nil {
			t.Errorf("with descriptor %q it is %+v", fd, i)
		}
		if _, ok := os.LookupEnv(childproc.ListenPathEnv); ok {
			t.Error("the environment still has the path")
		}
	}
}
