package migrate_test

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/udsgrpc/udsgrpc/internal/testproc"
)

func TestMain(m *testing.M) {
	testproc.Main(m, map[string]testproc.Program{"serve": serveProgram, "keep": keepProgram, "driver": driverProgram})
}

// build builds a program of this module.
func build(t *testing.T, dir, pkg string) string {
	t.Helper()
	program := filepath.Join(dir, strings.ReplaceAll(pkg, "/", "-"))
	testproc.Build(t, program, "./"+pkg)
	return program
}

// exchange starts a server, calls it twice with a client, and returns what the second call prints.
func exchange(t *testing.T, server, client, address string) string {
	t.Helper()
	p := testproc.StartCmd(t, exec.Command(server, "serve", address))
	if line := p.Line(); line != "serving on "+address {
		t.Fatalf("the server says %q", line)
	}
	testproc.Run(t, exec.Command(client, "call", address, "buy milk"))
	got := testproc.Run(t, exec.Command(client, "call", address, "walk the dog"))
	p.Stop()
	return got
}

const twoNotes = "2 lines\n- buy milk\n- walk the dog\n"

func TestTheProgramsBeforeAndAfterDoTheSame(t *testing.T) {
	dir := testproc.OpenDir(t)
	after := build(t, dir, "after")
	for _, c := range []struct {
		before string
		grpc   bool // so one end can move before the other
	}{{"grpcgo", true}, {"connect", true}, {"ttrpc", false}, {"drpc", false}, {"varlink", false}} {
		t.Run(c.before, func(t *testing.T) {
			before := build(t, dir, c.before)
			pairs := map[string][2]string{"before": {before, before}, "after": {after, after}}
			if c.grpc {
				pairs["the server moved first"] = [2]string{after, before}
				pairs["the client moved first"] = [2]string{before, after}
			}
			for name, pair := range pairs {
				if got := exchange(t, pair[0], pair[1], filepath.Join(dir, "s")); got != twoNotes {
					t.Errorf("%s: the client prints %q, want %q", name, got, twoNotes)
				}
			}
		})
	}
}

func TestCSI(t *testing.T) {
	dir := testproc.OpenDir(t)
	before, after := build(t, dir, "csi/before"), build(t, dir, "csi/after")
	for name, pair := range map[string][2]string{
		"before": {before, before}, "after": {after, after}, "the driver moved first": {after, before}, "the sidecar moved first": {before, after},
	} {
		if got := exchange(t, pair[0], pair[1], filepath.Join(dir, "s")); got != "notes.csi.example.com\n" {
			t.Errorf("%s: the sidecar prints %q", name, got)
		}
	}
}

func TestGoPlugin(t *testing.T) {
	dir := testproc.OpenDir(t)
	for _, which := range []string{"before", "after"} {
		host, plugin := build(t, dir, "goplugin/"+which+"/host"), build(t, dir, "goplugin/"+which+"/plugin")
		if got := testproc.Run(t, exec.Command(host, plugin, "buy milk")); got != "1 lines\n" {
			t.Errorf("%s: the host prints %q", which, got)
		}
	}
}

func TestDBus(t *testing.T) {
	dir := testproc.OpenDir(t)
	path := filepath.Join(dir, "bus")
	startBus(t, path)
	before := build(t, dir, "dbus")
	if got := exchange(t, before, before, "unix:path="+path); got != twoNotes {
		t.Errorf("the client prints %q, want %q", got, twoNotes)
	}
}
