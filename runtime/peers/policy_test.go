package peers_test

import (
	"errors"
	"io/fs"
	"os"
	"strings"
	"testing"

	"github.com/udsgrpc/udsgrpc/runtime"
	"github.com/udsgrpc/udsgrpc/runtime/internal/fixture"
)

func TestPolicyNamesItsRule(t *testing.T) {
	t.Parallel()
	for want, p := range map[string]runtime.Policy{
		"nobody":                      {},
		"root":                        runtime.Root(),
		"anyone":                      runtime.Anyone(),
		"uid 1 or 2":                  runtime.AllowUID(1, 2),
		"uid none":                    runtime.AllowUID(),
		"gid 3":                       runtime.AllowGID(3),
		"(root or gid 3)":             runtime.Any(runtime.Root(), runtime.AllowGID(3)),
		"(root and (gid 3 or uid 4))": runtime.All(runtime.Root(), runtime.Any(runtime.AllowGID(3), runtime.AllowUID(4))),
	} {
		if got := p.String(); got != want {
			t.Errorf("policy is %q, want %q", got, want)
		}
	}
}

// A rule that lets in users whom the file's mode keeps out is a mistake that would show only
// in production.
func TestRuleForOthersNeedsAModeThatLetsThemConnect(t *testing.T) {
	t.Parallel()
	other := os.Geteuid() + 1
	const method = "/greeter.v1.Greeter/Greet"
	for name, c := range map[string]struct {
		opts []runtime.ServerOption
		ok   bool
	}{
		"anyone":                       {opts: []runtime.ServerOption{runtime.Authorize(runtime.Anyone())}},
		"anyone, 0666":                 {opts: []runtime.ServerOption{runtime.Authorize(runtime.Anyone()), runtime.SocketMode(0o666)}, ok: true},
		"group":                        {opts: []runtime.ServerOption{runtime.Authorize(runtime.AllowGID(5))}},
		"group, 0660":                  {opts: []runtime.ServerOption{runtime.Authorize(runtime.AllowGID(5)), runtime.SocketMode(0o660)}, ok: true},
		"another user":                 {opts: []runtime.ServerOption{runtime.Authorize(runtime.AllowUID(other))}},
		"own user and root":            {opts: []runtime.ServerOption{runtime.Authorize(runtime.AllowUID(os.Geteuid(), 0))}, ok: true},
		"same user or root":            {opts: []runtime.ServerOption{runtime.Authorize(runtime.Any(runtime.SameUser(), runtime.Root()))}, ok: true},
		"anyone, but of the same user": {opts: []runtime.ServerOption{runtime.Authorize(runtime.All(runtime.Anyone(), runtime.SameUser()))}, ok: true},
		"one method":                   {opts: []runtime.ServerOption{runtime.AuthorizeMethod(method, runtime.Anyone())}},
		"declared":                     {opts: []runtime.ServerOption{runtime.DeclaredPolicies(map[string]runtime.Policy{method: runtime.Anyone()})}},
		"declared, narrowed":           {opts: []runtime.ServerOption{runtime.DeclaredPolicies(map[string]runtime.Policy{method: runtime.Anyone()}), runtime.Authorize(runtime.SameUser())}, ok: true},
		"declared, narrowed by method": {opts: []runtime.ServerOption{runtime.DeclaredPolicies(map[string]runtime.Policy{method: runtime.Anyone()}), runtime.AuthorizeMethod(method, runtime.SameUser())}, ok: true},
	} {
		path := fixture.FreePath(t)
		srv, err := runtime.NewServer(path, c.opts...)
		if err == nil {
			srv.Close()
		}
		if c.ok && err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if !c.ok && (!errors.Is(err, fs.ErrInvalid) || !strings.Contains(err.Error(), "SocketMode(0666)")) {
			t.Errorf("%s: error is %v; want a hint at the mode", name, err)
		}
		fixture.CheckMissing(t, path)
	}
}

func TestAuthorizeMethodWantsAFullName(t *testing.T) {
	t.Parallel()
	for _, method := range []string{"", "Greet", "greeter.v1.Greeter/Greet", "/greeter.v1.Greeter", "/greeter.v1.Greeter/", "//Greet", "/a/b/c"} {
		if _, err := runtime.NewServer(fixture.FreePath(t), runtime.AuthorizeMethod(method, runtime.Root())); !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("method %q: error is %v", method, err)
		}
	}
}
