package runtime

import (
	"testing"

	"github.com/udsgrpc/udsgrpc/runtime/socket"
)

// No number that stands for "unknown" may match by accident.
func TestUnknownPeerMatchesNoRuleButAnyone(t *testing.T) {
	t.Parallel()
	for _, p := range []socket.Peer{
		{},
		{UID: -1, GID: -1},
		{UID: 0, GID: 0, Groups: []int{0}, PID: 1, HasPID: true},
		{UID: 4711, GID: -1, HasUID: true},
	} {
		for _, policy := range []Policy{{}, Root(), SameUser(), AllowUID(-1, 0, 65534), AllowGID(-1, 0, 65534), Any(Root(), AllowGID(-1))} {
			if policy.Permits(p) {
				t.Errorf("%v lets in %+v", policy, p)
			}
		}
		if !Anyone().Permits(p) {
			t.Errorf("anyone keeps out %+v", p)
		}
	}
}
