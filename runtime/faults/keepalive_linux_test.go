package faults_test

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/udsgrpc/udsgrpc/runtime/internal/fixture"
	"github.com/udsgrpc/udsgrpc/runtime/internal/greetertest"
)

// The frames of HTTP/2 that matter here (RFC 9113, section 6).
const (
	pingFrame   = 0x6
	goAwayFrame = 0x7
	ackFlag     = 0x1

	enhanceYourCalm = 0xb
)

// pinger is an HTTP/2 client that makes no call and sends pings. grpc-go's own sends none more often than
// every ten seconds.
type pinger struct {
	net.Conn
	t *testing.T
}

func newPinger(t *testing.T, path string) pinger {
	conn := connect(t, path, 1)[0]
	conn.SetDeadline(time.Now().Add(fixture.Guard))
	p := pinger{conn, t}
	p.write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + "\x00\x00\x00\x04\x00\x00\x00\x00\x00")
	return p
}

func (p pinger) write(s string) {
	p.t.Helper()
	if _, err := io.WriteString(p, s); err != nil && !isReset(err) {
		p.t.Fatal(err)
	}
}

func (p pinger) ping() { p.write("\x00\x00\x08\x06\x00\x00\x00\x00\x00" + "12345678") }

// next returns the next answer to a ping, or the end: the kind of its frame, and the error code of the latter.
func (p pinger) next() (kind byte, code uint32) {
	p.t.Helper()
	for {
		header := make([]byte, 9)
		if _, err := io.ReadFull(p, header); err != nil {
			p.t.Fatal(err)
		}
		body := make([]byte, binary.BigEndian.Uint32(append([]byte{0}, header[:3]...)))
		if _, err := io.ReadFull(p, body); err != nil {
			p.t.Fatal(err)
		}
		switch {
		case header[3] == pingFrame && header[4] == ackFlag:
			return pingFrame, 0
		case header[3] == goAwayFrame:
			return goAwayFrame, binary.BigEndian.Uint32(body[4:])
		}
	}
}

func TestClientMayPingTwiceASecondWithoutACall(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("takes seconds")
	}
	path := fixture.FreePath(t)
	greetertest.Serve(t, path, greetertest.New())
	p := newPinger(t, path)
	tick := time.NewTicker(600 * time.Millisecond)
	defer tick.Stop()
	for range 8 { // grpc's own policy ends the connection after the fourth
		p.ping()
		if kind, code := p.next(); kind != pingFrame {
			t.Fatalf("the server answers a ping with a frame of kind %d, code %d", kind, code)
		}
		<-tick.C
	}
}

func TestFloodOfPingsIsCutOff(t *testing.T) {
	t.Parallel()
	path := fixture.FreePath(t)
	greetertest.Serve(t, path, greetertest.New())
	p := newPinger(t, path)
	for range 20 {
		p.ping()
	}
	for {
		kind, code := p.next()
		if kind == pingFrame {
			continue
		}
		if code != enhanceYourCalm {
			t.Errorf("the server ends the connection with code %d", code)
		}
		break
	}
	if _, err := io.Copy(io.Discard, p); err != nil && !errors.Is(err, net.ErrClosed) && !isReset(err) {
		t.Errorf("the connection does not end: %v", err)
	}
}
