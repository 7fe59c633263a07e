package socket_test

import (
	"os"
	"testing"

	"github.com/udsgrpc/udsgrpc/runtime/socket"
)

// Not parallel: it counts the descriptors of the process.
func TestListeningAndDialingLeakNoDescriptor(t *testing.T) {
	path := freePath(t)
	long := shorten(t, shortDir(t), maxPath+50)
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
	before := openFiles(t)
	for range 30 {
		use()
	}
	if after := openFiles(t); after > before {
		t.Errorf("%d descriptors were open before and %d after", before, after)
	}
}

func openFiles(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}
