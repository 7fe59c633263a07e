#!/usr/bin/env bash
# Linux and Go: io.Copy of a file into a Unix socket sends what the file holds when the other end reads.
#
# Surprise: io.Copy has returned, and says that all bytes are written; then the file is written to again. The
# reader gets the new bytes in place of those that were copied. Copy uses sendfile(2), and the socket's queue refers
# to the file's own pages. io.Copy(struct{ io.Writer }{conn}, file) goes through a buffer and sends what the
# file held. Python's socket.sendfile does the same as Go's copy.
# Who meets it: whoever streams files that change in place over a Unix socket, as a daemon that hands out its state:
# a reader that is a little late gets old and new mixed, without an error at either end.
# Seen since: Linux 6.18, Go 1.26.8. Neither io.Copy nor os.File.WriteTo speaks of it.
# Source: the notes of https://man7.org/linux/man-pages/man2/sendfile.2.html leave it to the caller of sendfile;
# https://github.com/golang/go/blob/go1.26.0/src/os/zero_copy_linux.go
source "$(dirname "$0")/common.bash"

go_program <<'GO'
package main

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
)

const size = 30000

func main() {
	listener, err := net.Listen("unix", os.Args[1])
	check(err)
	for _, how := range []string{"io.Copy", "a buffer"} {
		file, err := os.Create(os.Args[1] + ".file")
		check(err)
		_, err = file.WriteString(strings.Repeat("a", size))
		check(err)
		_, err = file.Seek(0, io.SeekStart)
		check(err)
		client, err := net.Dial("unix", os.Args[1])
		check(err)
		server, err := listener.Accept()
		check(err)
		var to io.Writer = server
		if how == "a buffer" {
			to = struct{ io.Writer }{server}
		}
		n, err := io.Copy(to, file)
		check(err)
		_, err = file.WriteAt(bytes.Repeat([]byte("b"), size), 0)
		check(err)
		server.Close()
		got, err := io.ReadAll(client)
		check(err)
		fmt.Printf("%d bytes a sent by %s, then the file is overwritten: received %d a, %d b\n",
			n, how, bytes.Count(got, []byte("a")), bytes.Count(got, []byte("b")))
	}
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
GO
verdict '30000 a both times: the copy was made before the file was overwritten' \
	'^30000 bytes a sent by io.Copy, then the file is overwritten: received 0 a, 30000 b$' \
	"$("$work/probe" "$work/s" 2>&1)"
