#!/usr/bin/env bash
# fsnotify (inotify of Linux): the end of a watched directory is not told while a socket is bound in it.
#
# Surprise: after unlink of the socket file and rmdir of the directory, the watcher reports the file, but not
# the directory, as long as any process still has the socket open that was once bound there. The bound socket
# keeps its path, so the directory's inode lives on, and inotify tells of the end of an inode. A
# directory made anew under the same name is then watched by nobody. Without a socket the event
# comes at once.
# Who meets it: clients that watch a socket's directory to be back quickly after a restart, while the old
# server still drains; every watcher on top of inotify.
# Seen since: fsnotify 1.10.1, Linux 6.18.
# Source: https://man7.org/linux/man-pages/man7/inotify.7.html tells when a watched file or directory is
# deleted (IN_DELETE_SELF), but of no socket that puts it off.
source "$(dirname "$0")/common.bash"
[ "$(uname -s)" = Linux ] || unavailable 'inotify is of Linux'

go_program github.com/fsnotify/fsnotify@v1.10.1 <<'GO'
package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/fsnotify/fsnotify"
)

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func main() {
	for _, kind := range []string{"file", "socket"} {
		dir := filepath.Join(os.Args[1], kind)
		name := filepath.Join(dir, "s")
		must(os.Mkdir(dir, 0o700))
		var listener *net.UnixListener
		if kind == "socket" {
			var err error
			listener, err = net.ListenUnix("unix", &net.UnixAddr{Name: name, Net: "unix"})
			must(err)
			listener.SetUnlinkOnClose(false)
		} else {
			must(os.WriteFile(name, nil, 0o600))
		}
		watcher, err := fsnotify.NewWatcher()
		must(err)
		must(watcher.Add(dir))
		told := func() bool {
			for {
				select {
				case event := <-watcher.Events:
					if event.Name == dir && event.Has(fsnotify.Remove) {
						return true
					}
				case <-time.After(2 * time.Second):
					return false
				}
			}
		}
		must(os.Remove(name))
		must(os.Remove(dir))
		fmt.Printf("%s: removal of the directory told within 2 s: %t\n", kind, told())
		if listener != nil {
			must(listener.Close())
			fmt.Printf("%s: told once the listener was closed: %t\n", kind, told())
		}
		must(watcher.Close())
	}
}
GO
verdict 'the removal is told in both cases, since both directories are gone' \
	'^socket: removal of the directory told within 2 s: false$' "$("$work/probe" "$work" 2>&1)"
