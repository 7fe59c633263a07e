package socket_test

import (
	"errors"
	"io/fs"
	"testing"

	"github.com/udsgrpc/udsgrpc/runtime/socket"
)

func TestDefaultPathRefusesNamesThatMeanMore(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"", ".", "..", "a/b", "/a", "../a", `a\b`, "a b", "a\n", "\x00", "@a", "a:b", "$a", "ä", "\xff"} {
		if path, err := socket.DefaultPath(name); path != "" || !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("DefaultPath(%q) is %q, %v", name, path, err)
		}
	}
}
