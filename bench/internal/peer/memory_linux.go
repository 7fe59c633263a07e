package peer

import (
	"errors"
	"fmt"
	"os"

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

// readMemory maps a memory file, hands what is in it to read, and unmaps it. The file must be sealed, or its
// sender could end this program with SIGBUS by making it shorter.
func readMemory(f *os.File, read func([]byte)) error {
	conn, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var data []byte
	if failed := conn.Control(func(fd uintptr) { data, err = mapSealed(int(fd)) }); failed != nil {
		return failed
	}
	if err != nil {
		return err
	}
	read(data)
	return os.NewSyscallError("munmap", unix.Munmap(data))
}

func mapSealed(fd int) ([]byte, error) {
	switch got, err := unix.FcntlInt(uintptr(fd), unix.F_GET_SEALS, 0); {
	case err != nil:
		return nil, fmt.Errorf("no memory file: %w", err)
	case got&seals != seals:
		return nil, errors.New("it is not sealed: its sender could shrink or change it")
	}
	var stat unix.Stat_t // after the seals: it cannot change any more
	if err := unix.Fstat(fd, &stat); err != nil {
		return nil, os.NewSyscallError("fstat", err)
	}
	// All of it is read, so it is mapped at once instead of with a page fault now and then.
	data, err := unix.Mmap(fd, 0, int(stat.Size), unix.PROT_READ, unix.MAP_SHARED|unix.MAP_POPULATE)
	return data, os.NewSyscallError("mmap", err)
}
