package runtime

import (
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	udsgrpcv1 "github.com/udsgrpc/udsgrpc/proto/udsgrpc/v1"
	"github.com/udsgrpc/udsgrpc/runtime/internal/methodname"
)

// declaredPolicies returns the rules that the .proto file of a service declares for its methods, by full
// method name; none if it declares none. Generated constructors pass the rules of their own service, see
// [DeclaredPolicies]; this finds those of services that are registered beside it.
func declaredPolicies(desc *grpc.ServiceDesc) map[string]Policy {
	found, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(desc.ServiceName))
	if err != nil {
		return nil
	}
	service, ok := found.(protoreflect.ServiceDescriptor)
	if !ok {
		return nil
	}
	general, declared := rulePolicy(service, udsgrpcv1.E_Service)
	if !declared {
		general = SameUser()
	}
	policies := make(map[string]Policy)
	for i := range service.Methods().Len() {
		method := service.Methods().Get(i)
		policy, ok := rulePolicy(method, udsgrpcv1.E_Method)
		if !ok {
			policy = general
		}
		declared = declared || ok
		policies[methodname.Full(desc.ServiceName, string(method.Name()))] = policy
	}
	if !declared {
		return nil
	}
	return policies
}

// rulePolicy returns the rule that desc has as an option.
func rulePolicy(desc protoreflect.Descriptor, option protoreflect.ExtensionType) (Policy, bool) {
	if !proto.HasExtension(desc.Options(), option) {
		return Policy{}, false
	}
	var allowed []Policy
	rule := proto.GetExtension(desc.Options(), option).(*udsgrpcv1.Rule)
	for _, caller := range rule.GetAllow() {
		switch caller {
		case udsgrpcv1.Rule_SAME_USER:
			allowed = append(allowed, SameUser())
		case udsgrpcv1.Rule_ROOT:
			allowed = append(allowed, Root())
		case udsgrpcv1.Rule_ANYONE:
			allowed = append(allowed, Anyone())
		}
		// A rule of a newer version may let in peers that this version does not know; it lets in none of
		// them.
	}
	if users := rule.GetAllowUser(); len(users) > 0 {
		allowed = append(allowed, AllowUserName(users...))
	}
	if groups := rule.GetAllowGroup(); len(groups) > 0 {
		allowed = append(allowed, AllowGroupName(groups...))
	}
	return Any(allowed...), true
}
