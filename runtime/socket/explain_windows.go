package socket

import (
	"errors"
	"os"

	"golang.org/x/sys/windows"
)

// explain returns why connect failed with err and what to do about it.
func explain(addr Address, err error) (Condition, string) {
	if errors.Is(err, ErrPathTooLong) {
		return PathTooLong, "the server needs a shorter path, too"
	}
	_, statErr := os.Lstat(addr.String())
	switch {
	case errors.Is(statErr, os.ErrNotExist):
		return Missing, "there is no such file: the server is not running, or listens elsewhere"
	case errors.Is(statErr, os.ErrPermission), errors.Is(err, windows.WSAEACCES):
		return Denied, "no permission to connect: check the access control list of the file and its directory"
	case errors.Is(err, windows.WSAECONNREFUSED):
		return Stale, "a file is there but nobody listens: the server has died or is just starting"
	default:
		return Unreachable, "check that the server runs and that the path is right"
	}
}
