package ring_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/udsgrpc/udsgrpc/runtime/internal/fixture"
	"github.com/udsgrpc/udsgrpc/runtime/internal/ring"
)

// memfd returns a descriptor of memory.
func memfd(t *testing.T, flags, size, seals int) int {
	t.Helper()
	fd, err := unix.MemfdCreate("test", flags|unix.MFD_CLOEXEC)
	if err != nil {
		t.Skip(err)
	}
	if err := unix.Ftruncate(fd, int64(size)); err != nil {
		t.Fatal(err)
	}
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, seals); err != nil && seals != 0 {
		t.Fatal(err)
	}
	return fd
}

func TestForeignMemoryIsRefused(t *testing.T) {
	t.Parallel()
	const all = unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_SEAL
	file := func(dir string) func(*testing.T) int {
		return func(t *testing.T) int {
			name := filepath.Join(dir, fmt.Sprint("udsgrpc-ring-test-", os.Getpid()))
			fd, err := unix.Open(name, unix.O_RDWR|unix.O_CREAT|unix.O_CLOEXEC, 0o600)
			if err != nil {
				t.Skip(err)
			}
			os.Remove(name)
			if err := unix.Ftruncate(fd, ring.Size); err != nil {
				t.Fatal(err)
			}
			return fd
		}
	}
	memory := func(flags, size, seals int) func(*testing.T) int {
		return func(t *testing.T) int { return memfd(t, flags|unix.MFD_ALLOW_SEALING, size, seals) }
	}
	for name, open := range map[string]func(*testing.T) int{
		"too small":           memory(0, ring.Size-1, all),
		"too large":           memory(0, ring.Size+1, all),
		"empty":               memory(0, 0, all),
		"not sealed":          memory(0, ring.Size, 0),
		"may shrink":          memory(0, ring.Size, unix.F_SEAL_GROW|unix.F_SEAL_SEAL),
		"may grow":            memory(0, ring.Size, unix.F_SEAL_SHRINK|unix.F_SEAL_SEAL),
		"huge pages":          memory(unix.MFD_HUGETLB, 2<<20, all),
		"file":                file(t.TempDir()),
		"file in tmpfs":       file("/dev/shm"),
		"pipe":                func(t *testing.T) int { var fds [2]int; unix.Pipe(fds[:]); unix.Close(fds[1]); return fds[0] },
		"directory":           func(t *testing.T) int { fd, _ := unix.Open("/dev/shm", unix.O_RDONLY, 0); return fd },
		"no descriptor":       func(t *testing.T) int { return 1 << 20 },
		"a negative number":   func(t *testing.T) int { return -1 },
		"sealed for writing":  memory(0, ring.Size, all|unix.F_SEAL_WRITE),
		"sealed for mappings": memory(0, ring.Size, all|unix.F_SEAL_FUTURE_WRITE),
	} {
		t.Run(name, func(t *testing.T) {
			fd := open(t)
			m, err := ring.Open(fd)
			if err == nil {
				m.Close()
				t.Fatal("it was opened")
			}
			t.Log(err)
			sealed := name == "sealed for writing" || name == "sealed for mappings"
			if !errors.Is(err, ring.ErrForeign) && !(sealed && errors.Is(err, syscall.EPERM)) {
				t.Error("is not ErrForeign")
			}
			if name == "huge pages" && !strings.Contains(err.Error(), "file system of type 0x958458f6") {
				t.Error("does not say of which kind it is")
			}
		})
	}
}

func TestOpenClosesTheDescriptor(t *testing.T) {
	_, fd, err := ring.New()
	if err != nil {
		t.Fatal(err)
	}
	m, err := ring.Open(fd)
	if err != nil {
		t.Fatal(err)
	}
	m.Close()
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err != unix.EBADF {
		t.Errorf("got %v for the descriptor, want %v", err, unix.EBADF)
	}
}

// New fails with an error, and nothing else happens, where the system does not give what it needs.
func TestMemoryThatTheSystemDoesNotGive(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"file size":   "making memory of 135168 bytes for a ring: ftruncate: file too large",
		"descriptors": "making memory for a ring: memfd_create: too many open files",
		"EPERM":       "making memory for a ring: memfd_create: operation not permitted",
		"ENOSYS":      "making memory for a ring: memfd_create: function not implemented",
		"noexec":      "",
		"cgroup":      "cannot allocate memory",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := command("limited", name)
			if name == "noexec" {
				if os.Getuid() != 0 {
					t.Skip("needs root")
				}
				p.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID}
			}
			p.Stdout = nil
			out, err := p.Output()
			if err != nil {
				t.Fatal(err)
			}
			if string(out) == "skip" {
				t.Skip("not on this kernel")
			}
			if name == "cgroup" {
				if !strings.HasPrefix(string(out), "making memory for a ring: the cgroup ") || !strings.HasSuffix(string(out), want) {
					t.Errorf("got %q", out)
				}
				return
			}
			if string(out) != want {
				t.Errorf("got %q, want %q", out, want)
			}
		})
	}
}

// limitedRole prints what New says in a process that is limited.
func limitedRole(args []string) {
	must := func(err error) {
		if err != nil {
			panic(err)
		}
	}
	switch args[0] {
	case "file size":
		must(unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: 1000, Max: 1000}))
	case "descriptors":
		must(syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: 3, Max: 3}))
	case "EPERM":
		must(fixture.DenyCall(unix.SYS_MEMFD_CREATE, syscall.EPERM))
	case "ENOSYS":
		must(fixture.DenyCall(unix.SYS_MEMFD_CREATE, syscall.ENOSYS))
	case "cgroup":
		leave := fullCgroup()
		if leave == nil {
			fmt.Print("skip")
			return
		}
		defer leave()
	case "noexec":
		if os.WriteFile("/proc/sys/vm/memfd_noexec", []byte("2"), 0) != nil {
			fmt.Print("skip")
			return
		}
	}
	m, fd, err := ring.New()
	if err != nil {
		fmt.Print(err)
		return
	}
	m.Close()
	unix.Close(fd)
}

// mappings returns how many memories of rings are mapped.
func mappings(t *testing.T) int {
	t.Helper()
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Fatal(err)
	}
	return strings.Count(string(maps), "memfd:udsgrpc-ring")
}

func TestNobodyCanRunTheMemoryAsAProgram(t *testing.T) {
	t.Parallel()
	probe, err := unix.MemfdCreate("test", unix.MFD_NOEXEC_SEAL|unix.MFD_CLOEXEC)
	if err != nil {
		t.Skip("Linux before 6.3")
	}
	unix.Close(probe)
	m, fd, err := ring.New()
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	defer m.Close()
	if seals, err := unix.FcntlInt(uintptr(fd), unix.F_GET_SEALS, 0); err != nil || seals&unix.F_SEAL_EXEC == 0 {
		t.Errorf("got the seals %#x, error %v", seals, err)
	}
	if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC == 0 {
		t.Errorf("got the flags %#x, error %v: programs that are started inherit it", flags, err)
	}
}

// fullCgroup moves the process to a cgroup with little memory and uses nearly all of that. It returns a function that
// undoes it, or nil if that cannot be done here.
func fullCgroup() (leave func()) {
	dir := fixture.NewCgroup()
	if dir == "" {
		return nil
	}
	leave = func() {
		fixture.EnterCgroup(filepath.Dir(dir))
		os.Remove(dir)
	}
	if fixture.EnterCgroup(dir) != nil {
		leave()
		return nil
	}
	if err := fixture.FillCgroup(dir, 1<<20); err != nil {
		panic(err)
	}
	return leave
}
