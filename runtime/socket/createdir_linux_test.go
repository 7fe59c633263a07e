package socket_test

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"github.com/udsgrpc/udsgrpc/internal/testproc"
	"github.com/udsgrpc/udsgrpc/runtime/internal/fixture"
	"github.com/udsgrpc/udsgrpc/runtime/socket"
)

// listenInNewDir is a program: it creates directories with a mode, for a group, and listens there.
func listenInNewDir(args []string) error {
	mode, err := strconv.ParseUint(args[1], 8, 32)
	if err != nil {
		return err
	}
	gid, err := strconv.Atoi(args[2])
	if err != nil {
		return err
	}
	conf := socket.ListenConfig{Mode: 0o660, CreateDir: true, DirMode: fs.FileMode(mode), Owner: &socket.Owner{UID: -1, GID: gid}}
	l, err := conf.Listen(context.Background(), args[0])
	if err != nil {
		return err
	}
	return sayHello(l)
}

func TestCreatedDirectoriesHaveTheModeAndTheGroupThatTheyShould(t *testing.T) {
	t.Parallel()
	needRoot(t)
	for name, c := range map[string]struct {
		mode, umask string
		want        fs.FileMode
		gid         uint32 // of the directories, if the socket's is 2345
	}{
		"private by default":       {mode: "0", umask: "000", want: 0o700},
		"private with a umask":     {mode: "0", umask: "077", want: 0o700},
		"for all":                  {mode: "0755", umask: "077", want: 0o755, gid: 2345},
		"for a group":              {mode: "0750", umask: "027", want: 0o750, gid: 2345},
		"for all, but for a group": {mode: "0701", umask: "000", want: 0o701},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			top := fixture.ShortDir(t)
			if err := os.Chmod(top, 0o755); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(top, "a", "b", "s.sock")
			cmd := testproc.Command(t, "listen in a new directory", path, c.mode, "2345")
			shell := exec.Command("/bin/sh", append([]string{"-c", fmt.Sprintf(`umask %s; exec "$0" "$@"`, c.umask)}, cmd.Args...)...)
			shell.Env = cmd.Env
			testproc.StartCmd(t, shell).Line()
			for _, dir := range []string{filepath.Dir(path), filepath.Dir(filepath.Dir(path))} {
				info, err := os.Lstat(dir)
				if err != nil {
					t.Fatal(err)
				}
				if st := info.Sys().(*syscall.Stat_t); info.Mode() != c.want|fs.ModeDir || st.Gid != c.gid || st.Uid != 0 {
					t.Errorf("%s has mode %v, uid %d, gid %d", dir, info.Mode(), st.Uid, st.Gid)
				}
			}
			if info, err := os.Lstat(top); err != nil || info.Mode() != 0o755|fs.ModeDir {
				t.Errorf("the directory that existed has mode %v, %v", info.Mode(), err)
			}
			if c.want == 0o750 {
				member := testproc.Command(t, "connect and stay", path)
				member.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 1234, Gid: 1234, Groups: []uint32{2345}}}
				member.Dir = "/"
				if line := testproc.StartCmd(t, member).Line(); line != "connected" {
					t.Errorf("a member of the group is %s", line)
				}
			}
		})
	}
}

func TestWhatIsInTheWayOfADirectoryIsLeftAlone(t *testing.T) {
	t.Parallel()
	file := filepath.Join(fixture.ShortDir(t), "file")
	if err := os.WriteFile(file, []byte("kept"), 0o600); err != nil {
		t.Fatal(err)
	}
	conf := socket.ListenConfig{CreateDir: true}
	if l, err := conf.Listen(t.Context(), filepath.Join(file, "a", "s.sock")); err == nil {
		l.Close()
		t.Error("there is a directory below a file")
	}
	if text, err := os.ReadFile(file); err != nil || string(text) != "kept" {
		t.Errorf("the file is %q, %v", text, err)
	}
	if _, err := (&socket.ListenConfig{CreateDir: true, DirMode: 0o755 | fs.ModeSetgid}).Listen(t.Context(), filepath.Join(fixture.ShortDir(t), "s.sock")); err == nil {
		t.Error("a mode with more than permissions is accepted")
	}
}
