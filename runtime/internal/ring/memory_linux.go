package ring

import (
	"fmt"
	"os"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// Supported reports whether there are rings on this system.
const Supported = true

const (
	// seals keep the memory as large as it is, so that no access to it can fail.
	seals = unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_SEAL

	memoryName = "udsgrpc-ring"
)

// Memory is what two processes share.
type Memory struct {
	bytes []byte

	// state counts the goroutines that use bytes, and has closing set when it is to be unmapped by the last.
	state atomic.Int32
}

const closing = 1 << 30

// New makes memory for a connection, and returns a descriptor of it for the other process. The caller sends the
// descriptor and closes it. The memory is there in full: no access to it fails later for want of memory. The error
// says why the system gives none; the connection then goes on without rings.
func New() (m *Memory, fd int, err error) {
	if err := checkMemory(ownCgroups("memory"), readFile); err != nil {
		return nil, -1, fmt.Errorf("making memory for a ring: %w", err)
	}
	fd, err = create()
	if err != nil {
		return nil, -1, err
	}
	if err := prepare(fd); err != nil {
		unix.Close(fd)
		return nil, -1, err
	}
	m, err = mapped(fd)
	if err != nil {
		unix.Close(fd)
		return nil, -1, err
	}
	return m, fd, nil
}

func create() (int, error) {
	const flags = unix.MFD_CLOEXEC | unix.MFD_ALLOW_SEALING
	fd, err := unix.MemfdCreate(memoryName, flags|unix.MFD_NOEXEC_SEAL)
	if err == unix.EINVAL { // Linux before 6.3 does not know that flag
		fd, err = unix.MemfdCreate(memoryName, flags)
	}
	if err != nil {
		return -1, fmt.Errorf("making memory for a ring: %w", os.NewSyscallError("memfd_create", err))
	}
	return fd, nil
}

func prepare(fd int) error {
	if err := unix.Ftruncate(fd, Size); err != nil {
		return fmt.Errorf("making memory of %d bytes for a ring: %w", Size, os.NewSyscallError("ftruncate", err))
	}
	if err := unix.Fallocate(fd, 0, 0, Size); err != nil {
		return fmt.Errorf("reserving %d bytes for a ring: %w", Size, os.NewSyscallError("fallocate", err))
	}
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, seals); err != nil {
		return fmt.Errorf("sealing the memory of a ring: %w", os.NewSyscallError("fcntl", err))
	}
	return nil
}

// Open maps the memory that another process has made and sent. It closes fd in any case. An error that is
// [ErrForeign] says that the descriptor is of something else.
func Open(fd int) (*Memory, error) {
	defer unix.Close(fd)
	if err := check(fd); err != nil {
		return nil, err
	}
	return mapped(fd)
}

// check ensures that no access to the mapped memory can fail later.
func check(fd int) error {
	var fs unix.Statfs_t
	if err := unix.Fstatfs(fd, &fs); err != nil {
		return fmt.Errorf("%w: %w", ErrForeign, os.NewSyscallError("fstatfs", err))
	}
	if int64(fs.Type) != unix.TMPFS_MAGIC {
		return fmt.Errorf("%w: it is on a file system of type %#x, not in shared memory", ErrForeign, uint32(fs.Type))
	}
	got, err := unix.FcntlInt(uintptr(fd), unix.F_GET_SEALS, 0)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrForeign, os.NewSyscallError("fcntl", err))
	}
	if got&seals != seals {
		return fmt.Errorf("%w: it has the seals %#x, and %#x must be among them", ErrForeign, got, seals)
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return fmt.Errorf("%w: %w", ErrForeign, os.NewSyscallError("fstat", err))
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG || st.Size != Size {
		return fmt.Errorf("%w: it has mode %#o and %d bytes, not %d", ErrForeign, st.Mode, st.Size, Size)
	}
	return nil
}

func mapped(fd int) (*Memory, error) {
	b, err := unix.Mmap(fd, 0, Size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("mapping the memory of a ring: %w", os.NewSyscallError("mmap", err))
	}
	return &Memory{bytes: b}, nil
}

// use reports whether the memory is there. It then stays until leave is called.
func (m *Memory) use() bool {
	for {
		now := m.state.Load()
		if now >= closing {
			return false
		}
		if m.state.CompareAndSwap(now, now+1) {
			return true
		}
	}
}

func (m *Memory) leave() {
	if m.state.Add(-1) == closing {
		unix.Munmap(m.bytes)
	}
}

// Close gives the memory back as soon as no goroutine uses it. Later calls do nothing.
func (m *Memory) Close() {
	if m.use() {
		m.state.Or(closing)
		m.leave()
	}
}
