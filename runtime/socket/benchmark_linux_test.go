package socket_test

import (
	"testing"

	"github.com/udsgrpc/udsgrpc/runtime/internal/fixture"
	"github.com/udsgrpc/udsgrpc/runtime/socket"
)

// BenchmarkListen is to claim a path, listen, and give both up.
func BenchmarkListen(b *testing.B) {
	path := fixture.FreePath(b)
	for b.Loop() {
		l, err := socket.Listen(path)
		if err != nil {
			b.Fatal(err)
		}
		l.Close()
	}
}

// BenchmarkDial is to connect, be accepted, and hang up.
func BenchmarkDial(b *testing.B) {
	path := fixture.FreePath(b)
	l := listen(b, path)
	addr := l.Address()
	for b.Loop() {
		conn, err := (&socket.Dialer{}).DialAddress(b.Context(), addr)
		if err != nil {
			b.Fatal(err)
		}
		accepted, err := l.AcceptUnix()
		if err != nil {
			b.Fatal(err)
		}
		accepted.Close()
		conn.Close()
	}
}

// BenchmarkPeer measures how long the kernel takes to report the peer, once for each connection.
func BenchmarkPeer(b *testing.B) {
	path := fixture.FreePath(b)
	l := listen(b, path)
	conn, err := (&socket.Dialer{}).DialContext(b.Context(), path)
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	accepted, err := l.AcceptUnix()
	if err != nil {
		b.Fatal(err)
	}
	defer accepted.Close()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := socket.PeerOf(accepted); err != nil {
			b.Fatal(err)
		}
	}
}
