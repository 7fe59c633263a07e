package socket_test

import (
	"net"
	"reflect"
	"slices"
	"testing"

	"github.com/udsgrpc/udsgrpc/runtime/socket"
)

// What only a server does to a listener, such as handing it over, is out of reach for other programs.
func TestListenerAndItsConfigHaveNoMethodsForServersAlone(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		of, embedded reflect.Type
		want         []string
	}{
		{reflect.TypeFor[*socket.Listener](), reflect.TypeFor[*net.UnixListener](), []string{"Address"}},
		{reflect.TypeFor[*socket.ListenConfig](), reflect.TypeFor[struct{}](), []string{"Listen", "ListenStandby"}},
	} {
		var own []string
		for m := range c.of.Methods() {
			if _, promoted := c.embedded.MethodByName(m.Name); !promoted {
				own = append(own, m.Name)
			}
		}
		if !slices.Equal(own, c.want) {
			t.Errorf("%v has the methods %q of its own, want %q", c.of, own, c.want)
		}
	}
}
