package sdnotify

import (
	"net"
	"slices"
	"testing"
	"time"

	"github.com/udsgrpc/udsgrpc/runtime/internal/fixture"
)

// manager returns the messages that a service manager gets while do runs.
func manager(t *testing.T, do func()) (messages []string) {
	t.Helper()
	path := fixture.FreePath(t)
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	t.Setenv("NOTIFY_SOCKET", path)
	do()
	send("that was all")
	l.SetReadDeadline(time.Now().Add(fixture.Guard))
	for {
		b := make([]byte, 100)
		n, err := l.Read(b)
		if err != nil {
			t.Fatal(err)
		}
		if string(b[:n]) == "that was all" {
			return messages
		}
		messages = append(messages, string(b[:n]))
	}
}

func TestProcessIsReadyWithItsFirstServerAndStopsWithItsLast(t *testing.T) {
	var p processState
	got := manager(t, func() {
		p.stopping(1) // was never ready
		p.ready(1)
		p.ready(2)
		p.stopping(1)
		p.stopping(1)
		p.ready(3)
		p.stopping(3)
		p.stopping(2)
		p.ready(4)
	})
	if want := []string{"READY=1", "STOPPING=1", "READY=1"}; !slices.Equal(got, want) {
		t.Errorf("the manager is told %q, want %q", got, want)
	}
}

func TestManagerThatIsNotThereStopsNobody(t *testing.T) {
	for _, name := range []string{"", fixture.FreePath(t)} {
		t.Setenv("NOTIFY_SOCKET", name)
		var p processState
		p.ready(1)
		p.stopping(1)
		if len(p.serving) != 0 {
			t.Errorf("with NOTIFY_SOCKET=%q, %v still serve", name, p.serving)
		}
	}
}
