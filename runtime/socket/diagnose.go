package socket

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"time"
)

// Condition is what [Diagnose] found a socket to be in.
type Condition string

// The conditions, as they are printed.
const (
	Ready        Condition = "ready"             // a server accepts and answers
	Unresponsive Condition = "unresponsive"      // a connection is made, but nobody answers
	QueueFull    Condition = "queue full"        // the server does not accept as fast as clients come, or not at all
	Stale        Condition = "stale"             // a socket file, and nobody listening
	Missing      Condition = "missing"           // no such file or directory, or no such abstract name
	Denied       Condition = "permission denied" // the caller may not connect
	NotSocket    Condition = "not a socket"      // something else is at the path
	PathTooLong  Condition = "path too long"     // the path does not fit into a socket address
	Invalid      Condition = "invalid address"   // the text names no socket
	Unreachable  Condition = "unreachable"       // none of these; see the error
)

// Diagnosis is the answer of [Diagnose].
type Diagnosis struct {
	// Address is what was looked at; not valid when Condition is Invalid.
	Address Address
	// Condition is the finding.
	Condition Condition
	// Detail says what was found and what to do about it, for people.
	Detail string
	// PID is the process id of the server where a connection was made and the system tells
	// it; else 0.
	PID int
	// Err is nil for Ready; else what failed, with its errno.
	Err error
}

// String returns the diagnosis on one line.
func (d Diagnosis) String() string {
	if d.Err != nil {
		return fmt.Sprintf("%s: %s (%v)", d.Condition, d.Detail, d.Err)
	}
	return fmt.Sprintf("%s: %s", d.Condition, d.Detail)
}

// How long Diagnose waits, for a place in the accept queue and for an answer. A server that
// is not in trouble takes less than a millisecond for both.
const diagnoseTimeout = time.Second

// hello opens an HTTP/2 connection: the client's preface and an empty SETTINGS frame
// (RFC 9113, section 3.4), which every gRPC server answers with its own.
const hello = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + "\x00\x00\x00\x04\x00\x00\x00\x00\x00"

// Diagnose finds out why a socket can or cannot be reached: it looks at the path, connects,
// and waits for the first byte of an HTTP/2 server, for a second each at the most. It changes
// nothing; the server sees a connection that is closed again.
func Diagnose(path string) Diagnosis {
	addr, err := ParseAddress(path)
	if err != nil {
		condition := Invalid
		if errors.Is(err, ErrPathTooLong) {
			condition = PathTooLong
		}
		return Diagnosis{Condition: condition, Detail: "see the forms that an address can have", Err: err}
	}
	ctx, cancel := context.WithTimeout(context.Background(), diagnoseTimeout)
	defer cancel()
	conn, err := dialQueue(ctx, addr)
	if err != nil {
		condition, detail := explain(addr, err)
		return Diagnosis{Address: addr, Condition: condition, Detail: detail, Err: err}
	}
	defer conn.Close()
	peer, _ := PeerOf(conn) // which says what is known
	d := Diagnosis{Address: addr, PID: peer.PID}
	server := "the server"
	if d.PID != 0 {
		server = fmt.Sprintf("the server, process %d,", d.PID)
	}
	if d.Err = exchangeHello(conn); d.Err == nil {
		d.Condition, d.Detail = Ready, server+" accepts connections and answers"
		return d
	}
	d.Condition = Unresponsive
	if errors.Is(d.Err, os.ErrDeadlineExceeded) {
		d.Detail = server + " has not answered within " + diagnoseTimeout.String() + ": it hangs, is stopped, or does not speak HTTP/2"
	} else {
		d.Detail = server + " hung up: it is shutting down, refuses this user, or does not speak HTTP/2"
	}
	return d
}

func exchangeHello(conn net.Conn) error {
	if err := conn.SetDeadline(time.Now().Add(diagnoseTimeout)); err != nil {
		return err
	}
	if _, err := conn.Write([]byte(hello)); err != nil {
		return err
	}
	_, err := conn.Read(make([]byte, 1))
	return err
}
