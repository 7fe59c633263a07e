package generator

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"google.golang.org/protobuf/compiler/protogen"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	udsgrpcv1 "github.com/udsgrpc/udsgrpc/proto/udsgrpc/v1"
)

// policies holds, for each service whose .proto file says who may call, the policy of each of its
// methods, in descriptor order.
type policies map[*protogen.Service][]policy

// A policy says who may call a method: whoever is one of allowed.
type policy struct {
	method  *protogen.Method
	allowed []allowed
}

// allowed is a part of a rule.
type allowed struct {
	words      string     // for people
	expression string     // in Go, of the runtime's policy
	others     othersKind // whether it is for users whom the default mode of a socket file keeps out
}

type othersKind int

const (
	noOthers othersKind = iota
	maybeOthers
	othersToo
)

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
		general = []allowed{callers[udsgrpcv1.Rule_SAME_USER]}
	}
	var found []policy
	for _, method := range service.Methods {
		allowed, err := readRule("rpc", method.Desc, udsgrpcv1.E_Method)
		if allowed == nil {
			allowed = general
		} else {
			declared = true
		}
		problems = append(problems, err)
		found = append(found, policy{method, allowed})
	}
	if !declared {
		found = nil
	}
	return found, errors.Join(problems...)
}

// readRule returns whom the option of desc lets call, or nil if desc does not have the option.
func readRule(kind string, desc protoreflect.Descriptor, option protoreflect.ExtensionType) ([]allowed, error) {
	rule, err := decodeRule(desc.Options(), option)
	if err == nil && rule != nil {
		err = checkRule(rule)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %s: the option (%s) %w", printable(desc.ParentFile().Path()), describe(kind, desc),
			option.TypeDescriptor().FullName(), err)
	}
	return newAllowed(rule), nil
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
	if len(rule.GetAllow())+len(rule.GetAllowUser())+len(rule.GetAllowGroup()) == 0 {
		return errors.New("allows nobody: add allow: SAME_USER, ROOT or ANYONE, allow_user or allow_group, or remove the option")
	}
	for _, value := range rule.GetAllow() {
		if value == udsgrpcv1.Rule_CALLER_UNSPECIFIED {
			return fmt.Errorf("allows %s, which says nothing: use SAME_USER, ROOT or ANYONE", value)
		}
		if _, ok := callers[value]; !ok {
			return fmt.Errorf("allows caller %d, %s", value, update)
		}
	}
	if err := checkAccounts("user", rule.GetAllowUser()); err != nil {
		return err
	}
	return checkAccounts("group", rule.GetAllowGroup())
}

// checkAccounts refuses what can be neither a name nor an id anywhere. Which characters a name may have
// is a system's affair, but for those with which its list of users is written.
func checkAccounts(kind string, names []string) error {
	for _, name := range names {
		switch {
		case name == "":
			return fmt.Errorf("allows a %s without a name: give a name or an id", kind)
		case strings.ContainsFunc(name, func(r rune) bool { return r == ':' || unicode.IsControl(r) }):
			return fmt.Errorf("allows %s %q, which is no name: it has a colon or a control character", kind, name)
		case isNumber(name):
			if id, err := strconv.ParseUint(name, 10, 32); err != nil || id == math.MaxUint32 {
				return fmt.Errorf("allows %s %s, which is no id: they end at %d", kind, name, uint32(math.MaxUint32-1))
			}
		}
	}
	return nil
}

func isNumber(name string) bool { return strings.Trim(name, "0123456789") == "" }

// callers are the kinds of processes that a rule can let call.
var callers = map[udsgrpcv1.Rule_Caller]allowed{
	udsgrpcv1.Rule_SAME_USER: {"the server's own user", runtimeName + ".SameUser()", noOthers},
	udsgrpcv1.Rule_ROOT:      {"root", runtimeName + ".Root()", noOthers},
	udsgrpcv1.Rule_ANYONE:    {"anyone who can connect", runtimeName + ".Anyone()", othersToo},
}

// newAllowed returns each part of a rule once, in an order that does not depend on theirs.
func newAllowed(rule *udsgrpcv1.Rule) []allowed {
	var parts []allowed
	for _, value := range sorted(rule.GetAllow()) {
		parts = append(parts, callers[value])
	}
	if users := sorted(rule.GetAllowUser()); len(users) > 0 {
		parts = append(parts, newNamed("user", "AllowUserName", users))
	}
	if groups := sorted(rule.GetAllowGroup()); len(groups) > 0 {
		parts = append(parts, newNamed("group", "AllowGroupName", groups))
	}
	return parts
}

// newNamed is for users or groups, whose names are looked up where the server runs.
func newNamed(kind, function string, names []string) allowed {
	words, arguments := make([]string, len(names)), make([]string, len(names))
	for i, name := range names {
		words[i], arguments[i] = kind+" "+printable(name), strconv.Quote(name)
	}
	return allowed{strings.Join(words, " or "), runtimeName + "." + function + "(" + strings.Join(arguments, ", ") + ")", maybeOthers}
}

func sorted[T cmp.Ordered](values []T) []T {
	return slices.Compact(slices.Sorted(slices.Values(values)))
}

func (p policy) describe() string {
	var words []string
	for _, part := range p.allowed {
		words = append(words, part.words)
	}
	return strings.Join(words, " or ")
}

func (p policy) expression() string {
	var expressions []string
	for _, part := range p.allowed {
		expressions = append(expressions, part.expression)
	}
	if len(expressions) == 1 {
		return expressions[0]
	}
	return runtimeName + ".Any(" + strings.Join(expressions, ", ") + ")"
}

// letOthersCall reports whether policies are for users whom the default mode of a socket file keeps
// out.
func letOthersCall(policies []policy) othersKind {
	found := noOthers
	for _, p := range policies {
		for _, part := range p.allowed {
			found = max(found, part.others)
		}
	}
	return found
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
	switch letOthersCall(policies) {
	case othersToo:
		comment(g, "The default mode of a socket file, 0600, keeps out users whom these rules let call. Unless ",
			"opts narrow the rules that is an error, so set another with [runtime.SocketMode]. ", more)
	case maybeOthers:
		comment(g, "Names are looked up now, and one that is unknown is an error. The default mode of a socket ",
			"file, 0600, keeps out all but the server's own user and root. If these rules let others call, ",
			"and opts do not narrow them, that is an error, so set another with [runtime.SocketMode]. ", more)
	default:
		comment(g, "Unless opts say otherwise, the socket has mode 0600, so that only the server's own user and ",
			"root can connect. ", more)
	}
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
