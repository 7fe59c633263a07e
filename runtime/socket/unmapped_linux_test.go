package socket_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/udsgrpc/udsgrpc/internal/testproc"
	"github.com/udsgrpc/udsgrpc/runtime/internal/fixture"
	"github.com/udsgrpc/udsgrpc/runtime/socket"
)

const (
	nobody   = 65534
	unmapped = "uid 65534 (nobody, or a user unknown in this user namespace)"
)

// inSmallNamespace makes a command run as nobody in a user namespace that has the first 65536 ids,
// as those of containers have.
func inSmallNamespace(cmd *exec.Cmd) {
	first := []syscall.SysProcIDMap{{Size: 65536}}
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:                 syscall.CLONE_NEWUSER,
		UidMappings:                first,
		GidMappings:                first,
		GidMappingsEnableSetgroups: true,
		Credential:                 &syscall.Credential{Uid: nobody, Gid: nobody},
	}
	cmd.Dir = "/"
}

// report is a program: it prints the peer of a connection to a path.
func report(args []string) error {
	l, err := (&socket.ListenConfig{Mode: 0o666, AllowUnsafeDir: true}).Listen(context.Background(), args[0])
	if err != nil {
		return err
	}
	defer l.Close()
	fmt.Println("listening")
	for {
		conn, err := l.AcceptUnix()
		if err != nil {
			return err
		}
		peer, err := socket.PeerOf(conn)
		if err != nil {
			return err
		}
		fmt.Println(peer.HasUID, peer.UID, peer.GID, len(peer.Groups), peer)
		conn.Close()
	}
}

func TestNobodyIsAUserWhereNoneIsUnmapped(t *testing.T) {
	t.Parallel()
	needRoot(t)
	for name, c := range map[string]struct {
		run  func(*exec.Cmd)
		want string
	}{
		"where every id is mapped": {func(cmd *exec.Cmd) { runAs(cmd, nobody) },
			"true 65534 65534 1 uid 65534, gid 65534, process "},
		"in a small namespace": {inSmallNamespace,
			"false -1 -1 0 " + unmapped + ", process "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := fixture.ShortDir(t)
			if err := os.Chmod(dir, 0o777|os.ModeSticky); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(dir, "s.sock")
			cmd := testproc.Command(t, "report", path)
			c.run(cmd)
			server := testproc.StartCmd(t, cmd)
			server.Line()
			client := testproc.Command(t, "connect and stay", path)
			client.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody, Groups: []uint32{nobody}}}
			client.Dir = "/"
			testproc.StartCmd(t, client)
			if line := server.Line(); !strings.HasPrefix(line, c.want) {
				t.Errorf("the server sees %q, want %q", line, c.want)
			}
		})
	}
}

// A directory of an unmapped user looks as if it had no owner.
func TestDirectoryOfAnUnmappedUserIsNotNobodys(t *testing.T) {
	t.Parallel()
	needRoot(t)
	const elsewhere = 200_000 // not in the small namespace
	for name, c := range map[string]struct {
		owner int
		mode  os.FileMode
		run   func(*exec.Cmd)
		whose string // if it is refused
	}{
		"nobody's, where every id is mapped":    {owner: nobody, mode: 0o755, run: func(cmd *exec.Cmd) { runAs(cmd, nobody) }},
		"another's, where every id is mapped":   {owner: elsewhere, mode: 0o755, run: func(cmd *exec.Cmd) { runAs(cmd, nobody) }, whose: "uid 200000"},
		"an unmapped user's":                    {owner: elsewhere, mode: 0o755, run: inSmallNamespace, whose: unmapped},
		"nobody's, which looks the same":        {owner: nobody, mode: 0o755, run: inSmallNamespace, whose: unmapped},
		"root's, who is mapped, and it is open": {owner: 0, mode: 0o777 | os.ModeSticky, run: inSmallNamespace},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := fixture.ShortDir(t)
			if err := errors.Join(os.Chown(dir, c.owner, c.owner), os.Chmod(dir, c.mode)); err != nil {
				t.Fatal(err)
			}
			checkListens(t, filepath.Join(dir, "s.sock"), c.run, c.whose)
		})
	}
}

// A mount can map ids in every namespace, and leaves those out that it does not map.
func TestDirectoryOnAMountThatMapsIDsIsNotNobodys(t *testing.T) {
	needRoot(t)
	source, target := fixture.ShortDir(t), fixture.ShortDir(t)
	if err := errors.Join(os.Chown(source, 2000, 2000), os.Chmod(source, 0o755)); err != nil {
		t.Fatal(err)
	}
	mountMapped(t, source, target)
	var st unix.Stat_t
	if err := unix.Stat(target, &st); err != nil || st.Uid != nobody {
		t.Fatalf("the directory is of uid %d, %v; want the number of the unmapped", st.Uid, err)
	}
	checkListens(t, filepath.Join(target, "s.sock"), func(cmd *exec.Cmd) { runAs(cmd, nobody) }, unmapped)
}

// checkListens fails the test unless a server listens on path, or refuses its directory as whose's.
func checkListens(t *testing.T, path string, run func(*exec.Cmd), whose string) {
	t.Helper()
	cmd := testproc.Command(t, "listen", path)
	run(cmd)
	server := testproc.StartCmd(t, cmd)
	if whose == "" {
		server.Line()
		return
	}
	if line, ok := server.NextLine(); ok {
		t.Fatalf("the server is %s", line)
	}
	want := fmt.Sprintf("%v: %s/ belongs to %s, ", socket.ErrUnsafeDir, filepath.Dir(path), whose)
	if err := server.WaitExit(); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("the server says %v, want %q", err, want)
	}
}

// mountMapped mounts source on target, with the ids from 0 to 999 mapped to those from 100000 on.
func mountMapped(t *testing.T, source, target string) {
	t.Helper()
	holder := exec.Command("sleep", "600") // any process that stays
	ids := []syscall.SysProcIDMap{{ContainerID: 0, HostID: 100_000, Size: 1000}}
	holder.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUSER, UidMappings: ids, GidMappings: ids}
	ns, err := os.Open(fmt.Sprintf("/proc/%d/ns/user", testproc.StartCmd(t, holder).Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	defer ns.Close()
	tree, err := unix.OpenTree(unix.AT_FDCWD, source, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC)
	if err != nil {
		t.Skipf("cannot clone a mount: %v", err)
	}
	defer unix.Close(tree)
	err = unix.MountSetattr(tree, "", unix.AT_EMPTY_PATH, &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_IDMAP, Userns_fd: uint64(ns.Fd())})
	if err != nil {
		t.Skipf("this file system cannot be mounted with ids mapped: %v", err)
	}
	if err := unix.MoveMount(tree, "", unix.AT_FDCWD, target, unix.MOVE_MOUNT_F_EMPTY_PATH); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(target, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
}

func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("becoming other users takes root")
	}
}
