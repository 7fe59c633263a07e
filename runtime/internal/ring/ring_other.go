//go:build !linux

package ring

import "errors"

// Supported reports whether there are rings on this system.
const Supported = false

// Memory is what two processes share. There is none but on Linux.
type Memory struct{}

// New fails with [errors.ErrUnsupported].
func New() (m *Memory, fd int, err error) { return nil, -1, errors.ErrUnsupported }

// Open fails with [errors.ErrUnsupported].
func Open(int) (*Memory, error) { return nil, errors.ErrUnsupported }

// Close does nothing.
func (*Memory) Close() {}

// Spinners are of no use here.
type Spinners struct{ Crowded func() bool }

// NewSpinners returns an object of no use.
func NewSpinners() *Spinners { return &Spinners{} }

// Worthwhile reports false.
func (*Spinners) Worthwhile() bool { return false }

// Most returns 0.
func (*Spinners) Most() int { return 0 }

// Cores returns 1.
func Cores() int { return 1 }

// Conn is never made here.
type Conn struct{}

// NewConn returns nil.
func NewConn(*Memory, End, Socket, *Spinners) *Conn { return nil }

// Read fails, as the other methods do.
func (*Conn) Read([]byte) (int, error) { return 0, errors.ErrUnsupported }

// Await fails.
func (*Conn) Await() (waited bool, err error) { return false, errors.ErrUnsupported }

// TryRead fails.
func (*Conn) TryRead([]byte) (int, error) { return 0, errors.ErrUnsupported }

// Write fails.
func (*Conn) Write([][]byte, bool) (int, error) { return 0, errors.ErrUnsupported }

// Hear does nothing.
func (*Conn) Hear(func() bool) {}

// Unread returns 0.
func (*Conn) Unread() int { return 0 }

// Arrived returns 0.
func (*Conn) Arrived() int { return 0 }

// Recall returns 0.
func (*Conn) Recall() int { return 0 }

// Empty reports true.
func (*Conn) Empty() bool { return true }

// Idle reports false.
func (*Conn) Idle() bool { return false }

// Stop does nothing.
func (*Conn) Stop() {}

// Shutdown does nothing.
func (*Conn) Shutdown() {}

// Interrupt does nothing.
func (*Conn) Interrupt(error) {}

// Close does nothing.
func (*Conn) Close() {}
