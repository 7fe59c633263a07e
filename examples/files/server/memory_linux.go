package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	filesv1 "github.com/udsgrpc/udsgrpc/examples/files/gen/files/v1"
)

type memoryServer struct {
	filesv1.UnimplementedMemoryServer
}

func (memoryServer) Sum(_ context.Context, req *filesv1.SumRequest) (*filesv1.SumResponse, error) {
	memory, err := req.GetMemory().Take()
	if err != nil {
		return nil, status.Errorf(codes.InvalidArgument, "memory: %v", err)
	}
	defer memory.Close()
	mapped, err := mapSealed(memory)
	if err != nil {
		return nil, status.Errorf(codes.InvalidArgument, "memory: %v", err)
	}
	defer unix.Munmap(mapped)
	var sum uint64
	for _, b := range mapped {
		sum += uint64(b)
	}
	return &filesv1.SumResponse{Sum: sum}, nil
}

// mostMemory is how much is mapped for a caller, in bytes.
const mostMemory = 1 << 30

// mapSealed maps a memory file that can neither shrink nor change. Without the seals its sender could
// shorten it at any time, and reading beyond its end would end this program with SIGBUS.
func mapSealed(f *os.File) (memory []byte, err error) {
	conn, err := f.SyscallConn()
	if err != nil {
		return nil, err
	}
	if failed := conn.Control(func(fd uintptr) { memory, err = mapDescriptor(int(fd)) }); failed != nil {
		return nil, failed
	}
	return memory, err
}

func mapDescriptor(fd int) ([]byte, error) {
	const needed = unix.F_SEAL_SHRINK | unix.F_SEAL_WRITE
	seals, err := unix.FcntlInt(uintptr(fd), unix.F_GET_SEALS, 0)
	if err != nil {
		return nil, fmt.Errorf("no memory file: %w", err)
	}
	if seals&needed != needed {
		return nil, errors.New("it is not sealed: its sender could shrink or change it")
	}
	var stat unix.Stat_t // after the seals: it cannot change any more
	if err := unix.Fstat(fd, &stat); err != nil {
		return nil, err
	}
	if stat.Size == 0 || stat.Size > mostMemory {
		return nil, fmt.Errorf("%d bytes, want 1 to %d", stat.Size, mostMemory)
	}
	return unix.Mmap(fd, 0, int(stat.Size), unix.PROT_READ, unix.MAP_PRIVATE)
}
