package socket

import (
	"io"
	"net"
	"path/filepath"
	"testing"

	"github.com/udsgrpc/udsgrpc/runtime/internal/fixture"
)

const settingsFrame = "\x00\x00\x00\x04\x00\x00\x00\x00\x00"

// A server may send its first frame in pieces. A pipe has no buffer that would join them.
func TestFrameThatComesInPiecesIsReadWhole(t *testing.T) {
	t.Parallel()
	client, server := net.Pipe()
	defer client.Close()
	done := make(chan struct{})
	go func() {
		defer close(done)
		io.CopyN(io.Discard, server, int64(len(hello)))
		for i := range len(settingsFrame) {
			io.WriteString(server, settingsFrame[i:i+1])
		}
	}()
	if answer, err := exchangeHello(t.Context(), client); err != nil {
		t.Errorf("answer is %q, %v", answer, err)
	}
	client.Close()
	<-done
}

func TestServerThatHangsUpBeforeItIsSpokenTo(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ says, answer string }{
		"without a word":            {"", ""},
		"after another protocol":    {"220 ready\r\n", "220 ready\r\n"},
		"after a frame of settings": {settingsFrame, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l, err := net.Listen("unix", filepath.Join(fixture.ShortDir(t), "s.sock"))
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			conn, err := net.Dial("unix", l.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			server, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.WriteString(server, c.says); err != nil {
				t.Fatal(err)
			}
			server.Close()
			if answer, err := exchangeHello(t.Context(), conn); string(answer) != c.answer || err == nil {
				t.Errorf("answer is %q, %v; want %q and an error", answer, err, c.answer)
			}
		})
	}
}
