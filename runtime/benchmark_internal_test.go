package runtime

import (
	"testing"

	"google.golang.org/grpc/peer"

	"github.com/udsgrpc/udsgrpc/runtime/socket"
)

// BenchmarkAuthorize is what the rule of a method costs each call.
func BenchmarkAuthorize(b *testing.B) {
	const method = "/admin.v1.Admin/Shutdown"
	caller := socket.Peer{UID: 1000, GID: 1000, HasUID: true, Groups: []int{10, 20, 30}}
	ctx := peer.NewContext(b.Context(), &peer.Peer{AuthInfo: AuthInfo{Peer: caller}})
	for name, opts := range map[string][]ServerOption{
		"same user":         {Authorize(AllowUID(1000))},
		"group":             {Authorize(AllowGID(30))},
		"declared narrowed": {DeclaredPolicies(map[string]Policy{method: Anyone()}), Authorize(Any(Root(), AllowUID(1000)))},
	} {
		b.Run(name, func(b *testing.B) {
			config, err := newServerConfig(socket.Address{}, opts)
			if err != nil {
				b.Fatal(err)
			}
			config.auth.combine()
			b.ReportAllocs()
			for b.Loop() {
				if err := config.auth.check(ctx, method); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
