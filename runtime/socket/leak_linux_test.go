package socket_test

import (
	"testing"

	"github.com/udsgrpc/udsgrpc/runtime/internal/fixture"
	"github.com/udsgrpc/udsgrpc/runtime/socket"
)

// Not parallel: it counts the descriptors of the process.
func TestListeningAndDialingLeakNoDescriptor(t *testing.T) {
	path := fixture.FreePath(t)
	long := shorten(t, fixture.ShortDir(t), maxPath+50)
	use := func() {
		for _, p := range []string{path, long, "@leak-test"} {
			l, err := socket.Listen(p)
			if err != nil {
				t.Fatal(err)
			}
			for range 100 {
				checkConnects(t, l, p)
			}
			if _, err := socket.Listen(p); err == nil {
				t.Fatalf("two listeners on %s", p)
			}
			l.Close()
			if conn, err := (&socket.Dialer{}).DialContext(t.Context(), p); err == nil {
				conn.Close()
				t.Fatalf("connected to the closed %s", p)
			}
			socket.Diagnose(p)
		}
	}
	use() // the runtime opens a few for itself
	before := fixture.OpenFiles(t)
	for range 30 {
		use()
	}
	if after := fixture.OpenFiles(t); after > before {
		t.Errorf("%d descriptors were open before and %d after", before, after)
	}
}
