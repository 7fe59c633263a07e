package socket

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"github.com/udsgrpc/udsgrpc/runtime/internal/userns"
)

// Condition is the state of a socket, as found by [Diagnose].
type Condition string

// The conditions, as they are printed.
const (
	Ready        Condition = "ready"             // a server accepts, and answers as HTTP/2 does
	Unresponsive Condition = "unresponsive"      // a connection is made, but nobody answers
	NotGRPC      Condition = "not a gRPC server" // what answers does not speak HTTP/2
	QueueFull    Condition = "queue full"        // the server does not accept as fast as clients come, or not at all
	Stale        Condition = "stale"             // a socket file, and nobody listening
	Missing      Condition = "missing"           // no such file or directory, or no such abstract name
	Denied       Condition = "permission denied" // the caller may not connect
	NotSocket    Condition = "not a socket"      // something else is at the path
	PathTooLong  Condition = "path too long"     // the path does not fit into a socket address
	Invalid      Condition = "invalid address"   // the text names no socket
	Unreachable  Condition = "unreachable"       // none of these; see the error
)

// Diagnosis is the result of [Diagnose].
type Diagnosis struct {
	// Address is the address that was examined. It is the zero Address, which is not valid, for text that
	// is no address: then Condition is Invalid, or PathTooLong for an abstract name.
	Address Address
	// Condition is the finding.
	Condition Condition
	// Detail says what was found and what to do about it, for people.
	Detail string
	// PID is the process id of the server, if a connection was made and the system reports it; else 0. For
	// a socket that a service manager passed on, it is the manager's.
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

// How long Diagnose waits for a place in the accept queue, and for an answer. A healthy server needs less
// than a millisecond for both.
const diagnoseTimeout = time.Second

// hello opens an HTTP/2 connection: the client's preface and an empty SETTINGS frame
// (RFC 9113, section 3.4), which every gRPC server answers with its own.
const hello = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + "\x00\x00\x00\x04\x00\x00\x00\x00\x00"

// Diagnose finds out why a socket can or cannot be reached: it looks at the path, connects,
// and waits for the first frame of an HTTP/2 server, for a second each at the most. When ctx ends earlier,
// the finding is what is known by then: a server that has not answered is Unresponsive. It changes nothing;
// the server sees a connection that is closed again.
func Diagnose(ctx context.Context, path string) Diagnosis {
	addr, err := ParseAddress(path)
	switch {
	case errors.Is(err, ErrPathTooLong):
		return Diagnosis{Condition: PathTooLong, Detail: "choose a shorter name", Err: err}
	case err != nil:
		return Diagnosis{Condition: Invalid, Detail: "see the forms that an address can have", Err: err}
	}
	conn, err := dialWithin(ctx, diagnoseTimeout, addr)
	if err != nil {
		condition, detail := explain(addr, err)
		return Diagnosis{Address: addr, Condition: condition, Detail: detail, Err: err}
	}
	defer conn.Close()
	peer, _ := PeerOf(conn) // peer has what is known
	start := time.Now()
	answer, err := exchangeHello(ctx, conn)
	if errors.Is(err, os.ErrDeadlineExceeded) && ctx.Err() != nil {
		err = fmt.Errorf("%w: %w", ctx.Err(), err)
	}
	condition, found := judge(answer, err, peer, min(time.Since(start), diagnoseTimeout))
	return Diagnosis{
		Address:   addr,
		Condition: condition,
		Detail:    nameServer(peer) + found + distrust(peer),
		PID:       peer.PID,
		Err:       err,
	}
}

// dialWithin connects, and waits for a place in the accept queue for that long at the most. It tries once even
// if ctx has ended, as that does not block.
func dialWithin(ctx context.Context, timeout time.Duration, addr Address) (*net.UnixConn, error) {
	conn, err := connect(context.WithoutCancel(ctx), addr)
	if !errors.Is(err, errQueueFull) {
		return conn, err
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	return dialAgain(ctx, addr, err)
}

// judge returns the condition of a server from its answer, or the lack of one after some time.
func judge(answer []byte, err error, peer Peer, waited time.Duration) (Condition, string) {
	switch {
	case err == nil:
		return Ready, " accepts connections and answers"
	case requiresHTTP1(answer):
		return NotGRPC, " asks for HTTP/1.1 on this socket (GOAWAY HTTP_1_1_REQUIRED): set it to HTTP/2, for Kestrel by Protocols = Http2"
	case len(answer) > 0:
		return NotGRPC, fmt.Sprintf(" answers %q, which is not plaintext gRPC: check the path", answer)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return Unresponsive, fmt.Sprintf(" has not answered within %v: %s", waited.Round(time.Millisecond),
			cmp.Or(hindrance(peer), "it hangs, is stopped, or does not speak HTTP/2"))
	default:
		return Unresponsive, " hung up without an answer: it has as many connections as it takes, is ending, or speaks something else, such as TLS"
	}
}

// nameServer begins a sentence about the server.
func nameServer(peer Peer) string {
	switch {
	case peer.HasPID && peer.HasUID:
		return fmt.Sprintf("the server, process %d of uid %d,", peer.PID, peer.UID)
	case peer.HasPID:
		return fmt.Sprintf("the server, process %d,", peer.PID)
	case peer.HasUID:
		return fmt.Sprintf("the server, of uid %d,", peer.UID)
	default:
		return "the server"
	}
}

// distrust ends that sentence if clients of this user refuse the server. Package runtime decides which
// servers they trust.
func distrust(peer Peer) string {
	switch {
	case peer.unmapped:
		return fmt.Sprintf("; it is of %s, so clients refuse it: run both in one user namespace, or give them runtime.WithServerPolicy(runtime.Anyone())",
			userns.Describe(userns.UIDs().Overflow()))
	case !peer.HasUID:
		return "; nothing is known of its user, so clients refuse it: runtime.WithServerPolicy(runtime.Anyone()) lets them talk to it"
	case peer.UID != os.Geteuid() && peer.UID != 0:
		return fmt.Sprintf("; it is of another user, so clients refuse it by default: runtime.WithServerPolicy(runtime.AllowUID(%d)) lets them talk to it", peer.UID)
	default:
		return ""
	}
}

// exchangeHello returns an answer, or the beginning of it, only if it is not from an HTTP/2 server.
func exchangeHello(ctx context.Context, conn net.Conn) (answer []byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, diagnoseTimeout)
	defer cancel()
	// The deadline of ctx could be later than its end.
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	// A server may have answered and hung up before this is written. The answer can be read.
	_, writeErr := conn.Write([]byte(hello))
	buf := make([]byte, goAwayLen)
	n, readErr := io.ReadAtLeast(conn, buf, frameHeaderLen)
	if n >= frameHeaderLen && buf[3] == goAwayFrame {
		more, _ := io.ReadFull(conn, buf[n:])
		n += more
	}
	if n > 0 && !beginsWithSettings(buf[:n]) {
		return buf[:n], errors.New("the answer does not begin with a SETTINGS frame of HTTP/2")
	}
	return nil, cmp.Or(writeErr, readErr)
}

const (
	// frameHeaderLen is the length of the header of an HTTP/2 frame (RFC 9113, section 4.1).
	frameHeaderLen = 9

	// A GOAWAY frame ends with the number of a stream, an error code, and optional text (section 6.8).
	// goAwayLen is the length without the text.
	goAwayFrame = 0x7
	goAwayLen   = frameHeaderLen + 8
)

// requiresHTTP1 reports whether b is the answer of a server that speaks only HTTP/1.1.
func requiresHTTP1(b []byte) bool {
	const http11Required = 0xd // section 7
	return len(b) >= goAwayLen && b[3] == goAwayFrame && binary.BigEndian.Uint32(b[goAwayLen-4:]) == http11Required
}

// beginsWithSettings reports whether b begins like an HTTP/2 server: with a SETTINGS frame, which belongs
// to no stream and acknowledges nothing (RFC 9113, sections 3.4 and 6.5).
func beginsWithSettings(b []byte) bool {
	const (
		settings = 0x4
		ack      = 0x1
		reserved = 1 << 31
	)
	return len(b) >= frameHeaderLen && b[3] == settings && b[4]&ack == 0 &&
		binary.BigEndian.Uint32(b[5:])&^reserved == 0
}
