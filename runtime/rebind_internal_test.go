package runtime

import (
	"errors"
	"fmt"
	"testing"

	"github.com/udsgrpc/udsgrpc/runtime/socket"
)

func TestLostPathIsLoggedOnceForEachReason(t *testing.T) {
	t.Parallel()
	inUse := func(by string) error { return fmt.Errorf("%w by %s", socket.ErrInUse, by) }
	gone := errors.New("the directory has gone")
	for name, reasons := range map[string][]struct {
		err  error
		want bool
	}{
		"for each reason":                  {{gone, true}, {gone, false}, {socket.ErrNotSocket, true}, {gone, true}},
		"not while somebody starts":        {{inUse("a"), false}, {inUse("b"), false}},
		"when who has started stays":       {{inUse("a"), false}, {inUse("a"), true}, {inUse("a"), false}},
		"also when others come in between": {{gone, true}, {inUse("a"), false}, {gone, false}},
	} {
		var l pathLoss
		for i, r := range reasons {
			if got := l.toLog(r.err); got != r.want {
				t.Errorf("%s: that %q is to be logged is %v at check %d", name, r.err, got, i)
			}
		}
	}
}
