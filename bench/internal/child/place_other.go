//go:build !linux

package child

import (
	"errors"
	"fmt"
	"os/exec"
)

func startOnCores(*exec.Cmd, int) error {
	return fmt.Errorf("choose cores for a process: %w: measure this on Linux", errors.ErrUnsupported)
}
