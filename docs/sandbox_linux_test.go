package docs_test

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/mod/modfile"
	"golang.org/x/sys/unix"
)

// sandbox says what the blocks of a document find. It is made by this program, started once more
// in namespaces of its own: /tmp, /run and the home directory are empty, what is written to /etc,
// /usr/local and /var is seen only there, and but for the caches of Go nothing else can be written.
type sandbox struct {
	Repository string            // visible, read only
	Home       string            // an empty one takes its place
	Module     string            // of the repository; what the module cache has of its owner is hidden
	Go         map[string]string // go env
	Systemd    bool              // is its first process, which the shell is otherwise
}

// goVariables are those of the go command that hold in a sandbox as they do outside.
var goVariables = []string{"GOCACHE", "GOFLAGS", "GOMODCACHE", "GOPROXY", "GOROOT", "GOSUMDB", "GOTOOLCHAIN"}

// newSandbox describes the one for documents of the repository at root.
func newSandbox(ctx context.Context, root string) (*sandbox, error) {
	s := &sandbox{Repository: root}
	gomod, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		return nil, err
	}
	s.Module = modfile.ModulePath(gomod)
	if s.Home, err = os.UserHomeDir(); err != nil {
		return nil, err
	}
	variables, err := exec.CommandContext(ctx, "go", append([]string{"env", "-json"}, goVariables...)...).Output()
	if err != nil {
		return nil, fmt.Errorf("go env: %w", err)
	}
	return s, json.Unmarshal(variables, &s.Go)
}

// sandboxVariable tells the program that it is to become the shell of a sandbox, and which.
const sandboxVariable = "UDSGRPC_DOCS_SANDBOX"

// notPermitted is the status of a program that may not make its sandbox.
const notPermitted = 77

// namespaces are those of a sandbox. With one for processes, all of them end with the shell.
func namespaces() *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNS | unix.CLONE_NEWPID}
	if os.Geteuid() != 0 {
		attr.Cloneflags |= unix.CLONE_NEWUSER
		attr.UidMappings = []syscall.SysProcIDMap{{HostID: os.Geteuid(), Size: 1}}
		attr.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getegid(), Size: 1}}
	}
	return attr
}

// enterSandbox does not return: the process becomes the shell.
func enterSandbox(description string) {
	// The sandbox ends with the tests, however they do. That is a property of the thread, and stays
	// that of the program that it becomes.
	runtime.LockOSThread()
	err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0)
	var s sandbox
	if err == nil {
		err = json.Unmarshal([]byte(description), &s)
	}
	if err == nil {
		err = s.mount()
	}
	var shell *exec.Cmd
	if err == nil {
		shell, err = s.shell()
	}
	if err == nil && s.Systemd {
		err = startAndExec(shell, execSystemd)
	} else if err == nil {
		err = unix.Exec(shell.Path, shell.Args, shell.Env)
	}
	fmt.Fprintln(os.Stderr, "make the sandbox:", err)
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES) {
		os.Exit(notPermitted)
	}
	os.Exit(1)
}

func (s *sandbox) mount() error {
	// What is to be seen may be in a directory that is about to be hidden.
	caches := []string{s.Go["GOCACHE"], s.Go["GOMODCACHE"]}
	visible := append(caches, s.Repository, s.Go["GOROOT"])
	slices.SortFunc(visible, func(a, b string) int { return cmp.Compare(len(a), len(b)) }) // those above others first
	open := map[string]int{}
	for _, path := range visible {
		fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
		if err != nil {
			return &os.PathError{Op: "open", Path: path, Err: err}
		}
		open[path] = fd
	}

	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return os.NewSyscallError("keep mounts private", err)
	}
	if err := setAttributes("/", unix.AT_RECURSIVE, unix.MOUNT_ATTR_RDONLY, 0); err != nil {
		return err
	}
	if err := errors.Join(mountEmpty("/tmp", "1777"), mountEmpty("/run", "755"), mountEmpty(s.Home, "755")); err != nil {
		return err
	}
	for i, path := range []string{"/etc", "/usr/local", "/var"} {
		if err := mountCopy(path, filepath.Join(s.Home, ".cache", "layers", strconv.Itoa(i))); err != nil {
			return err
		}
	}
	for _, path := range visible {
		if err := os.MkdirAll(path, 0o755); err != nil {
			return err
		}
		if err := unix.Mount(fmt.Sprintf("/proc/self/fd/%d", open[path]), path, "", unix.MS_BIND, ""); err != nil {
			return &os.PathError{Op: "make visible", Path: path, Err: err}
		}
	}
	for _, path := range caches {
		if err := setAttributes(path, 0, 0, unix.MOUNT_ATTR_RDONLY); err != nil {
			return err
		}
	}
	for _, dir := range []string{".", "cache/download"} {
		owner := filepath.Join(s.Go["GOMODCACHE"], dir, filepath.Dir(s.Module))
		if err := mountEmpty(owner, "755"); err != nil {
			return err
		}
	}
	if err := unix.Mount("proc", "/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return &os.PathError{Op: "mount", Path: "/proc", Err: err}
	}
	if err := unix.Mount("/proc/sys", "/proc/sys", "", unix.MS_BIND, ""); err != nil {
		return &os.PathError{Op: "bind", Path: "/proc/sys", Err: err}
	}
	return setAttributes("/proc/sys", 0, unix.MOUNT_ATTR_RDONLY, 0)
}

func mountEmpty(path, mode string) error {
	if err := os.MkdirAll(path, 0o755); err != nil { // it may have been in one that is empty now
		return err
	}
	if err := unix.Mount("tmpfs", path, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode="+mode); err != nil {
		return &os.PathError{Op: "mount", Path: path, Err: err}
	}
	return nil
}

// mountCopy makes a directory writable; what is written goes to layers.
func mountCopy(path, layers string) error {
	upper, work := filepath.Join(layers, "upper"), filepath.Join(layers, "work")
	for _, dir := range []string{upper, work} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	options := fmt.Sprintf("lowerdir=%s,upperdir=%s,workdir=%s", path, upper, work)
	if err := unix.Mount("overlay", path, "overlay", unix.MS_NOSUID|unix.MS_NODEV, options); err != nil {
		return &os.PathError{Op: "mount a copy of", Path: path, Err: err}
	}
	return nil
}

func setAttributes(path string, flags uint, set, clear uint64) error {
	if err := unix.MountSetattr(unix.AT_FDCWD, path, flags, &unix.MountAttr{Attr_set: set, Attr_clr: clear}); err != nil {
		return &os.PathError{Op: "mount_setattr", Path: path, Err: err}
	}
	return nil
}

// shell returns the shell, for a new directory, with the modules of the repository published where
// the go command looks first.
func (s *sandbox) shell() (*exec.Cmd, error) {
	proxy := filepath.Join(s.Home, ".cache", "proxy")
	if err := publishTree(s.Repository, proxy); err != nil {
		return nil, err
	}
	work := filepath.Join(s.Home, "work")
	if err := os.Mkdir(work, 0o755); err != nil {
		return nil, err
	}
	if err := os.Chdir(work); err != nil {
		return nil, err
	}

	gopath := filepath.Join(s.Home, "go")
	environment := maps.Clone(s.Go)
	maps.Copy(environment, map[string]string{
		"HOME":   s.Home,
		"PWD":    work,
		"PATH":   filepath.Join(gopath, "bin") + ":" + os.Getenv("PATH"),
		"GOPATH": gopath,
		// What the cache has is as good as what the network has, but for the newest versions.
		"GOPROXY":   "file://" + proxy + ",file://" + filepath.Join(s.Go["GOMODCACHE"], "cache", "download") + "," + s.Go["GOPROXY"],
		"GONOSUMDB": s.Module,
	})
	for _, variable := range os.Environ() {
		name, _, _ := strings.Cut(variable, "=")
		if _, set := environment[name]; !set && !ofTests(name) {
			environment[name] = os.Getenv(name)
		}
	}
	cmd := exec.Command("bash", "--noprofile", "--norc", "-c", driver, "bash", s.trace())
	for name, value := range environment {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	return cmd, cmd.Err
}

// trace is the file in which the shell keeps at which line it is.
func (s *sandbox) trace() string { return filepath.Join(s.Home, ".cache", "trace") }

// ofTests tells which variables are about the tests, and not about the machine: what a make that runs
// them tells those it starts, among others.
func ofTests(variable string) bool {
	for _, prefix := range []string{"GO", "MAKE", "MFLAGS", "XDG_", "UDSGRPC_"} {
		if strings.HasPrefix(variable, prefix) {
			return true
		}
	}
	return false
}

// startAndExec starts the shell and then becomes something else, its parent.
func startAndExec(shell *exec.Cmd, execute func() error) error {
	shell.Stdout, shell.Stderr = os.Stdout, os.Stderr
	for _, fd := range driverDescriptors {
		unix.CloseOnExec(fd)
		shell.ExtraFiles = append(shell.ExtraFiles, os.NewFile(uintptr(fd), ""))
	}
	if err := shell.Start(); err != nil {
		return err
	}
	return execute()
}
