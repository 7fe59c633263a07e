package usage

import (
	"fmt"
	"os"
	"syscall"
	"time"
)

// kernel reads what the kernel counts.
func kernel() (Usage, error) {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		return Usage{}, fmt.Errorf("read the use of this process: %w", err)
	}
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return Usage{}, fmt.Errorf("count open files: %w", err)
	}
	statm, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return Usage{}, fmt.Errorf("read the size of this process: %w", err)
	}
	var total, resident uint64
	if _, err := fmt.Sscan(string(statm), &total, &resident); err != nil {
		return Usage{}, fmt.Errorf("read the size of this process in %q: %w", statm, err)
	}
	return Usage{
		CPU: time.Duration(r.Utime.Nano() + r.Stime.Nano()),
		RSS: resident * uint64(os.Getpagesize()),
		FDs: len(fds) - 1, // one was open to read the directory
	}, nil
}
