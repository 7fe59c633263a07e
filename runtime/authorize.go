package runtime

import (
	"context"
	"log/slog"
	"maps"
	"slices"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"

	"github.com/udsgrpc/udsgrpc/runtime/internal/methodname"
	"github.com/udsgrpc/udsgrpc/runtime/socket"
)

// authorization decides which peer may call which method of a server.
//
// A method has up to two rules: the one that its .proto file declares, and the one that the program sets.
// If there are both, both must let the peer in, so a program can narrow what is declared and never widen
// it. If there is none, the same user may call.
type authorization struct {
	declared map[string]Policy // by full method name
	general  *Policy           // the program's rule, for methods not in methods
	methods  map[string]Policy
	audit    *slog.Logger // nil for none
	auditAll bool         // allowed calls, too
	counters *serverCounters

	sameUser Policy

	rules map[string]Policy // the combined rules of methods with a rule of their own; see combine
	rest  Policy            // and for the others
}

// RegistrarFor returns a registrar for services that are for some callers only:
//
//	adminv1.RegisterAdminServer(srv.RegistrarFor(runtime.Any(runtime.SameUser(), runtime.Root())), admin)
//
// It adds a service as [Server.RegisterService] does, and p is the rule of all its methods, as if the .proto
// file declared it: [Authorize], [AuthorizeMethod] and what that file does declare can narrow it, and nothing
// widens it. It can be used at any time before Serve, for several services.
func (s *Server) RegistrarFor(p Policy) grpc.ServiceRegistrar { return restricted{s, p} }

// restricted is a Server that adds services with a rule.
type restricted struct {
	*Server
	rule Policy
}

// RegisterService implements [grpc.ServiceRegistrar].
func (r restricted) RegisterService(desc *grpc.ServiceDesc, impl any) {
	r.register(desc, impl, &r.rule)
}

// declare adds the rules of a service: those of its .proto file, unless generated code has given them, and one
// for all its methods, unless that is nil. It returns what is to be logged. The caller holds mu.
func (s *Server) declare(desc *grpc.ServiceDesc, rule *Policy) ([]warning, error) {
	declared := s.auth.declared
	for method, policy := range declaredPolicies(desc) {
		if _, ok := declared[method]; !ok {
			declared[method] = policy
		}
	}
	if rule != nil {
		for _, method := range methodsOf(desc) {
			policy, ok := declared[method]
			if declared[method] = *rule; ok {
				declared[method] = All(policy, *rule)
			}
		}
	}
	if err := s.auth.resolve(); err != nil {
		return nil, err
	}
	if err := s.checkMode(s.opened); err != nil {
		return nil, err
	}
	return s.warnings(), nil
}

// methodsOf returns the full names of a service's methods.
func methodsOf(desc *grpc.ServiceDesc) (names []string) {
	for _, m := range desc.Methods {
		names = append(names, methodname.Full(desc.ServiceName, m.MethodName))
	}
	for _, m := range desc.Streams {
		names = append(names, methodname.Full(desc.ServiceName, m.StreamName))
	}
	return names
}

// newAuthorization returns the authorization of a server, which grows with its services.
func (c *serverConfig) newAuthorization() *authorization {
	a := c.auth
	a.declared, a.methods = maps.Clone(a.declared), maps.Clone(a.methods)
	return &a
}

// combine is called when all rules are known. It combines each method's two rules, so that a call needs
// only a look-up.
func (a *authorization) combine() {
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

// check returns PermissionDenied for a caller that the method's rule refuses.
func (a *authorization) check(ctx context.Context, method string) error {
	info, _ := authInfoFrom(ctx) // without one, nothing is known of the peer
	policy := a.ruleOf(method)
	if policy.Permits(info.Peer) {
		a.countAllowed(ctx, method, info)
		return nil
	}
	a.counters.calls.add(info.Direct)
	a.counters.refused.Add(1)
	a.record(ctx, slog.LevelWarn, "call refused", method, policy, info.Peer)
	return status.Errorf(codes.PermissionDenied, "%v may not call %s: the rule is %v", info.Peer, method, policy)
}

// permits reports whether the method's rule permits the caller.
func (a *authorization) permits(ctx context.Context, method string) bool {
	info, _ := authInfoFrom(ctx) // without one, nothing is known of the peer
	return a.ruleOf(method).Permits(info.Peer)
}

// allowed counts and records a call that the method's rule permits.
func (a *authorization) allowed(ctx context.Context, method string) {
	info, _ := authInfoFrom(ctx)
	a.countAllowed(ctx, method, info)
}

func (a *authorization) countAllowed(ctx context.Context, method string, info AuthInfo) {
	a.counters.calls.add(info.Direct)
	if a.auditAll {
		a.record(ctx, slog.LevelInfo, "call allowed", method, a.ruleOf(method), info.Peer)
	}
}

// ruleOf returns the rule of a method, when all are known.
func (a *authorization) ruleOf(method string) Policy {
	if policy, ok := a.rules[method]; ok {
		return policy
	}
	return a.rest
}

// filesFrom reports whether open files are received from a client: only if it may call one of the methods that
// take them. It returns the client's user.
func (a *authorization) filesFrom(client credentials.AuthInfo, methods []string) (uid int, ok bool) {
	info, _ := client.(AuthInfo)
	return info.Peer.UID, slices.ContainsFunc(methods, func(method string) bool { return a.ruleOf(method).Permits(info.Peer) })
}

// record writes to the AuditLog.
func (a *authorization) record(ctx context.Context, level slog.Level, what, method string, policy Policy, peer socket.Peer) {
	if a.audit != nil {
		a.audit.LogAttrs(ctx, level, what,
			slog.String("method", method), slog.String("rule", policy.String()), peerAttr(peer))
	}
}

// guardUnary returns the outermost interceptor. It decides before any of chain, the program's own, runs.
// The program's interceptors run for a refused call too, but the last handler refuses it. Their result is
// ignored, unless it is a PermissionDenied with their own text.
func (a *authorization) guardUnary(chain []grpc.UnaryServerInterceptor) grpc.UnaryServerInterceptor {
	return func(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
		refusal := a.check(ctx, info.FullMethod)
		if refusal == nil {
			return next(ctx, req)
		}
		refuse := grpc.UnaryHandler(func(context.Context, any) (any, error) { return nil, refusal })
		for _, interceptor := range slices.Backward(chain) {
			inner := refuse
			refuse = func(ctx context.Context, req any) (any, error) { return interceptor(ctx, req, info, inner) }
		}
		_, err := refuse(ctx, req)
		return nil, keepRefused(err, refusal)
	}
}

// guardStream is guardUnary for streams.
func (a *authorization) guardStream(chain []grpc.StreamServerInterceptor) grpc.StreamServerInterceptor {
	return func(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) error {
		refusal := a.check(ss.Context(), info.FullMethod)
		if refusal == nil {
			return next(srv, ss)
		}
		refuse := func(any, grpc.ServerStream) error { return refusal }
		for _, interceptor := range slices.Backward(chain) {
			inner := refuse
			refuse = func(srv any, ss grpc.ServerStream) error { return interceptor(srv, ss, info, inner) }
		}
		return keepRefused(refuse(srv, &refusedStream{ss, refusal}), refusal)
	}
}

func keepRefused(err, refusal error) error {
	if status.Code(err) == codes.PermissionDenied {
		return err
	}
	return refusal
}

// refusedStream is the stream that interceptors get for a refused call: it neither sends nor receives.
type refusedStream struct {
	grpc.ServerStream
	refusal error
}

func (s *refusedStream) RecvMsg(any) error { return s.refusal }

func (s *refusedStream) SendMsg(any) error { return s.refusal }
