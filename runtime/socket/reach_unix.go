//go:build unix

package socket

import "golang.org/x/sys/unix"

const errQueueFull = unix.EAGAIN

// reach returns the path for connect(2), valid until done is called.
func (a Address) reach() (name string, done func(), err error) {
	if a.abstract || len(a.name) <= maxPath {
		return a.String(), func() {}, nil
	}
	path, file := a.split()
	d, err := openDir(path)
	if err != nil {
		return "", nil, err
	}
	name, err = d.reach(file)
	if err != nil {
		d.close()
		return "", nil, err
	}
	return name, d.close, nil
}
