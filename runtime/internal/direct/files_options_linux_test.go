package direct

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/udsgrpc/udsgrpc/internal/openfile"
	"github.com/udsgrpc/udsgrpc/runtime/internal/direct/wire"
	"github.com/udsgrpc/udsgrpc/runtime/internal/fixture"
)

// A connection inherits socket options from its listener, which may be a service manager's: credentials
// would take the room of descriptors, and each pidfd would be a descriptor that nobody closes.
func TestNothingArrivesWithOpenFilesThatTheListenersOptionsAdd(t *testing.T) {
	client, server := pair(t)
	c, err := newConn(server, nil, &wire.Buffers{})
	if err != nil {
		t.Fatal(err)
	}
	for _, option := range []int{unix.SO_PASSCRED, unix.SO_PASSSEC, unix.SO_PASSPIDFD} {
		c.raw.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, option, 1) })
		if err != nil && option != unix.SO_PASSPIDFD { // which Linux has since 6.5
			t.Fatal(err)
		}
	}
	c.allowFiles()
	c.files = &incoming{pool: &wire.Buffers{}, most: wire.MaxFiles, user: openfile.NewQuota(filesPerUser, nil), keep: true}
	before := fixture.OpenFiles(t)
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	for _, n := range []int{1, wire.MaxFiles} {
		fds := make([]int, n)
		for i := range fds {
			fds[i] = int(null.Fd())
		}
		if _, _, err := client.WriteMsgUnix([]byte("x"), unix.UnixRights(fds...), nil); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Read(make([]byte, 10)); err != nil {
			t.Fatal(err)
		}
		if b := c.files.queue[0]; b.err != nil || len(b.fds) != n {
			t.Errorf("%d of %d descriptors have arrived, %v", len(b.fds), n, b.err)
		}
		c.files.endCall()
		if got := fixture.OpenFiles(t); got != before+1 {
			t.Errorf("%d descriptors are open after a call with %d, %d before", got, n, before+1)
		}
	}
}
