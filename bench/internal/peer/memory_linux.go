package peer

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

const noFilesHere = "" // the direct transport carries files on Linux

const seals = unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_WRITE | unix.F_SEAL_SEAL

// MemoryFile returns a memory file that holds data and that nobody can change any more.
func MemoryFile(data []byte) (*os.File, error) {
	fd, err := unix.MemfdCreate("bench", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return nil, os.NewSyscallError("memfd_create", err)
	}
	f := os.NewFile(uintptr(fd), "bench")
	_, err = f.Write(data)
	if err == nil {
		_, err = unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, seals)
		err = os.NewSyscallError("seal", err)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// mappedAtOnce is how much of a memory file is mapped at once: the page tables of more would have left the
// cache before they are used.
const mappedAtOnce = 8 << 20

// readMemory maps a memory file, hands what is in it to read, and unmaps it, in parts that the cores take one
// after another. So read is called concurrently. The file must be sealed, or its sender could end this program
// with SIGBUS by making it shorter.
func readMemory(f *os.File, read func([]byte)) error {
	conn, err := f.SyscallConn()
	if err != nil {
		return err
	}
	if failed := conn.Control(func(fd uintptr) { err = readSealed(int(fd), read) }); failed != nil {
		return failed
	}
	return err
}

func readSealed(fd int, read func([]byte)) error {
	switch got, err := unix.FcntlInt(uintptr(fd), unix.F_GET_SEALS, 0); {
	case err != nil:
		return fmt.Errorf("no memory file: %w", err)
	case got&seals != seals:
		return errors.New("it is not sealed: its sender could shrink or change it")
	}
	var stat unix.Stat_t // after the seals: it cannot change any more
	if err := unix.Fstat(fd, &stat); err != nil {
		return os.NewSyscallError("fstat", err)
	}
	var next atomic.Int64
	errs := make([]error, runtime.GOMAXPROCS(0))
	var cores sync.WaitGroup
	for i := range errs {
		cores.Go(func() {
			for errs[i] == nil {
				at := next.Add(mappedAtOnce) - mappedAtOnce
				if at >= stat.Size {
					return
				}
				errs[i] = readPart(fd, at, int(min(mappedAtOnce, stat.Size-at)), read)
			}
		})
	}
	cores.Wait()
	return errors.Join(errs...)
}

func readPart(fd int, at int64, size int, read func([]byte)) error {
	data, err := unix.Mmap(fd, at, size, unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return os.NewSyscallError("mmap", err)
	}
	read(data)
	return os.NewSyscallError("munmap", unix.Munmap(data))
}
