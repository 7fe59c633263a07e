package peers_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/udsgrpc/udsgrpc/internal/testproc"
	"github.com/udsgrpc/udsgrpc/runtime"
	"github.com/udsgrpc/udsgrpc/runtime/internal/greetertest"
)

// Images with USER nobody are everywhere, and most containers have no user namespace of their own.
func TestNobodyServesNobodyWhereEveryIDIsMapped(t *testing.T) {
	t.Parallel()
	greetertest.NeedRoot(t)
	path := greetertest.PublicPath(t)
	if err := os.Chown(path[:strings.LastIndex(path, "/")], greetertest.Nobody, greetertest.Nobody); err != nil {
		t.Fatal(err)
	}
	greetertest.StartAs(t, greetertest.User{UID: greetertest.Nobody, GID: greetertest.Nobody}, "greeter", path).Line()
	for _, c := range []struct {
		uid  uint32
		want string
	}{{greetertest.Nobody, "OK OK "}, {0, "PermissionDenied PermissionDenied uid 0, gid 0, process "}} {
		if got := greetertest.StartAs(t, greetertest.User{UID: c.uid, GID: c.uid}, "call all", path).Line(); !strings.HasPrefix(got, c.want) {
			t.Errorf("uid %d gets %q, want %q", c.uid, got, c.want)
		}
	}
}

// makeAsUnmapped is a program: for each kind of server and client it prints whether it was made, what
// the event log says, and why it was not made.
func makeAsUnmapped(args []string) error {
	path := args[0]
	for _, opts := range [][]runtime.ServerOption{
		nil,
		{runtime.Authorize(runtime.SameUser())},
		{runtime.Authorize(runtime.Any(runtime.SameUser(), runtime.SameUser()))},
		{runtime.Authorize(runtime.Any(runtime.SameUser(), runtime.Root()))},
		{runtime.Authorize(runtime.Root())},
	} {
		var log bytes.Buffer
		srv, err := runtime.NewServer(path, append(opts, runtime.Health(), runtime.EventLog(slog.New(slog.NewTextHandler(&log, nil))))...)
		if err == nil {
			srv.Close()
		}
		fmt.Println(err == nil, strings.Count(log.String(), "rule for an unmapped user"), err)
	}
	for _, opts := range [][]runtime.DialOption{
		nil,
		{runtime.WithServerPolicy(runtime.SameUser())},
		{runtime.WithServerPolicy(runtime.Root())},
	} {
		var log bytes.Buffer
		conn, err := runtime.Dial(path, append(opts, runtime.WithEventLog(slog.New(slog.NewTextHandler(&log, nil))))...)
		if err == nil {
			conn.Close()
		}
		fmt.Println(err == nil, strings.Count(log.String(), "rule for an unmapped user"), err)
	}
	return nil
}

func TestSameUserOfAnUnmappedUserIsAnErrorAtOnce(t *testing.T) {
	t.Parallel()
	greetertest.NeedRoot(t)
	const (
		refused = "false 0 "
		told    = "true 1 "
		silent  = "true 0 "
	)
	for name, c := range map[string]struct {
		uids []syscall.SysProcIDMap
		want []string
	}{
		"with root": {
			uids: []syscall.SysProcIDMap{{Size: 65536}},
			want: []string{refused, refused, refused, told, silent, told, refused, silent},
		},
		"without root": {
			uids: []syscall.SysProcIDMap{{ContainerID: greetertest.Nobody, HostID: greetertest.Nobody, Size: 1}},
			want: []string{refused, refused, refused, refused, refused, refused, refused, refused},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := greetertest.PublicPath(t)
			// For a user that is known, and open to all.
			dir := path[:strings.LastIndex(path, "/")]
			if err := os.Chmod(dir, 0o777|os.ModeSticky); err != nil {
				t.Fatal(err)
			}
			cmd := testproc.Command(t, "make as an unmapped user", path)
			cmd.SysProcAttr = &syscall.SysProcAttr{
				Cloneflags:                 syscall.CLONE_NEWUSER,
				UidMappings:                c.uids,
				GidMappings:                c.uids,
				GidMappingsEnableSetgroups: true,
				Credential:                 &syscall.Credential{Uid: greetertest.Nobody, Gid: greetertest.Nobody},
			}
			cmd.Dir = "/"
			p := testproc.StartCmd(t, cmd)
			for i, want := range c.want {
				line := p.Line()
				if !strings.HasPrefix(line, want) || want == refused && !strings.Contains(line, "uid 65534 stands for every user whom it does not map") {
					t.Errorf("number %d: %q, want %q", i, line, want)
				}
			}
		})
	}
}
