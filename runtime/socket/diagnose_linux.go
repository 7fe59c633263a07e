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

// hindrance returns what keeps a server from answering, as far as /proc (proc(5)) tells; else "".
//
// The peer is the process that called listen(2). If it has passed the socket on, another process should
// answer, and nothing can be found out about that.
func hindrance(peer Peer) string {
	if !peer.HasPID {
		return ""
	}
	found := hindranceOf(peer.PID)
	if isGone(peer) {
		return ended // the findings are about another process with the same id
	}
	return found
}

// isGone reports whether the process has ended and was waited for, so that another process can have its
// id. Without a pidfd, before Linux 6.5, this is unknown.
func isGone(peer Peer) bool {
	pidfd, err := peer.OpenPidfd()
	if err != nil {
		return errors.Is(err, os.ErrProcessDone)
	}
	defer pidfd.Close()
	// Since Linux 6.16 a process that is gone has a pidfd, too.
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

// descriptors returns how many descriptors a process has, and how many its limit allows. ok is false
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
		// Descriptors that were opened under a higher limit leave room below this one.
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
