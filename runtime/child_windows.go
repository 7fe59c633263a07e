package runtime

import (
	"fmt"
	"os"
	"os/exec"

	"github.com/udsgrpc/udsgrpc/runtime/socket"
)

// On Windows os/exec has no ExtraFiles, and other ways to pass a socket need the child's process id first.
func supportsChildren() error {
	return fmt.Errorf("a child that inherits a socket: %w", socket.ErrUnsupported)
}

func (*childProcess) bequeath(string) ([]*os.File, error) { return nil, supportsChildren() }

func childPolicy(*exec.Cmd) []DialOption { return nil }

func ownGroup(*exec.Cmd) {}

func childUser(*exec.Cmd) int { return -1 }
