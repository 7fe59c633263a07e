package docs_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

const systemd = "/usr/lib/systemd/systemd"

// execSystemd makes the process, which is the first of its namespace, the manager of a sandbox.
//
// All it knows are the units of the document and the few targets that every unit asks for: those of
// the machine are none of its business, nor are its file systems and its devices.
func execSystemd() error {
	const own, targets = "/etc/systemd/system", "/run/systemd-targets"
	for _, dir := range []string{own, targets, "/run/systemd/system"} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	if err := mountEmpty(own, "755"); err != nil {
		return err
	}
	for _, target := range []string{"sysinit", "basic", "sockets", "multi-user", "shutdown"} {
		text := []byte("[Unit]\nDefaultDependencies=no\n")
		if err := os.WriteFile(filepath.Join(targets, target+".target"), text, 0o644); err != nil {
			return err
		}
	}
	if err := unix.Mount("cgroup2", "/sys/fs/cgroup", "cgroup2", 0, ""); err != nil {
		return &os.PathError{Op: "mount", Path: "/sys/fs/cgroup", Err: err}
	}
	return unix.Exec(systemd,
		[]string{"systemd", "--system", "--unit=sysinit.target", "--show-status=no", "--log-target=null"},
		[]string{
			"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
			"container=docs",
			"SYSTEMD_UNIT_PATH=" + own + ":" + targets,
			"SYSTEMD_GENERATOR_PATH=/nowhere",
			"SYSTEMD_ENVIRONMENT_GENERATOR_PATH=/nowhere",
		})
}

// awaitSystemd is a script.
const awaitSystemd = "until systemctl --quiet is-active sysinit.target 2>/dev/null; do sleep 0.05; done"

// cgroup is a control group for the processes of one sandbox, and those below it, which systemd
// makes.
type cgroup struct {
	path string
	dir  *os.File
}

// newCgroup makes a control group below that of this process.
func newCgroup() (*cgroup, error) {
	mounted, err := cgroup2()
	if err != nil {
		return nil, err
	}
	own, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return nil, err
	}
	below := ""
	for line := range strings.Lines(string(own)) {
		if path, ok := strings.CutPrefix(line, "0::"); ok {
			below = strings.TrimSpace(path)
		}
	}
	path, err := os.MkdirTemp(filepath.Join(mounted, below), "udsgrpc-docs-")
	if err != nil {
		return nil, err
	}
	dir, err := os.Open(path)
	if err != nil {
		return nil, errors.Join(err, os.Remove(path))
	}
	return &cgroup{path: path, dir: dir}, nil
}

// cgroup2 returns where the hierarchy of control groups is mounted.
func cgroup2() (string, error) {
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(mounts)) {
		mount, kind, _ := strings.Cut(line, " - ")
		if strings.HasPrefix(kind, "cgroup2 ") {
			return strings.Fields(mount)[4], nil
		}
	}
	return "", errors.New("no cgroup2 is mounted")
}

// hold makes a process start in the group, which is all it sees of the groups.
func (g *cgroup) hold(attr *syscall.SysProcAttr) {
	attr.Cloneflags |= unix.CLONE_NEWCGROUP
	attr.UseCgroupFD, attr.CgroupFD = true, int(g.dir.Fd())
}

// remove removes the group, whose processes have ended.
func (g *cgroup) remove() error {
	g.dir.Close()
	var groups []string
	err := filepath.WalkDir(g.path, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() {
			groups = append(groups, path)
		}
		return err
	})
	if err != nil {
		return err
	}
	for i := len(groups) - 1; i >= 0; i-- { // those below others first
		if err := os.Remove(groups[i]); err != nil {
			return fmt.Errorf("control group of a sandbox: %w", err)
		}
	}
	return nil
}
