//go:build !linux

package socket

import "fmt"

func listenAbstract(Address, *ListenConfig) (*Listener, error) {
	return nil, fmt.Errorf("abstract names: %w: use a path", ErrUnsupported)
}
