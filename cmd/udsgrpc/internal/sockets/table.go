package sockets

import (
	"bufio"
	"io"
	"strconv"
	"strings"
)

// entry is a line of /proc/net/unix.
type entry struct {
	inode   uint64 // 0 for the server's end of a connection that waits to be accepted
	listens bool   // or is bound, and may listen at any moment
	path    string
}

// Values of columns of the table, from linux/net.h and linux/un.h.
const (
	streamType  = "0001"
	acceptsFlag = 1 << 16 // __SO_ACCEPTCON
	unconnected = "01"    // SS_UNCONNECTED
)

// readTable reads the entries with paths from /proc/net/unix (proc_net_unix(5)), which are of streams. The kernel writes
// paths as they are, so one with a newline spreads over lines. It could be made to look like other entries;
// so a path that was read here is only what a file may have, and never proves anything.
func readTable(r io.Reader) (entries []entry, err error) {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	lines.Scan() // the names of the columns
	stream := false
	for lines.Scan() {
		if e, ok, isStream := parseEntry(lines.Text()); ok {
			if stream = isStream && e.path != ""; stream {
				entries = append(entries, e)
			}
		} else if stream {
			entries[len(entries)-1].path += "\n" + lines.Text()
		}
	}
	return entries, lines.Err()
}

// parseEntry reads a line such as
//
//	00000000ab990bbb: 00000002 00000000 00010000 0001 01 60288463 /run/app.sock
func parseEntry(line string) (e entry, ok, stream bool) {
	address, rest, found := strings.Cut(line, ": ")
	if _, err := strconv.ParseUint(address, 16, 64); !found || err != nil {
		return entry{}, false, false
	}
	var columns [5]string // references, protocol, flags, type, state
	for i := range columns {
		if columns[i], rest, found = strings.Cut(rest, " "); !found {
			return entry{}, false, false
		}
	}
	number, path, _ := strings.Cut(strings.TrimLeft(rest, " "), " ")
	flags, flagsErr := strconv.ParseUint(columns[2], 16, 32)
	inode, inodeErr := strconv.ParseUint(number, 10, 64)
	if flagsErr != nil || inodeErr != nil {
		return entry{}, false, false
	}
	return entry{inode: inode, listens: flags&acceptsFlag != 0 || columns[4] == unconnected, path: path}, true, columns[3] == streamType
}
