package sockets

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Listening returns the stream sockets of this network namespace that processes listen on. A path can be
// that of several: only the last one can be reached.
func Listening() ([]*Socket, error) {
	table, err := os.Open("/proc/net/unix")
	if err != nil {
		return nil, err
	}
	defer table.Close()
	entries, err := readTable(table)
	if err != nil {
		return nil, err
	}
	clients := map[string]int{}
	inodes := map[uint64]*Socket{}
	var found []*Socket
	for _, e := range entries {
		if !e.listens {
			clients[e.path]++ // the server's end of a connection has the path, too
			continue
		}
		s := &Socket{Path: e.path, Listens: true}
		found = append(found, s)
		inodes[e.inode] = s
	}
	for _, s := range found {
		s.Clients = clients[s.Path]
	}
	findHolders(inodes)
	for _, s := range found {
		s.locate()
	}
	return found, nil
}

// locate makes the path absolute and looks at what is there.
func (s *Socket) locate() {
	if s.Abstract() {
		return
	}
	for _, p := range s.Holders {
		if filepath.IsAbs(s.Path) {
			break
		}
		if dir, err := os.Readlink(proc(p.PID, "cwd")); err == nil {
			if path := filepath.Join(dir, s.Path); isSocket(path) {
				s.Path = path
			}
		}
	}
	if !filepath.IsAbs(s.Path) {
		return
	}
	if file, err := os.Lstat(s.Path); err == nil && file.Mode()&fs.ModeSocket != 0 {
		s.File = file
	}
}

func isSocket(path string) bool {
	file, err := os.Lstat(path)
	return err == nil && file.Mode()&fs.ModeSocket != 0
}

// findHolders looks for the processes that have sockets open. Those of other users cannot be seen, unless
// by root.
func findHolders(inodes map[uint64]*Socket) {
	processes, err := os.ReadDir("/proc")
	if err != nil {
		return
	}
	for _, process := range processes {
		pid, err := strconv.Atoi(process.Name())
		if err != nil {
			continue
		}
		descriptors, err := os.Open(proc(pid, "fd"))
		if err != nil {
			continue
		}
		names, _ := descriptors.Readdirnames(-1)
		descriptors.Close()
		for _, name := range names {
			target, err := os.Readlink(proc(pid, "fd/"+name))
			if err != nil {
				continue
			}
			number, isSocket := strings.CutPrefix(target, "socket:[")
			if !isSocket {
				continue
			}
			inode, _ := strconv.ParseUint(strings.TrimSuffix(number, "]"), 10, 64)
			if s := inodes[inode]; s != nil && !slices.ContainsFunc(s.Holders, func(p Process) bool { return p.PID == pid }) {
				s.Holders = append(s.Holders, ProcessOf(pid))
			}
		}
	}
}

// ProcessOf returns the process with an id, without a name if it has ended.
func ProcessOf(pid int) Process {
	name, _ := os.ReadFile(proc(pid, "comm"))
	return Process{PID: pid, Name: strings.TrimSuffix(string(name), "\n")}
}

func proc(pid int, name string) string { return "/proc/" + strconv.Itoa(pid) + "/" + name }

// ManagerRuns reports whether systemd manages this machine or container: see sd_booted(3).
func ManagerRuns() bool {
	file, err := os.Lstat("/run/systemd/system")
	return err == nil && file.IsDir()
}
