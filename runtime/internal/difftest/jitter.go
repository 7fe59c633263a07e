package difftest

import (
	"math/rand/v2"
	"net"
	"time"
)

// jitterListener makes connections that carry bytes in pieces, with pauses: what arrives
// together on an idle machine does not on a busy one.
type jitterListener struct{ net.Listener }

func (l jitterListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return jitterConn{conn}, nil
}

type jitterConn struct{ net.Conn }

func (c jitterConn) Write(b []byte) (n int, err error) {
	for len(b) > 0 {
		piece := len(b)
		if rand.IntN(2) == 0 {
			piece = 1 + rand.IntN(min(len(b), 1000))
		}
		m, err := c.Conn.Write(b[:piece])
		n += m
		if err != nil {
			return n, err
		}
		b = b[piece:]
		jitter()
		if len(b) > 10_000 { // large messages would take for ever
			m, err := c.Conn.Write(b)
			return n + m, err
		}
	}
	return n, nil
}

func (c jitterConn) Read(b []byte) (int, error) {
	jitter()
	return c.Conn.Read(b)
}

func jitter() {
	if rand.IntN(6) == 0 {
		timer := time.NewTimer(time.Duration(rand.IntN(1500)) * time.Microsecond)
		<-timer.C
	}
}
