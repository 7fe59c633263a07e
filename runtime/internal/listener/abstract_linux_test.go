package listener_test

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/udsgrpc/udsgrpc/runtime/internal/listener"
	"github.com/udsgrpc/udsgrpc/runtime/socket"
)

// Not parallel: while a process is being started, a closed listener may answer a little longer.
func TestAbstractNameIsTakenOnceAndGivenBack(t *testing.T) {
	name := fmt.Sprintf("@udsgrpc-test-%d/#?%%20 x", os.Getpid())
	for range 2 {
		l := listen(t, name)
		checkConnects(t, l, name)
		checkConnects(t, l, "unix-abstract:"+name[1:])
		_, err := socket.Listen(name)
		checkInUse(t, err, "this process listens on it")
		conn, err := l.Accept() // the probe
		if err != nil {
			t.Fatal(err)
		}
		conn.Close()
		if err := errors.Join(l.Withdraw(), l.Close()); err != nil {
			t.Error(err)
		}
		_, err = (&socket.Dialer{}).DialContext(t.Context(), name)
		if !errors.Is(err, unix.ECONNREFUSED) || !strings.Contains(err.Error(), "abstract name") {
			t.Errorf("dial error is %v", err)
		}
	}
}

func TestAbstractNameHasNoOwner(t *testing.T) {
	t.Parallel()
	_, err := (&listener.Config{Owner: &listener.Owner{}}).Listen(t.Context(), "@udsgrpc-test-owner")
	if !errors.Is(err, socket.ErrUnsupported) {
		t.Errorf("error is %v", err)
	}
}
