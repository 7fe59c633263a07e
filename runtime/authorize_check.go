package runtime

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"slices"

	"google.golang.org/grpc"

	"github.com/udsgrpc/udsgrpc/runtime/internal/listener"
	"github.com/udsgrpc/udsgrpc/runtime/internal/methodname"
	"github.com/udsgrpc/udsgrpc/runtime/internal/pathmode"
	"github.com/udsgrpc/udsgrpc/runtime/internal/userns"
	"github.com/udsgrpc/udsgrpc/runtime/socket"
)

// The checks in this file run while a server is made. They find rules that would refuse the users they are
// for, or let others in: that would show only in production.

// resolve looks up the names in all rules.
func (a *authorization) resolve() error {
	if a.general != nil {
		p, err := a.general.resolved()
		if err != nil {
			return fmt.Errorf("the server's rule: %w", err)
		}
		a.general = &p
	}
	for _, table := range []map[string]Policy{a.declared, a.methods} {
		for _, method := range slices.Sorted(maps.Keys(table)) {
			p, err := table[method].resolved()
			if err != nil {
				return fmt.Errorf("the rule of %s: %w", method, err)
			}
			table[method] = p
		}
	}
	return nil
}

// known returns the rules for callers, as far as services are registered, by method or, for the others,
// "the server".
func (a *authorization) known() map[string]Policy {
	a.combine()
	rules := maps.Clone(a.rules)
	if a.general != nil || len(a.declared) == 0 {
		rules["the server"] = a.rest
	}
	return rules
}

// find returns the first of the known rules that satisfies like.
func (a *authorization) find(like func(Policy) bool) (what string, p Policy, ok bool) {
	rules := a.known()
	for _, what := range slices.Sorted(maps.Keys(rules)) {
		if like(rules[what]) {
			return what, rules[what], true
		}
	}
	return "", Policy{}, false
}

func isForOthers(p Policy) bool { return p.others != none }

// checkMode refuses a socket file whose mode keeps out users that a rule is to let in.
func (a *authorization) checkMode(listen *listener.Config) error {
	mode := cmp.Or(listen.Mode, socket.DefaultMode)
	if pathmode.LetsConnect(mode) || listen.Owner != nil && listen.Owner.UID >= 0 {
		return nil
	}
	if what, rule, ok := a.find(isForOthers); ok {
		return fmt.Errorf("%s is for %v, but mode %#o of the socket keeps other users out: add SocketMode(0666), or SocketMode(0660) and SocketOwner for a group: %w",
			what, rule, mode, fs.ErrInvalid)
	}
	return nil
}

// checkDir refuses a directory, to be made by CreateDir, that keeps out such users.
func (a *authorization) checkDir(listen *listener.Config) error {
	mode := cmp.Or(listen.DirMode, socket.DefaultDirMode)
	if pathmode.LetsPass(mode) {
		return nil
	}
	if what, rule, ok := a.find(isForOthers); ok {
		return fmt.Errorf("%s is for %v, but the directory that CreateDir makes, with mode %#o, keeps other users out: add DirMode(0755), or DirMode(0750) and SocketOwner for a group: %w",
			what, rule, mode, fs.ErrInvalid)
	}
	return nil
}

// checkUnmapped refuses rules that never let anybody in, because they are for users that are unknown in
// this user namespace.
func (a *authorization) checkUnmapped() error {
	for _, p := range a.known() {
		if p.unmapped != whole {
			return nil
		}
	}
	_, rule, _ := a.find(func(Policy) bool { return true })
	return unmappedError(rule)
}

// unmappedError says that a policy lets in nobody.
func unmappedError(p Policy) error {
	return fmt.Errorf("the rule is %v, and %s: every peer would be refused; run as a user who is not that one, or in a user namespace that maps every id, or choose another policy: %w",
		p, unmappedReason(), fs.ErrInvalid)
}

// unmappedReason says why a policy lets in less than it seems to.
func unmappedReason() string {
	return fmt.Sprintf("in this user namespace uid %d stands for every user whom it does not map, as it does not map all, so it is no user's", userns.UIDs().Overflow())
}

// checkMethods refuses rules for methods that no service has: the method that was meant would be open.
func (a *authorization) checkMethods(services map[string]grpc.ServiceInfo) error {
	var methods []string
	for service, info := range services {
		for _, m := range info.Methods {
			methods = append(methods, methodname.Full(service, m.Name))
		}
	}
	slices.Sort(methods)
	var errs []error
	for _, method := range slices.Sorted(maps.Keys(a.methods)) {
		if _, ok := slices.BinarySearch(methods, method); ok {
			continue
		}
		hint := "no service is registered"
		if len(methods) > 0 {
			hint = "the nearest is " + methodname.Nearest(method, methods)
		}
		errs = append(errs, fmt.Errorf("AuthorizeMethod: no registered service has the method %s: correct the name, or register its service; %s: %w",
			method, hint, fs.ErrInvalid))
	}
	return errors.Join(errs...)
}

// checkMode refuses what keeps out users that a rule is to let in, as far as this package makes it. An
// abstract name has no file.
func (s *Server) checkMode(o opened) error {
	if s.addr.IsAbstract() || !o.origin.makesFile() {
		return nil
	}
	if err := s.auth.checkMode(&s.config.listen); err != nil || !o.makesDir {
		return err
	}
	return s.auth.checkDir(&s.config.listen)
}

// warned says which warnings there were already.
type warned struct{ unmapped, narrow bool }

// warning is a record for the EventLog.
type warning struct {
	what  string
	attrs []slog.Attr
}

// warnings returns, once, each thing that may keep out users that a rule is to let in. It is not certain: an access
// control list or a mount can let them pass. The caller holds mu, except in NewServer. It logs them without mu: the
// program's log handler may call the server.
func (s *Server) warnings() (all []warning) {
	if what, rule, ok := s.auth.find(func(p Policy) bool { return p.unmapped != none }); ok && !s.warned.unmapped {
		s.warned.unmapped = true
		all = append(all, warning{"rule for an unmapped user", []slog.Attr{
			slog.String("for", what), slog.String("rule", rule.String()), slog.String("reason", unmappedReason()),
		}})
	}
	if s.addr.IsAbstract() || !s.opened.origin.makesFile() || s.warned.narrow {
		return all
	}
	if what, rule, ok := s.auth.find(isForOthers); ok {
		everyone := rule.others == whole && pathmode.LetsEveryoneConnect(cmp.Or(s.config.listen.Mode, socket.DefaultMode))
		if dir := pathmode.NarrowDir(s.Path(), everyone); dir != "" {
			s.warned.narrow = true
			all = append(all, warning{"directory looks too narrow", []slog.Attr{
				slog.String("directory", dir), slog.String("for", what), slog.String("rule", rule.String()),
			}})
		}
	}
	return all
}

func (s *Server) warn(all []warning) {
	for _, w := range all {
		s.config.event(slog.LevelWarn, w.what, w.attrs...)
	}
}
