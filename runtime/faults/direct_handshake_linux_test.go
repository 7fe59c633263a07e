package faults_test

import (
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/udsgrpc/udsgrpc/runtime/internal/direct"
	"github.com/udsgrpc/udsgrpc/runtime/internal/fixture"
	"github.com/udsgrpc/udsgrpc/runtime/internal/greetertest"
)

// A client that announces the direct transport and then says nothing, or too little, is not waited for
// for ever: it may be one of many that only hold connections.
func TestHalfGreetedConnectionsDoNotStay(t *testing.T) {
	t.Parallel()
	path := fixture.FreePath(t)
	greetertest.Serve(t, path, greetertest.New())
	preface := append([]byte("UDSGRPC-DIRECT\r\n\r\n"), 1, 1, 0, 0, 0, 0)
	if !direct.IsPreface(preface) {
		t.Fatal("this is no preface")
	}
	conns := connect(t, path, 40)
	for i, c := range conns {
		if _, err := c.Write(preface); err != nil {
			t.Fatal(err)
		}
		if i%2 == 0 {
			c.Write([]byte{'I', 0, 0})
		}
	}
	for _, c := range conns {
		c.SetReadDeadline(time.Now().Add(10 * time.Second)) // ten times what the server allows
		var netErr net.Error
		if _, err := io.ReadAll(c); errors.As(err, &netErr) && netErr.Timeout() {
			t.Fatal("a connection stays")
		}
	}
	client, _ := greetertest.Dial(t, path)
	greetertest.Greet(t, client)
}
