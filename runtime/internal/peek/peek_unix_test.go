//go:build unix

package peek_test

import (
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/udsgrpc/udsgrpc/runtime/internal/fixture"
	"github.com/udsgrpc/udsgrpc/runtime/internal/peek"
)

// connected returns both ends of a connection.
func connected(t *testing.T) (client, server *net.UnixConn) {
	t.Helper()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: fixture.FreePath(t), Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if client, err = net.DialUnix("unix", nil, l.Addr().(*net.UnixAddr)); err != nil {
		t.Fatal(err)
	}
	if server, err = l.AcceptUnix(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close(); server.Close() })
	return client, server
}

// What comes in pieces is looked at again with each, and stays to be read.
func TestPeekWaitsForEnoughAndLeavesIt(t *testing.T) {
	t.Parallel()
	client, server := connected(t)
	io.WriteString(client, "ab")
	b := make([]byte, 10)
	n, err := peek.Bytes(server, b, func(b []byte) bool {
		if len(b) == 2 {
			io.WriteString(client, "cd")
		}
		return len(b) == 4
	})
	if err != nil || string(b[:n]) != "abcd" {
		t.Errorf("Peek finds %q, %v", b[:n], err)
	}
	if n, err = server.Read(b); err != nil || string(b[:n]) != "abcd" {
		t.Errorf("after it Read finds %q, %v", b[:n], err)
	}
}

func TestPeekFillsItsBuffer(t *testing.T) {
	t.Parallel()
	client, server := connected(t)
	io.WriteString(client, "abcd")
	b := make([]byte, 3)
	if n, err := peek.Bytes(server, b, func([]byte) bool { return false }); err != nil || string(b[:n]) != "abc" {
		t.Errorf("Peek finds %q, %v", b[:n], err)
	}
}

// A client that hangs up after too little, before or while it is waited for, is not waited for longer.
func TestPeekEndsWhenTheOtherEndHangsUp(t *testing.T) {
	t.Parallel()
	for name, hangUp := range map[string]func(*net.UnixConn){
		"closes":            func(c *net.UnixConn) { c.Close() },
		"closes for writes": func(c *net.UnixConn) { c.CloseWrite() },
	} {
		for _, sent := range []string{"", "ab"} {
			for _, early := range []bool{true, sent == ""} { // with nothing sent, nobody asks whether it is enough
				client, server := connected(t)
				server.SetReadDeadline(time.Now().Add(fixture.Guard))
				io.WriteString(client, sent)
				if early {
					hangUp(client)
				}
				_, err := peek.Bytes(server, make([]byte, 10), func([]byte) bool {
					if !early {
						go hangUp(client)
					}
					return false
				})
				if !errors.Is(err, io.EOF) {
					t.Errorf("%s after %q, early: %v: %v, want io.EOF", name, sent, early, err)
				}
			}
		}
	}
}
