package peers_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	accounts "os/user"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/grpc"

	greeterv1 "github.com/udsgrpc/udsgrpc/examples/greeter/gen/greeter/v1"
	"github.com/udsgrpc/udsgrpc/runtime"
	"github.com/udsgrpc/udsgrpc/runtime/internal/fixture"
	"github.com/udsgrpc/udsgrpc/runtime/internal/greetertest"
	"github.com/udsgrpc/udsgrpc/runtime/socket"
)

// over returns a context that has ended: with it, a Serve that finds nothing wrong returns nil at once.
func over() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

// A rule for a method that does not exist would leave open the one that was meant.
func TestRuleForAMethodThatNoServiceHasStopsTheServer(t *testing.T) {
	t.Parallel()
	const health = "/grpc.health.v1.Health/Check"
	greet := runtime.AuthorizeMethod(greeterv1.Greeter_Greet_FullMethodName, runtime.Root())
	for name, c := range map[string]struct {
		opts []runtime.ServerOption
		want string // in the error; "" for none
	}{
		"right":                 {opts: []runtime.ServerOption{greet}},
		"a stream":              {opts: []runtime.ServerOption{runtime.AuthorizeMethod("/greeter.v1.Greeter/Chat", runtime.Root())}},
		"another letter":        {opts: []runtime.ServerOption{greet, runtime.AuthorizeMethod("/greeter.v1.Greeter/Greed", runtime.Root())}, want: "has the method /greeter.v1.Greeter/Greed: correct the name, or register its service; the nearest is /greeter.v1.Greeter/Greet"},
		"another case":          {opts: []runtime.ServerOption{runtime.AuthorizeMethod("/greeter.v1.Greeter/countdown", runtime.Root())}, want: "the nearest is /greeter.v1.Greeter/Countdown"},
		"another package":       {opts: []runtime.ServerOption{runtime.AuthorizeMethod("/greeter.Greeter/Gather", runtime.Root())}, want: "the nearest is /greeter.v1.Greeter/Gather"},
		"health":                {opts: []runtime.ServerOption{runtime.AuthorizeMethod(health, runtime.Root()), runtime.Health()}},
		"health, misspelled":    {opts: []runtime.ServerOption{runtime.AuthorizeMethod("/grpc.health.v1.Health/Chek", runtime.Root()), runtime.Health()}, want: "the nearest is " + health},
		"health, not asked for": {opts: []runtime.ServerOption{runtime.AuthorizeMethod(health, runtime.Root())}, want: "has the method " + health},
		"reflection": {opts: []runtime.ServerOption{runtime.Reflection(),
			runtime.AuthorizeMethod("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", runtime.Root())}},
		"with a handler of unknown services": {opts: []runtime.ServerOption{runtime.AuthorizeMethod("/proxied.v1.Proxied/Call", runtime.Root()),
			runtime.GRPCServerOptions(grpc.UnknownServiceHandler(func(any, grpc.ServerStream) error { return nil }))}},
	} {
		path := fixture.FreePath(t)
		srv, err := runtime.NewServer(path, c.opts...)
		if err != nil {
			t.Fatal(err)
		}
		greeterv1.RegisterGreeterServer(srv, greetertest.New()) // after NewServer, as programs may
		if c.want == "" {
			s := greetertest.Run(t, srv)
			s.Stop()
			if err := <-s.Done; err != nil {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if err := srv.Serve(over()); !errors.Is(err, fs.ErrInvalid) || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: Serve returned %v, want %q", name, err, c.want)
		}
		fixture.CheckMissing(t, path)
	}
}

func TestRuleForAMethodWithoutAnyServiceStopsTheServer(t *testing.T) {
	t.Parallel()
	srv, err := runtime.NewServer(fixture.FreePath(t), runtime.AuthorizeMethod("/a.B/C", runtime.Root()))
	if err != nil {
		t.Fatal(err)
	}
	if err := srv.Serve(over()); !errors.Is(err, fs.ErrInvalid) || !strings.Contains(err.Error(), "no service is registered") {
		t.Errorf("Serve returned %v", err)
	}
}

// forOthers is a policy for other users, with a mode of the socket that lets them connect.
var forOthers = []runtime.ServerOption{runtime.Authorize(runtime.Anyone()), runtime.SocketMode(0o666)}

func TestDirectoryThatCreateDirMakesTooNarrowIsAnError(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		opts []runtime.ServerOption
		ok   bool
	}{
		"for others":                {opts: forOthers},
		"for others, with a mode":   {opts: append([]runtime.ServerOption{runtime.DirMode(0o755)}, forOthers...), ok: true},
		"for a group, with a mode":  {opts: []runtime.ServerOption{runtime.Authorize(runtime.AllowGID(5)), runtime.SocketMode(0o660), runtime.DirMode(0o750)}, ok: true},
		"for others, mode too tidy": {opts: append([]runtime.ServerOption{runtime.DirMode(0o744)}, forOthers...)},
		"for the same user":         {ok: true},
		"by method": {opts: []runtime.ServerOption{runtime.AuthorizeMethod(greeterv1.Greeter_Greet_FullMethodName, runtime.AllowUID(os.Geteuid()+1)),
			runtime.SocketMode(0o666)}},
	} {
		dir := filepath.Join(fixture.ShortDir(t), "a")
		srv, err := runtime.NewServer(filepath.Join(dir, "b", "s.sock"), append(c.opts, runtime.CreateDir())...)
		if c.ok {
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			srv.Close()
			continue
		}
		if !errors.Is(err, fs.ErrInvalid) || !strings.Contains(err.Error(), "DirMode(0755)") {
			t.Errorf("%s: error is %v; want a hint at the mode", name, err)
		}
		fixture.CheckMissing(t, dir)
	}
}

func TestDirModeIsOneThatAServerCanUse(t *testing.T) {
	t.Parallel()
	for name, opts := range map[string][]runtime.ServerOption{
		"more than permissions":    {runtime.CreateDir(), runtime.DirMode(0o755 | fs.ModeSticky)},
		"none":                     {runtime.CreateDir(), runtime.DirMode(0)},
		"closed to the server":     {runtime.CreateDir(), runtime.DirMode(0o455)},
		"others may write":         {runtime.CreateDir(), runtime.DirMode(0o757)},
		"a group may write":        {runtime.CreateDir(), runtime.DirMode(0o770)},
		"no directory is made":     {runtime.DirMode(0o755)},
		"allowed calls, no record": {runtime.AuditAllowedCalls()},
	} {
		srv, err := runtime.NewServer(filepath.Join(fixture.ShortDir(t), "s.sock"), opts...)
		if err == nil {
			srv.Close()
		}
		if !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("%s: error is %v", name, err)
		}
	}
}

func TestDirectoryOnTheWayThatLooksTooNarrowIsToldOnce(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		above, dir fs.FileMode
		opts       []runtime.ServerOption
		narrow     string // what is logged, below the first directory; "" for nothing
	}{
		"open to all":               {above: 0o755, dir: 0o755, opts: forOthers},
		"the socket's own":          {above: 0o755, dir: 0o700, opts: forOthers, narrow: "/dir"},
		"one above":                 {above: 0o700, dir: 0o755, opts: forOthers, narrow: "/above"},
		"not to be searched":        {above: 0o755, dir: 0o744, opts: forOthers, narrow: "/dir"},
		"open to a group, for all":  {above: 0o755, dir: 0o750, opts: forOthers, narrow: "/dir"},
		"open to a group, for that": {above: 0o755, dir: 0o750, opts: []runtime.ServerOption{runtime.Authorize(runtime.AllowGID(5)), runtime.SocketMode(0o660)}},
		"a group's socket":          {above: 0o755, dir: 0o750, opts: []runtime.ServerOption{runtime.Authorize(runtime.Anyone()), runtime.SocketMode(0o660)}},
		"for the same user":         {above: 0o700, dir: 0o700},
		"with CreateDir":            {above: 0o755, dir: 0o700, opts: append([]runtime.ServerOption{runtime.CreateDir()}, forOthers...), narrow: "/dir"},
	} {
		top := fixture.ShortDir(t)
		above, dir := filepath.Join(top, "above"), filepath.Join(top, "above", "dir")
		if err := errors.Join(os.MkdirAll(dir, 0o700), os.Chmod(dir, c.dir), os.Chmod(above, c.above), os.Chmod(top, 0o755)); err != nil {
			t.Fatal(err)
		}
		log := &bytes.Buffer{}
		srv, err := runtime.NewServer(filepath.Join(dir, "s.sock"), append(c.opts, runtime.Health(), runtime.EventLog(slog.New(slog.NewTextHandler(log, nil))))...)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		greeterv1.RegisterGreeterServer(srv, greetertest.New())
		srv.Close()
		got := strings.Count(log.String(), "directory looks too narrow")
		if c.narrow == "" && got != 0 || c.narrow != "" && (got != 1 || !strings.Contains(log.String(), c.narrow+" ")) {
			t.Errorf("%s: the log is %q, want one record of %q", name, log.String(), c.narrow)
		}
	}
}

func TestUnknownNamesAreErrorsOfServersAndClients(t *testing.T) {
	t.Parallel()
	noUser, noGroup := runtime.AllowUserName("root", "no-such-user"), runtime.AllowGroupName("no-such-group")
	for name, c := range map[string]struct {
		policy runtime.Policy
		want   string
	}{
		"a user":          {noUser, `user "no-such-user"`},
		"a group":         {noGroup, `group "no-such-group"`},
		"one of any":      {runtime.Any(runtime.SameUser(), noUser), `user "no-such-user"`},
		"one of all":      {runtime.All(runtime.Any(noGroup), runtime.SameUser()), `group "no-such-group"`},
		"none at all":     {runtime.AllowUserName(""), `user ""`},
		"not an id":       {runtime.AllowUserName("4294967296"), "is no id"},
		"a negative id":   {runtime.AllowGroupName("-1"), `group "-1"`},
		"an id and space": {runtime.AllowUserName("1 "), `user "1 "`},
	} {
		for what, opts := range map[string][]runtime.ServerOption{
			"Authorize":        {runtime.Authorize(c.policy), runtime.SocketMode(0o666)},
			"AuthorizeMethod":  {runtime.AuthorizeMethod(greeterv1.Greeter_Greet_FullMethodName, c.policy), runtime.SocketMode(0o666)},
			"DeclaredPolicies": {runtime.DeclaredPolicies(map[string]runtime.Policy{greeterv1.Greeter_Greet_FullMethodName: c.policy}), runtime.SocketMode(0o666)},
		} {
			path := fixture.FreePath(t)
			srv, err := runtime.NewServer(path, opts...)
			if err == nil {
				srv.Close()
			}
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s, %s: error is %v, want %q", name, what, err, c.want)
			}
			fixture.CheckMissing(t, path)
		}
		conn, err := runtime.Dial(fixture.FreePath(t), runtime.WithServerPolicy(c.policy))
		if err == nil {
			conn.Close()
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: Dial returned %v, want %q", name, err, c.want)
		}
		if c.policy.Permits(socket.Peer{UID: 4711, GID: 4711, HasUID: true}) {
			t.Errorf("%s: the policy lets in whom it does not know", name)
		}
	}
	_, err := runtime.Dial(fixture.FreePath(t), runtime.WithServerPolicy(noUser))
	if unknown := accounts.UnknownUserError(""); !errors.As(err, &unknown) {
		t.Errorf("the error does not wrap that of the lookup: %v", err)
	}
}

func TestNameStandsForItsID(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		policy runtime.Policy
		in     socket.Peer
		rule   string
	}{
		{runtime.AllowUserName("root"), socket.Peer{UID: 0, HasUID: true}, "user root"},
		{runtime.AllowUserName("12", "34"), socket.Peer{UID: 34, HasUID: true}, "user 12 or 34"},
		{runtime.AllowGroupName("12"), socket.Peer{UID: 1, GID: 1, Groups: []int{12}, HasUID: true}, "group 12"},
		{runtime.Any(runtime.AllowUserName(), runtime.AllowUserName("12")), socket.Peer{UID: 12, HasUID: true}, "(user none or user 12)"},
	} {
		if !c.policy.Permits(c.in) {
			t.Errorf("%v keeps out %v", c.policy, c.in)
		}
		if c.policy.Permits(socket.Peer{UID: 56, GID: 56, HasUID: true}) || c.policy.Permits(socket.Peer{}) {
			t.Errorf("%v lets in others", c.policy)
		}
		if c.policy.String() != c.rule {
			t.Errorf("the rule is %q, want %q", c.policy, c.rule)
		}
	}
}

// A name that is this process's own user is for nobody else, so the default mode will do.
func TestNameOfTheOwnUserNeedsNoMode(t *testing.T) {
	t.Parallel()
	self, err := accounts.Current()
	if err != nil {
		t.Skip(err)
	}
	for name, ok := range map[string]bool{self.Username: true, "4711": false} {
		srv, err := runtime.NewServer(fixture.FreePath(t), runtime.Authorize(runtime.Any(runtime.SameUser(), runtime.AllowUserName(name))))
		if err == nil {
			srv.Close()
		}
		if (err == nil) != ok {
			t.Errorf("for user %s the error is %v", name, err)
		}
	}
}
