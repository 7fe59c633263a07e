package childproc

import (
	"fmt"
	"os"
	"os/exec"

	"github.com/udsgrpc/udsgrpc/runtime/internal/sockerr"
)

// Supported returns an error: os/exec has no ExtraFiles here, and other ways to pass a socket need the
// child's process id first.
func Supported() error {
	return fmt.Errorf("a child that inherits a socket: %w", sockerr.ErrUnsupported)
}

// User returns -1: a command sets no uid.
func User(*exec.Cmd) int { return -1 }

func (*Process) pass(string) ([]*os.File, error) { return nil, Supported() }

func ownGroup(*exec.Cmd) {}
