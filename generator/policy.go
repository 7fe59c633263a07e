package generator

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/protobuf/compiler/protogen"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	udsgrpcv1 "github.com/udsgrpc/udsgrpc/proto/udsgrpc/v1"
)

// policies holds, for each service whose .proto file says who may call, the policy of each of its
// methods, in descriptor order.
type policies map[*protogen.Service][]policy

// A policy says who may call a method.
type policy struct {
	method  *protogen.Method
	callers []caller
}

// newPolicies reads the options of the services of targets, and reports those that do not say who
// may call.
func newPolicies(targets []target) (policies, error) {
	found := make(policies)
	var problems []error
	for _, target := range targets {
		for _, service := range target.file.Services {
			servicePolicies, err := newServicePolicies(service)
			found[service] = servicePolicies
			problems = append(problems, err)
		}
	}
	return found, errors.Join(problems...)
}

// newServicePolicies returns nil if neither service nor one of its methods has a rule.
func newServicePolicies(service *protogen.Service) ([]policy, error) {
	general, err := readRule("service", service.Desc, udsgrpcv1.E_Service)
	problems := []error{err}
	declared := general != nil
	if !declared {
		general = []caller{sameUser}
	}
	var found []policy
	for _, method := range service.Methods {
		callers, err := readRule("rpc", method.Desc, udsgrpcv1.E_Method)
		if callers == nil {
			callers = general
		} else {
			declared = true
		}
		problems = append(problems, err)
		found = append(found, policy{method, callers})
	}
	if !declared {
		found = nil
	}
	return found, errors.Join(problems...)
}

// readRule returns whom the option of desc lets call, or nil if desc does not have the option.
func readRule(kind string, desc protoreflect.Descriptor, option protoreflect.ExtensionType) ([]caller, error) {
	rule, err := decodeRule(desc.Options(), option)
	if err == nil && rule != nil {
		err = checkRule(rule)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %s: the option (%s) %w", printable(desc.ParentFile().Path()), describe(kind, desc),
			option.TypeDescriptor().FullName(), err)
	}
	return newCallers(rule.GetAllow()), nil
}

// decodeRule decodes options anew. Whoever decoded them before may not have known the option, or
// have known another Go type for it, and a rule that is overlooked lets the wrong processes in.
func decodeRule(options proto.Message, option protoreflect.ExtensionType) (*udsgrpcv1.Rule, error) {
	encoded, err := proto.MarshalOptions{AllowPartial: true}.Marshal(options)
	if err != nil {
		return nil, fmt.Errorf("cannot be read: %w", err)
	}
	decoded := options.ProtoReflect().New().Interface()
	if err := (proto.UnmarshalOptions{AllowPartial: true}).Unmarshal(encoded, decoded); err != nil {
		return nil, fmt.Errorf("cannot be read: %w", err)
	}
	if !proto.HasExtension(decoded, option) {
		return nil, nil
	}
	return proto.GetExtension(decoded, option).(*udsgrpcv1.Rule), nil
}

// checkRule says what is wrong with rule. A part that this version does not know is an error: the
// rule could mean less than what is left without it.
func checkRule(rule *udsgrpcv1.Rule) error {
	const update = "which protoc-gen-go-udsgrpc " + Version + " does not know: " +
		"update the plugin to the version that udsgrpc/v1/options.proto comes from"
	if len(rule.ProtoReflect().GetUnknown()) > 0 {
		return errors.New("has a field " + update)
	}
	if len(rule.GetAllow()) == 0 {
		return errors.New("allows nobody: add allow: SAME_USER, ROOT or ANYONE, or remove the option")
	}
	for _, value := range rule.GetAllow() {
		if value == udsgrpcv1.Rule_CALLER_UNSPECIFIED {
			return fmt.Errorf("allows %s, which says nothing: use SAME_USER, ROOT or ANYONE", value)
		}
		if caller(value).describe() == "" {
			return fmt.Errorf("allows caller %d, %s", value, update)
		}
	}
	return nil
}

// A caller is a kind of process that a rule can let call.
type caller udsgrpcv1.Rule_Caller

const (
	sameUser = caller(udsgrpcv1.Rule_SAME_USER)
	root     = caller(udsgrpcv1.Rule_ROOT)
	anyone   = caller(udsgrpcv1.Rule_ANYONE)
)

// newCallers returns each of values once, in an order that does not depend on theirs.
func newCallers(values []udsgrpcv1.Rule_Caller) []caller {
	var callers []caller
	for _, value := range values {
		callers = append(callers, caller(value))
	}
	slices.Sort(callers)
	return slices.Compact(callers)
}

// describe returns c in words, nothing if c is not known.
func (c caller) describe() string {
	switch c {
	case sameUser:
		return "the server's own user"
	case root:
		return "root"
	case anyone:
		return "anyone who can connect"
	}
	return ""
}

// expression returns the Go expression of the runtime's policy.
func (c caller) expression() string {
	switch c {
	case root:
		return runtimeName + ".Root()"
	case anyone:
		return runtimeName + ".Anyone()"
	}
	return runtimeName + ".SameUser()"
}

func (p policy) describe() string {
	var words []string
	for _, caller := range p.callers {
		words = append(words, caller.describe())
	}
	return strings.Join(words, " or ")
}

func (p policy) expression() string {
	var expressions []string
	for _, caller := range p.callers {
		expressions = append(expressions, caller.expression())
	}
	if len(expressions) == 1 {
		return expressions[0]
	}
	return runtimeName + ".Any(" + strings.Join(expressions, ", ") + ")"
}

// letsOthersCall reports whether one of policies is for users that the default mode of a socket
// file keeps out.
func letsOthersCall(policies []policy) bool {
	return slices.ContainsFunc(policies, func(p policy) bool { return slices.Contains(p.callers, anyone) })
}

// generatePolicyComment prints who may call what, then more in the last paragraph.
func generatePolicyComment(g printer, file *protogen.File, policies []policy, more string) {
	if len(policies) == 0 {
		comment(g, "Unless opts say otherwise, the socket has mode 0600 and only processes of the same user ",
			"may call. ", more)
		return
	}
	comment(g, "The rules in ", printable(file.Desc.Path()), " say who may call, and opts can only narrow them:")
	g.P("//")
	for _, policy := range policies {
		g.P("//   - ", string(policy.method.Desc.Name()), ": ", policy.describe())
	}
	g.P("//")
	if letsOthersCall(policies) {
		comment(g, "The default mode of a socket file, 0600, keeps out users whom these rules let call. Unless ",
			"opts narrow the rules that is an error, so set another with [runtime.SocketMode]. ", more)
		return
	}
	comment(g, "Unless opts say otherwise, the socket has mode 0600, so that only the server's own user and ",
		"root can connect. ", more)
}

// generateServerCall prints the call of the runtime that makes the server. What opts say comes
// after the policies, and narrows them.
func generateServerCall(g *protogen.GeneratedFile, policies []policy) {
	if len(policies) == 0 {
		g.P("server, err := runtime.NewServer(path, opts...)")
		return
	}
	g.P("server, err := runtime.NewServer(path, append([]runtime.ServerOption{")
	g.P("runtime.DeclaredPolicies(map[string]runtime.Policy{")
	for _, policy := range policies {
		g.P(strconv.Quote(fullName(policy.method)), ": ", policy.expression(), ",")
	}
	g.P("}),")
	g.P("}, opts...)...)")
}

// fullName returns the name of method on the wire.
func fullName(method *protogen.Method) string {
	return fmt.Sprintf("/%s/%s", method.Parent.Desc.FullName(), method.Desc.Name())
}
