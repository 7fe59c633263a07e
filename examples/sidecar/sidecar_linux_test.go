package sidecar_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/udsgrpc/udsgrpc/internal/testproc"
)

// What pod.yaml says of users, and of the volume, which is the kubelet's doing.
const (
	serverUID, appUID, strangerUID = 1001, 1002, 1003
	fsGroup                        = 2000
)

// The pod's users stand for themselves: its containers share the kernel as they do.
func TestPodOfTwoUsers(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root can start processes of several users")
	}
	ctx, dir := prepare(t)
	volume := filepath.Join(dir, "sockets")
	if err := os.Mkdir(volume, 0o777); err != nil {
		t.Fatal(err)
	}
	// So the kubelet makes an emptyDir with an fsGroup. (The umask has not let Mkdir.)
	if err := os.Chown(volume, 0, fsGroup); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(volume, 0o777|os.ModeSetgid); err != nil {
		t.Fatal(err)
	}
	at := func(command []string) []string {
		var args []string
		for _, arg := range command[1:] {
			args = append(args, strings.Replace(arg, "/run/sockets", volume, 1))
		}
		return append([]string{filepath.Join(dir, command[0])}, args...)
	}
	// Every container may write to it, so the socket is not to be in the volume itself.
	unsafe := exec.CommandContext(ctx, filepath.Join(dir, "server"), "-socket", filepath.Join(volume, "greeter.sock"))
	checkSays(t, as(serverUID, fsGroup, unsafe), false, "other users can replace")

	commands := commandsOf(t, "pod.yaml")
	start(t, as(serverUID, fsGroup, exec.CommandContext(ctx, at(commands[0])[0], at(commands[0])[1:]...)))

	app := at(commands[1])
	checkSays(t, as(appUID, fsGroup, exec.CommandContext(ctx, app[0], app[1:]...)), true, "Hello, Ada of uid 1002!\n")
	probe := append(app, "-health")
	checkSays(t, as(serverUID, fsGroup, exec.CommandContext(ctx, probe[0], probe[1:]...)), true, "SERVING\n")
	// A user without the group does not even get into the directory.
	checkSays(t, as(strangerUID, strangerUID, exec.CommandContext(ctx, app[0], app[1:]...)), false, "permission denied")
}

// Containers that all run as one user need none of that.
func TestPodOfOneUser(t *testing.T) {
	t.Parallel()
	ctx, dir := prepare(t)
	path := filepath.Join(dir, "greeter", "greeter.sock")
	start(t, exec.CommandContext(ctx, filepath.Join(dir, "server"), "-socket", path))
	checkSays(t, exec.CommandContext(ctx, filepath.Join(dir, "client"), "-socket", path), true, "Hello, Ada of uid ")
}

// commandsOf returns the command lines of a manifest, without a parser for YAML: they are written as
// JSON on one line.
func commandsOf(t *testing.T, manifest string) (commands [][]string) {
	t.Helper()
	text, err := os.ReadFile(manifest)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range regexp.MustCompile(`(?m)^      command: \["/(.*)"\]$`).FindAllStringSubmatch(string(text), -1) {
		commands = append(commands, strings.Split(line[1], `", "`))
	}
	if len(commands) != 2 {
		t.Fatalf("%s has the commands %q, want two", manifest, commands)
	}
	return commands
}

// prepare builds the programs into a directory that every user may enter.
func prepare(t *testing.T) (context.Context, string) {
	t.Helper()
	dir := testproc.OpenDir(t)
	testproc.Build(t, dir, "./server", "./client")
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	return ctx, dir
}

// as makes a process of another user, with the group that fsGroup gives it.
func as(uid, group uint32, cmd *exec.Cmd) *exec.Cmd {
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid, Groups: []uint32{group}}}
	return cmd
}

// start starts a server and returns when it listens. At the end of the test it has to end well.
func start(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	server := testproc.StartCmd(t, cmd)
	t.Cleanup(server.Stop)
	server.Line()
}

func checkSays(t *testing.T, cmd *exec.Cmd, ok bool, want string) {
	t.Helper()
	if output, err := cmd.CombinedOutput(); (err == nil) != ok || !strings.Contains(string(output), want) {
		t.Errorf("%v: %v: %q, want %q", cmd.Args, err, output, want)
	}
}
