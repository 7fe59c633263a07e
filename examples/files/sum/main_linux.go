// Command sum has 64 MiB added up by a server, which does not get them in a message: it maps the memory.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"time"

	"golang.org/x/sys/unix"

	filesv1 "github.com/udsgrpc/udsgrpc/examples/files/gen/files/v1"
	"github.com/udsgrpc/udsgrpc/runtime"
)

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: sum SOCKET")
	}
	if err := sum(os.Args[1]); err != nil {
		log.Fatal(err)
	}
}

func sum(path string) error {
	client, conn, err := filesv1.DialMemoryUDS(path)
	if err != nil {
		return err
	}
	defer conn.Close()
	memory, err := fill(64 << 20)
	if err != nil {
		return err
	}
	defer memory.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	resp, err := client.Sum(ctx, &filesv1.SumRequest{Memory: runtime.ShareFile(memory)})
	if err != nil {
		return err
	}
	fmt.Printf("the sum of 64 MiB is %d\n", resp.GetSum())
	return nil
}

// fill returns a memory file of size bytes, each of which is 1. Nobody can change it any more.
func fill(size int) (*os.File, error) {
	fd, err := unix.MemfdCreate("numbers", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return nil, os.NewSyscallError("memfd_create", err)
	}
	f := os.NewFile(uintptr(fd), "numbers")
	if err := write(f, fd, size); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

func write(f *os.File, fd, size int) error {
	if err := f.Truncate(int64(size)); err != nil {
		return err
	}
	mapped, err := unix.Mmap(fd, 0, size, unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return os.NewSyscallError("mmap", err)
	}
	for i := range mapped {
		mapped[i] = 1
	}
	// As long as it is mapped for writing it cannot be sealed.
	if err := unix.Munmap(mapped); err != nil {
		return os.NewSyscallError("munmap", err)
	}
	_, err = unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, unix.F_SEAL_SHRINK|unix.F_SEAL_GROW|unix.F_SEAL_WRITE|unix.F_SEAL_SEAL)
	return os.NewSyscallError("seal", err)
}
