#!/usr/bin/env bash
# Linux: what is sent after accept(2) and before the server sets SO_PASSCRED comes with the credentials of nobody.
#
# Surprise: a server accepts a connection, sets SO_PASSCRED on it and receives with recvmsg(2). What the client sent
# before accept(2), and what it sends after the option is set, has its process id, user and group. What it sent in
# between is received with credentials, too, but of process 0, user and group 65534. No call fails. With SO_PASSCRED
# on the listening socket, from which accepted ones have it, all is right.
# Who meets it: whoever asks who has sent a message, and sets the option after accept(2): a request is
# refused, or logged as nobody's, for a client whose first bytes come in that moment, and so only under load.
# Seen since: Linux 6.18. unix(7) says that messages are received with the sender's credentials.
# Source: https://man7.org/linux/man-pages/man7/unix.7.html and maybe_add_creds in
# https://github.com/torvalds/linux/blob/v6.1/net/unix/af_unix.c, which looks at the option when data is sent
source "$(dirname "$0")/common.bash"

go_program <<'GO'
package main

import (
	"fmt"
	"net"
	"os"
	"syscall"
)

func main() {
	for _, where := range []string{"accepted", "listening"} {
		path := os.Args[1] + "." + where
		listener, err := net.Listen("unix", path)
		check(err)
		if where == "listening" {
			pass(listener.(syscall.Conn))
		}
		client, err := net.Dial("unix", path)
		check(err)
		send(client)
		server, err := listener.Accept()
		check(err)
		send(client)
		if where == "accepted" {
			pass(server.(syscall.Conn))
		}
		send(client)
		for _, when := range []string{"before accept", "before the option", "after it"} {
			control := make([]byte, 100)
			_, n, _, _, err := server.(*net.UnixConn).ReadMsgUnix(make([]byte, 1), control)
			check(err)
			messages, err := syscall.ParseSocketControlMessage(control[:n])
			check(err)
			sender, err := syscall.ParseUnixCredentials(&messages[0])
			check(err)
			who := fmt.Sprintf("process %d, user %d", sender.Pid, sender.Uid)
			if int(sender.Pid) == os.Getpid() && int(sender.Uid) == os.Getuid() {
				who = "the sender"
			}
			fmt.Printf("SO_PASSCRED on the %s socket, sent %s: %s\n", where, when, who)
		}
	}
}

// send sends a byte.
func send(c net.Conn) {
	_, err := c.Write([]byte("x"))
	check(err)
}

func pass(c syscall.Conn) {
	raw, err := c.SyscallConn()
	check(err)
	var set error
	check(raw.Control(func(fd uintptr) { set = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_PASSCRED, 1) }))
	check(set)
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
GO
verdict 'six times the sender' \
	'^SO_PASSCRED on the accepted socket, sent before the option: process 0, user 65534$' \
	"$("$work/probe" "$work/s" 2>&1)"
