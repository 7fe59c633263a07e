//go:build !linux

package peer

import (
	"errors"
	"fmt"
	"os"
)

const noFilesHere = "open files go with calls on Linux only"

// MemoryFile returns an error.
func MemoryFile([]byte) (*os.File, error) {
	return nil, fmt.Errorf("make a memory file: %w: run the benchmark on Linux", errors.ErrUnsupported)
}

func readMemory(*os.File, func([]byte)) error {
	return fmt.Errorf("read a memory file: %w", errors.ErrUnsupported)
}
