package child_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/udsgrpc/udsgrpc/bench/internal/child"
	"github.com/udsgrpc/udsgrpc/bench/internal/load"
)

// TestMain lets the test binary be a child.
func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == child.Argument {
		if err := child.Main(context.Background(), os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, "child:", err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// script returns a program that runs lines of the shell.
func script(t *testing.T, lines string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+lines+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestMeetThisProgram(t *testing.T) {
	kinds, err := child.Meet(t.Context(), "")
	if err != nil || !slices.Equal(kinds, load.Kinds()) {
		t.Errorf("got %q, %v; want %q", kinds, err, load.Kinds())
	}
}

// Revisions before Hello speak protocol 1, and know the kinds of calls that there were then.
func TestMeetARevisionBeforeHello(t *testing.T) {
	kinds, err := child.Meet(t.Context(), script(t, `read line; echo '{"Error":"the request asks for nothing"}'`))
	if err != nil || !slices.Equal(kinds, load.FirstKinds()) || slices.Contains(kinds, load.Herd) {
		t.Errorf("got %q, %v", kinds, err)
	}
}

func TestMeetAnotherProtocol(t *testing.T) {
	for name, program := range map[string]string{
		"newer":    script(t, `read line; echo '{"Hello":{"Protocol":999,"Kinds":["unary"]}}'`),
		"none":     script(t, `echo "do not understand $1" >/dev/null; exit 1`),
		"no child": script(t, `read line; echo 'hello, world'`),
	} {
		if _, err := child.Meet(t.Context(), program); !errors.Is(err, child.ErrProtocol) {
			t.Errorf("%s: got %v", name, err)
		} else if name == "newer" && !strings.Contains(err.Error(), "999 instead of 1") {
			t.Errorf("%s: the error does not name the versions: %v", name, err)
		}
	}
}

// What parent and child say to each other is the protocol of its number: a field that is renamed,
// removed or of another type makes a new one. Fields may be added to what children of the same protocol may
// leave out, and are written down here.
func TestProtocolIsAsItsNumberSays(t *testing.T) {
	if child.Protocol != 1 {
		t.Fatal("write down here what the new protocol is")
	}
	for _, c := range []struct {
		message any
		want    string
	}{
		{child.Request{}, "Hello{} Serve{Peer string, Path string, Services int, Files bool} Dial{Peer string, Addr string, Callers int} Idle{Clients int} " +
			"Warm{Kind string, Size int, Callers int, Deadline int64, Duration int64, Files int} Run{Kind string, Size int, Callers int, Deadline int64, Duration int64, Files int} Usage{Settle bool} Compute{Threads int}"},
		{child.Reply{}, "Error string Hello{Protocol int, Kinds slice} Addr string Result{Calls int, Elapsed int64, P50 int64, P99 int64, Max int64} " +
			"Cost{CPU int64, Mallocs uint64} Usage{CPU int64, Mallocs uint64, Heap uint64, RSS uint64, FDs int}"},
	} {
		if got := strings.Join(fields(reflect.TypeOf(c.message)), " "); got != c.want {
			t.Errorf("%T is\n%s\nbut protocol %d has\n%s", c.message, got, child.Protocol, c.want)
		}
	}
}

// fields describes the fields of a struct as JSON has them.
func fields(t reflect.Type) []string {
	var all []string
	for _, f := range reflect.VisibleFields(t) {
		typ := f.Type
		if typ.Kind() == reflect.Pointer {
			typ = typ.Elem()
		}
		if typ.Kind() == reflect.Struct {
			all = append(all, f.Name+"{"+strings.Join(fields(typ), ", ")+"}")
		} else {
			all = append(all, f.Name+" "+typ.Kind().String())
		}
	}
	return all
}
