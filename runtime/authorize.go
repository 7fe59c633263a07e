package runtime

import (
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"slices"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/udsgrpc/udsgrpc/runtime/socket"
)

// authorization decides which peer may call which method of a server.
//
// A method's rule is made of two: what its .proto file declares, and what the program asks
// for. If both are there, both must let the peer in, so a program can narrow what is declared
// and never widen it. If neither is, the same user may call.
type authorization struct {
	declared map[string]Policy // by full method name
	general  *Policy           // what the program asks for, for methods not in methods
	methods  map[string]Policy
	audit    *slog.Logger // nil for none
	counters *serverCounters

	sameUser Policy

	rules map[string]Policy // what policy returns for methods with a rule of their own; see settle
	rest  Policy            // and for the others
}

// settle is called when no more rules come. It makes of each method's two rules one, so that a call
// takes no more than a look.
func (a *authorization) settle() {
	a.rules = make(map[string]Policy, len(a.declared)+len(a.methods))
	for _, table := range []map[string]Policy{a.declared, a.methods} {
		for method := range table {
			a.rules[method] = a.policy(method)
		}
	}
	a.rest = a.policy("")
}

// policy returns the rule of a method.
func (a *authorization) policy(method string) Policy {
	declared, isDeclared := a.declared[method]
	asked, isAsked := a.methods[method]
	if !isAsked && a.general != nil {
		asked, isAsked = *a.general, true
	}
	switch {
	case isDeclared && isAsked:
		return All(declared, asked)
	case isDeclared:
		return declared
	case isAsked:
		return asked
	default:
		return a.sameUser
	}
}

// check returns a PermissionDenied for a caller that the method's rule keeps out.
func (a *authorization) check(ctx context.Context, method string) error {
	info, _ := authInfoFrom(ctx) // nothing is known of the peer if there is none
	peer := info.Peer
	a.counters.calls.add(info.Direct)
	policy, ok := a.rules[method]
	if !ok {
		policy = a.rest
	}
	if policy.permits(peer) {
		return nil
	}
	a.counters.refused.Add(1)
	if a.audit != nil {
		a.audit.LogAttrs(ctx, slog.LevelWarn, "call refused",
			slog.String("method", method), slog.String("rule", policy.String()), peerAttr(peer))
	}
	return status.Errorf(codes.PermissionDenied, "%v may not call %s: the rule is %v", peer, method, policy)
}

func (a *authorization) unary(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	if err := a.check(ctx, info.FullMethod); err != nil {
		return nil, err
	}
	return next(ctx, req)
}

func (a *authorization) stream(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) error {
	if err := a.check(ss.Context(), info.FullMethod); err != nil {
		return err
	}
	return next(srv, ss)
}

// checkMode refuses a socket file that keeps out users whom a rule is to let in.
func (a *authorization) checkMode(listen *socket.ListenConfig) error {
	mode := listen.Mode
	if mode == 0 {
		mode = socket.DefaultMode
	}
	if mode&0o022 != 0 || listen.Owner != nil && listen.Owner.UID >= 0 {
		return nil
	}
	a.settle()
	rules := maps.Clone(a.rules)
	if a.general != nil {
		rules["the server"] = *a.general
	}
	for _, what := range slices.Sorted(maps.Keys(rules)) {
		if rules[what].others {
			return fmt.Errorf("%s is for %v, but mode %#o of the socket keeps other users out: add SocketMode(0666), or SocketMode(0660) and SocketOwner for a group: %w",
				what, rules[what], mode, fs.ErrInvalid)
		}
	}
	return nil
}

// isFullMethod reports whether s is of the form "/service/method".
func isFullMethod(s string) bool {
	service, method, ok := strings.Cut(strings.TrimPrefix(s, "/"), "/")
	return strings.HasPrefix(s, "/") && ok && service != "" && method != "" && !strings.Contains(method, "/")
}
