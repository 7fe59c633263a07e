package files_test

import (
	"encoding/binary"
	"io"
	"net"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"google.golang.org/protobuf/proto"

	"github.com/udsgrpc/udsgrpc/runtime/internal/direct/wire"
	"github.com/udsgrpc/udsgrpc/runtime/internal/fixture"
	"github.com/udsgrpc/udsgrpc/runtime/internal/greetertest"
)

// raw is an end of a connection of the direct transport on which a test writes any bytes, with any descriptors.
type raw struct {
	t testing.TB
	*net.UnixConn
	in  []byte
	fds []int // that have come
}

func newRaw(t testing.TB, c *net.UnixConn) *raw {
	r := &raw{t: t, UnixConn: c}
	c.SetDeadline(time.Now().Add(fixture.Guard))
	t.Cleanup(r.end)
	return r
}

func (r *raw) end() {
	r.UnixConn.Close()
	for _, fd := range r.fds {
		unix.Close(fd)
	}
	r.fds = nil
}

// dialRaw connects, and returns when the server has answered: what is sent before may not be seen.
func dialRaw(t testing.TB, path string) (*raw, wire.Answer) {
	t.Helper()
	c, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	r := newRaw(t, c)
	r.send(wire.AppendIntro(wire.Preface{Lowest: wire.Version, Highest: wire.Version, Files: 16}.Append(nil)))
	return r, wire.ParseAnswer(r.read(wire.AnswerLen))
}

// acceptRaw accepts a connection as a server that takes and sends files does, or does not.
func acceptRaw(t testing.TB, l *net.UnixListener, answer wire.Answer) (*raw, wire.Preface) {
	t.Helper()
	l.SetDeadline(time.Now().Add(fixture.Guard))
	c, err := l.AcceptUnix()
	if err != nil {
		t.Fatal(err)
	}
	r := newRaw(t, c)
	preface, err := wire.ParsePreface(r.read(wire.PrefaceLen))
	if err != nil {
		t.Fatal(err)
	}
	r.want(wire.KindIntro)
	answer.Version = wire.Version
	r.send(answer.Append(nil))
	return r, preface
}

// send sends bytes, the descriptors with the first of them.
func (r *raw) send(b []byte, fds ...int) {
	r.t.Helper()
	if err := r.trySend(b, fds...); err != nil {
		r.t.Fatal(err)
	}
}

func (r *raw) trySend(b []byte, fds ...int) error {
	var control []byte
	if len(fds) > 0 {
		control = unix.UnixRights(fds...)
	}
	n, _, err := r.WriteMsgUnix(b, control, nil)
	if err == nil && n < len(b) {
		_, err = r.Write(b[n:])
	}
	return err
}

// read reads n bytes.
func (r *raw) read(n int) []byte {
	r.t.Helper()
	for len(r.in) < n {
		if err := r.more(); err != nil {
			r.t.Fatalf("reading comes to %v, after %q", err, r.in)
		}
	}
	b := r.in[:n]
	r.in = r.in[n:]
	return b
}

func (r *raw) more() error {
	b, control := make([]byte, 4<<10), make([]byte, unix.CmsgSpace(4*wire.MaxFiles))
	n, controls, _, _, err := r.ReadMsgUnix(b, control)
	if err != nil {
		return err
	}
	messages, err := unix.ParseSocketControlMessage(control[:controls])
	if err != nil {
		return err
	}
	for i := range messages {
		fds, err := unix.ParseUnixRights(&messages[i])
		if err != nil {
			return err
		}
		r.fds = append(r.fds, fds...)
	}
	if n == 0 {
		return io.EOF
	}
	r.in = append(r.in, b[:n]...)
	return nil
}

// next reads a frame.
func (r *raw) next() (wire.Kind, []byte) {
	r.t.Helper()
	h := r.read(wire.FrameHeaderLen)
	return wire.Kind(h[0]), r.read(int(binary.BigEndian.Uint32(h[1:])))
}

// want reads a frame, which must be of kind k.
func (r *raw) want(k wire.Kind) []byte {
	r.t.Helper()
	got, b := r.next()
	if got != k {
		r.t.Fatalf("next is a frame of kind %q (%q), want %q", got, b, k)
	}
	return b
}

func (r *raw) wantStatus() wire.Status {
	r.t.Helper()
	for {
		k, b := r.next()
		if k != wire.KindStatus {
			continue
		}
		h, err := wire.ParseStatus(b)
		if err != nil {
			r.t.Fatal(err)
		}
		return h
	}
}

// wantClosed waits until the other end has closed the connection.
func (r *raw) wantClosed() {
	r.t.Helper()
	for {
		if err := r.more(); err != nil {
			return
		}
	}
}

func call(method string) []byte {
	b, start := wire.OpenFrame(nil, wire.KindCall)
	b = wire.AppendCallHeader(b, 0, method, nil)
	wire.CloseFrame(b, start)
	return b
}

func message(m proto.Message) []byte {
	b, err := proto.Marshal(m)
	if err != nil {
		panic(err)
	}
	return append(wire.AppendFrameHeader(nil, wire.KindMessage, len(b)), b...)
}

func files(ids ...uint64) []byte { return wire.AppendFilesFrame(nil, ids) }

var endFrame = wire.AppendFrameHeader(nil, wire.KindEnd, 0)

func concat(parts ...[]byte) (b []byte) {
	for _, p := range parts {
		b = append(b, p...)
	}
	return b
}

// transport is how a call was carried.
var transport = greetertest.TransportOf
