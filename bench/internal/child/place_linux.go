package child

import (
	"errors"
	"fmt"
	"os/exec"
	"runtime"

	"golang.org/x/sys/unix"
)

// startOnCores starts cmd so that it can use the first of the cores that this process has. A process gets the
// cores of the thread that starts it.
func startOnCores(cmd *exec.Cmd, cores int) error {
	runtime.LockOSThread()
	var all, some unix.CPUSet
	if err := unix.SchedGetaffinity(0, &all); err != nil {
		runtime.UnlockOSThread()
		return fmt.Errorf("find out the cores of this process: %w", err)
	}
	for core := 0; some.Count() < min(cores, all.Count()); core++ {
		if all.IsSet(core) {
			some.Set(core)
		}
	}
	if err := unix.SchedSetaffinity(0, &some); err != nil {
		runtime.UnlockOSThread()
		return fmt.Errorf("use %d cores: %w", cores, err)
	}
	err := cmd.Start()
	if back := unix.SchedSetaffinity(0, &all); back != nil {
		return errors.Join(err, fmt.Errorf("use all cores again: %w", back)) // and nothing else uses the thread
	}
	runtime.UnlockOSThread()
	return err
}
