//go:build unix

package socket

import (
	"golang.org/x/sys/unix"

	"github.com/udsgrpc/udsgrpc/runtime/internal/opendir"
)

const errQueueFull = unix.EAGAIN

// sockPath returns the path for connect(2), valid until done is called.
func (a Address) sockPath() (name string, done func(), err error) {
	if a.abstract || len(a.name) <= opendir.MaxPath {
		return a.String(), func() {}, nil
	}
	path, file := a.split()
	d, err := opendir.Open(path)
	if err != nil {
		return "", nil, err
	}
	name, err = d.SockPath(file)
	if err != nil {
		d.Close()
		return "", nil, err
	}
	return name, d.Close, nil
}
