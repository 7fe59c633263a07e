package socket

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

const ended = "that process has ended, and another one has the socket"

// hindrance says what keeps a server from answering, as far as /proc (proc(5)) tells; else "".
//
// The peer is who began to listen. If it has passed the socket on, the process that should
// answer is another one, of which nothing can be found out.
func hindrance(peer Peer) string {
	if !peer.HasPID {
		return ""
	}
	found := hindranceOf(peer.PID)
	if isGone(peer) {
		return ended // what was found is of another process with the same id
	}
	return found
}

// isGone reports whether the process has ended and was waited for, so that its id can be
// another's. Without a pidfd, before Linux 6.5, nobody knows.
func isGone(peer Peer) bool {
	pidfd, err := peer.OpenPidfd()
	if err != nil {
		return errors.Is(err, os.ErrProcessDone)
	}
	defer pidfd.Close()
	// Since Linux 6.16 there is a pidfd of a process that is gone, too.
	return errors.Is(unix.PidfdSendSignal(int(pidfd.Fd()), 0, nil, 0), unix.ESRCH)
}

func hindranceOf(pid int) string {
	proc := fmt.Sprintf("/proc/%d/", pid)
	name, state := processState(proc)
	switch {
	case name == "systemd":
		return "that is the service manager, which made the socket: look at the service behind it"
	case state == 'T':
		return fmt.Sprintf("it is stopped: kill -CONT %d", pid)
	case state == 't':
		return "a debugger has stopped it: let it go on there, or end the debugger"
	case state == 'Z':
		return ended
	}
	if used, limit, ok := descriptors(proc); ok && used >= limit {
		return fmt.Sprintf("it has no descriptors left: %d of %d are in use: raise its limit", used, limit)
	}
	return ""
}

// processState reads a line such as "123 (name) S 1 ..."; the name may have any characters.
func processState(proc string) (name string, state byte) {
	stat, err := os.ReadFile(proc + "stat")
	begin, end := bytes.IndexByte(stat, '('), bytes.LastIndex(stat, []byte(") "))
	if err != nil || begin < 0 || end < begin || end+2 >= len(stat) {
		return "", 0
	}
	return string(stat[begin+1 : end]), stat[end+2]
}

// descriptors returns how many a process has, of those that its limit lets it have; not ok
// without a limit, and for a process of another user, unless the caller is root.
func descriptors(proc string) (used, limit int, ok bool) {
	limit, err := descriptorLimit(proc)
	if err != nil {
		return 0, 0, false
	}
	entries, err := os.ReadDir(proc + "fd")
	if err != nil {
		return 0, 0, false
	}
	for _, e := range entries {
		// Those opened under a higher limit leave room below this one.
		if fd, err := strconv.Atoi(e.Name()); err == nil && fd < limit {
			used++
		}
	}
	return used, limit, true
}

// descriptorLimit finds the soft limit, the first number in its line.
func descriptorLimit(proc string) (int, error) {
	limits, err := os.ReadFile(proc + "limits")
	if err != nil {
		return 0, err
	}
	_, line, _ := strings.Cut(string(limits), "\nMax open files ")
	soft, _, _ := strings.Cut(strings.TrimLeft(line, " "), " ")
	return strconv.Atoi(soft)
}
