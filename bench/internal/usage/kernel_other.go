//go:build !linux

package usage

import (
	"errors"
	"fmt"
)

func kernel() (Usage, error) {
	return Usage{}, fmt.Errorf("read the use of this process from /proc: %w: run the benchmark on Linux", errors.ErrUnsupported)
}
