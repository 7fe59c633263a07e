package migrate_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	notesv1 "github.com/udsgrpc/udsgrpc/examples/migrate/gen/notes/v1"
	"github.com/udsgrpc/udsgrpc/examples/migrate/goplugin/before/shared"
	"github.com/udsgrpc/udsgrpc/internal/testproc"
	"github.com/udsgrpc/udsgrpc/runtime"
)

// keeper is a host of a plugin, by either library.
type keeper struct {
	add  func(...grpc.CallOption) error
	pid  int
	path string // of the socket
	stop func()
}

func keepGoPlugin(program string) (*keeper, error) {
	host := plugin.NewClient(&plugin.ClientConfig{
		HandshakeConfig:  shared.Handshake,
		Plugins:          plugin.PluginSet{"notes": &shared.Plugin{}},
		Cmd:              exec.Command(program),
		AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC},
		Logger:           hclog.NewNullLogger(),
	})
	address, err := host.Start()
	if err != nil {
		return nil, err
	}
	protocol, err := host.Client()
	if err != nil {
		return nil, err
	}
	raw, err := protocol.Dispense("notes")
	if err != nil {
		return nil, err
	}
	client, ok := raw.(notesv1.NotesClient)
	if !ok {
		return nil, errors.New("the plugin is of another kind")
	}
	return &keeper{addWith(client), host.ReattachConfig().Pid, address.String(), host.Kill}, nil
}

func keepSupervised(program string) (*keeper, error) {
	s, err := runtime.Supervise(context.Background(), func() *exec.Cmd { return exec.Command(program) })
	if err != nil {
		return nil, err
	}
	return &keeper{addWith(notesv1.NewNotesClient(s.Conn())), s.PID(), s.Path(), func() { s.Close() }}, nil
}

func addWith(client notesv1.NotesClient) func(...grpc.CallOption) error {
	return func(opts ...grpc.CallOption) error {
		ctx, cancel := context.WithTimeout(context.Background(), 5*soon)
		defer cancel()
		_, err := client.Add(ctx, &notesv1.AddRequest{Line: "buy milk"}, opts...)
		return err
	}
}

// keepProgram is a host in a process of its own, which the test kills.
func keepProgram(args []string) error {
	keep := keepGoPlugin
	if args[0] == "after" {
		keep = keepSupervised
	}
	k, err := keep(args[1])
	if err != nil {
		return err
	}
	fmt.Println(k.pid)
	return testproc.WaitForKill()
}

func TestTheDocumentOfGoPluginSaysWhatWasMeasured(t *testing.T) {
	measureHost := func(which string, keep func(string) (*keeper, error)) facts {
		var f facts
		dir := testproc.OpenDir(t)
		t.Setenv("TMPDIR", dir)
		t.Setenv("XDG_RUNTIME_DIR", "")
		program := build(t, dir, "goplugin/"+which+"/plugin")

		k, err := keep(program)
		if err != nil {
			t.Fatal(err)
		}
		place := "a directory of its own of mode " + mode(t, filepath.Dir(k.path))
		if filepath.Dir(k.path) == dir {
			place = "the temporary directory itself"
		}
		f.add("the socket", "mode %s, in %s", mode(t, k.path), place)
		kill(t, k.pid)
		f.add("the plugin is killed: a call", "%s", describe(k.add()))
		f.add("a call with `grpc.WaitForReady(true)` after that", "%s", describe(k.add(grpc.WaitForReady(true))))
		k.stop()
		f.add("the socket's file after the host has stopped the plugin", "%s", exists(k.path))

		host := testproc.Start(t, "keep", which, program)
		var pid int
		if _, err := fmt.Sscan(host.Line(), &pid); err != nil {
			t.Fatal(err)
		}
		host.Kill()
		host.WaitExit()
		fate := "ends"
		if !gone(pid) {
			fate = "goes on"
			kill(t, pid)
		}
		f.add("the host is killed: the plugin", "%s", fate)
		return f
	}
	theirs, ours := measureHost("before", keepGoPlugin), measureHost("after", keepSupervised)
	compareTable(t, "go-plugin", table(t, peer{name: "go-plugin", module: "github.com/hashicorp/go-plugin"}, theirs, ours))
}

func mode(t *testing.T, path string) string {
	t.Helper()
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%#o", info.Mode().Perm())
}

func exists(path string) string {
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		return "is gone"
	}
	return "stays"
}

func kill(t *testing.T, pid int) {
	t.Helper()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Error(err)
	}
	if !gone(pid) {
		t.Errorf("process %d was killed and does not end", pid)
	}
}

// gone reports whether a process ends soon. One that nobody has waited for counts as ended.
func gone(pid int) bool {
	for end := time.Now().Add(5 * soon); time.Now().Before(end); {
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil || strings.Contains(string(status), ") Z ") {
			return true
		}
		<-time.After(time.Millisecond)
	}
	return false
}
