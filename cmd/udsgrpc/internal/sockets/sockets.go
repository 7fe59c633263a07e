// Package sockets lists the Unix domain sockets of this machine that processes listen on, and those that
// are in directories.
package sockets

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Socket is a socket file, a socket that a process listens on, or mostly both.
type Socket struct {
	// Path is where it is: that of the file, or "@" and a name for one in the abstract namespace. It is
	// relative if its process has bound it so and cannot be seen.
	Path string
	// File is what is at the path, nil for an abstract name and where no socket is.
	File fs.FileInfo
	// Listens is true if this network namespace has a process that listens on it, or may at any moment, as it
	// has bound it. A socket file of which
	// nothing else is known can belong to one elsewhere, as in a container.
	Listens bool
	// Holders are the processes that have it open, as far as they can be seen.
	Holders []Process
	// Clients is how many connections clients have to it.
	Clients int
}

// Process is a running program.
type Process struct {
	PID  int
	Name string
}

// Abstract reports whether the socket has a name without a file.
func (s *Socket) Abstract() bool { return strings.HasPrefix(s.Path, "@") }

// Managed reports whether only service managers hold the socket, which start a service when a client
// connects.
func (s *Socket) Managed() bool {
	for _, p := range s.Holders {
		if !p.isManager() {
			return false
		}
	}
	return len(s.Holders) > 0
}

// isManager reports whether the process hands sockets to others: the first process of the machine or a
// container, or a program of that kind. The kernel cuts names after 15 bytes.
func (p Process) isManager() bool {
	switch p.Name {
	case "systemd", "systemd-socket-", "inetd", "xinetd", "launchd":
		return true
	}
	return p.PID == 1
}

// Unlimited is the depth for Walk with which nothing is left out.
const Unlimited = -1

// Walk calls found for each socket file in dir, and in directories at most depth levels below. Links are
// not followed, and what cannot be read is left out, but for dir itself. It ends early if ctx does.
func Walk(ctx context.Context, dir string, depth int, found func(path string, file fs.FileInfo)) error {
	root := filepath.Clean(dir)
	return filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case ctx.Err() != nil:
			return fs.SkipAll
		case err != nil && path == root:
			return err
		case err != nil:
			return nil // the directory below it is left out
		case entry.IsDir():
			if path == "/proc" || path == "/sys" || depth >= 0 && levels(root, path) > depth {
				return fs.SkipDir
			}
		case entry.Type()&fs.ModeSocket != 0:
			if file, err := entry.Info(); err == nil && file.Mode()&fs.ModeSocket != 0 {
				found(path, file)
			}
		}
		return nil
	})
}

// levels returns how many levels path is below root.
func levels(root, path string) int {
	below, err := filepath.Rel(root, path)
	if err != nil || below == "." {
		return 0
	}
	return 1 + strings.Count(below, string(os.PathSeparator))
}
