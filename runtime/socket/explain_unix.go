//go:build unix

package socket

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/udsgrpc/udsgrpc/runtime/internal/opendir"
)

// explain returns why connect(2) failed with err and what to do about it.
func explain(addr Address, err error) (Condition, string) {
	switch {
	case errors.Is(err, ErrPathTooLong):
		return PathTooLong, "the server needs a shorter path, too"
	case errors.Is(err, unix.EMFILE):
		return Unreachable, "this process has no descriptor left: close what it does not need, or raise its limit, as with ulimit -n"
	case errors.Is(err, unix.ENFILE):
		return Unreachable, "the system has no descriptor left: see sysctl fs.file-nr for how many are in use, and raise fs.file-max"
	case errors.Is(err, unix.EAGAIN):
		return QueueFull, "the server's accept queue stayed full: it is overloaded or hangs; look at the server"
	case timedOut(err):
		return Unreachable, "the time for the attempt ran out first"
	case addr.abstract:
		return explainAbstract(err)
	}
	path, name := addr.split()
	d, dirErr := opendir.Open(path)
	switch {
	case errors.Is(dirErr, unix.ENOENT):
		return Missing, fmt.Sprintf("the directory %s does not exist: the server has not started yet, or listens elsewhere; it makes the directory only if told so by runtime.CreateDir()", path)
	case errors.Is(dirErr, unix.ENOTDIR):
		return Missing, fmt.Sprintf("%s is not a directory: check the path", path)
	case dirErr != nil && !errors.Is(dirErr, unix.EACCES):
		return Unreachable, "the directory cannot be looked at: " + dirErr.Error()
	case dirErr != nil:
		return Denied, fmt.Sprintf("uid %d may not pass through to %s: check the modes of the directories on the way", os.Geteuid(), path)
	}
	defer d.Close()
	st, statErr := d.Lstat(name)
	kind := uint32(st.Mode) & unix.S_IFMT
	switch {
	case errors.Is(statErr, unix.ENOENT):
		return Missing, "there is no such file: the server is not running, or listens elsewhere"
	case errors.Is(statErr, unix.EACCES):
		return Denied, fmt.Sprintf("uid %d may not enter the directory %s: %s", os.Geteuid(), path, d.DescribeSelf())
	case statErr != nil:
		return Unreachable, "the path cannot be looked at: " + statErr.Error()
	case errors.Is(err, unix.EACCES), errors.Is(err, unix.EPERM):
		return Denied, fmt.Sprintf("no permission to connect: %s; the server can widen the mode or the group", d.Describe(name))
	case kind == unix.S_IFLNK:
		return NotSocket, "a symbolic link is there, and it does not lead to a listening socket: check the path"
	case kind != unix.S_IFSOCK:
		return NotSocket, fmt.Sprintf("%s is there, not a socket: check the path", opendir.FileType(kind))
	case errors.Is(err, unix.ECONNREFUSED) && st.Nlink == 0:
		return Stale, "a socket file is mounted there that was replaced where it came from, as a server does when it starts: mount the directory instead"
	case errors.Is(err, unix.ECONNREFUSED):
		return Stale, "a socket file is there but nobody listens: the server has died or is just starting"
	case errors.Is(err, unix.EPROTOTYPE):
		return NotSocket, "a datagram or seqpacket socket is there, not a stream socket: check the path"
	default:
		return Unreachable, "check that the server runs and that the path is right"
	}
}

func explainAbstract(err error) (Condition, string) {
	switch {
	case errors.Is(err, unix.ECONNREFUSED):
		return Missing, "nobody listens on this abstract name in this network namespace: the server is not running, or in another one"
	case errors.Is(err, unix.EACCES), errors.Is(err, unix.EPERM):
		return Denied, "a security module denies the connection"
	default:
		return Unreachable, "check that the server runs and that the name is right"
	}
}
