package socket

import (
	"fmt"

	"golang.org/x/sys/windows"
)

// errQueueFull is what a nonblocking connect reports while it cannot be completed.
const errQueueFull = windows.WSAEWOULDBLOCK

// reach returns the path for connect, valid until done is called.
func (a Address) reach() (name string, done func(), err error) {
	if len(a.name) > maxPath {
		return "", nil, fmt.Errorf("%w: %d bytes, the limit is %d: choose a shorter one", ErrPathTooLong, len(a.name), maxPath)
	}
	return a.String(), func() {}, nil
}
