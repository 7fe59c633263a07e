//go:build !linux

package sockets

// Listening returns nothing: other systems than Linux do not list sockets in a way that is their own.
func Listening() ([]*Socket, error) { return nil, nil }

// ProcessOf returns the process with an id, without its name.
func ProcessOf(pid int) Process { return Process{PID: pid} }

// ManagerRuns reports whether systemd manages this machine, which is Linux's.
func ManagerRuns() bool { return false }
