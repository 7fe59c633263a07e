package viewers_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"google.golang.org/grpc/codes"

	inspectv1 "github.com/udsgrpc/udsgrpc/proto/udsgrpc/inspect/v1"
	"github.com/udsgrpc/udsgrpc/runtime"
	"github.com/udsgrpc/udsgrpc/runtime/internal/greetertest"
)

func TestOnlyTheServersUserAndRootMayLook(t *testing.T) {
	t.Parallel()
	greetertest.NeedRoot(t)
	ann, bob := greetertest.User{UID: 1234, GID: 1234}, greetertest.User{UID: 2345, GID: 2345, Groups: []uint32{1234}}
	nobody := greetertest.User{UID: greetertest.Nobody, GID: greetertest.Nobody}
	for name, c := range map[string]struct {
		server, viewer greetertest.User
		want           string
	}{
		"root at root's":   {want: codes.OK.String()},
		"root at ann's":    {server: ann, want: codes.OK.String()},
		"ann at her own":   {server: ann, viewer: ann, want: codes.OK.String()},
		"ann at root's":    {viewer: ann, want: "denied uid 1234, gid 1234, process %d may not look into this server: its own user (uid 0) and root may"},
		"bob at ann's":     {server: ann, viewer: bob, want: "denied uid 2345, gid 2345, process %d may not look into this server: its own user (uid 1234) and root may"},
		"nobody at root's": {viewer: nobody, want: "denied uid 65534, gid 65534, process %d may not look into this server: its own user (uid 0) and root may"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := greetertest.PublicPath(t)
			if err := os.Chown(filepath.Dir(path), int(c.server.UID), int(c.server.GID)); err != nil {
				t.Fatal(err)
			}
			if line := greetertest.StartAs(t, c.server, "greet everyone", path).Line(); line != "serving" {
				t.Fatal(line)
			}
			viewer := greetertest.StartAs(t, c.viewer, "look", path)
			want := c.want
			if want != codes.OK.String() {
				want = fmt.Sprintf(want, viewer.Process.Pid)
			}
			if line := viewer.Line(); line != want {
				t.Errorf("the viewer says %q, want %q", line, want)
			}
		})
	}
}

// What a viewer sees of clients of other users.
func TestClientsAreToldByUserAndProcess(t *testing.T) {
	t.Parallel()
	greetertest.NeedRoot(t)
	path := greetertest.PublicPath(t)
	greetertest.Serve(t, path, greetertest.New(), runtime.SocketMode(0o666))
	v := look(t, path)
	viewer := greetertest.StartAs(t, greetertest.User{UID: 1234, GID: 1234}, "call", path)
	v.see("the refused client", func(s *inspectv1.SnapshotsResponse) bool {
		for _, c := range s.GetClients() {
			if c.GetCaller().GetUid() == 1234 && c.GetCaller().GetPid() == int64(viewer.Process.Pid) {
				return c.GetFailed() == 1 && s.GetTotals().GetRefused() == 1
			}
		}
		return false
	})
}
