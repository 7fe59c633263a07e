package filewalk

import (
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/udsgrpc/udsgrpc/runtime/internal/methodname"
)

// A Method says where a method of a service has open files.
type Method struct {
	FullName              string // "/package.Service/Method"
	InRequest, InResponse bool
}

// MethodsOf returns the methods with open files of a service of this program, by its full name.
func MethodsOf(service string) (methods []Method) {
	found, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(service))
	if err != nil {
		return nil
	}
	desc, ok := found.(protoreflect.ServiceDescriptor)
	if !ok {
		return nil
	}
	for i := range desc.Methods().Len() {
		if m := methodOf(desc.Methods().Get(i)); m.InRequest || m.InResponse {
			methods = append(methods, m)
		}
	}
	return methods
}

// MethodOf returns where a method, given by "/package.Service/Method", has open files. It has none if it is
// not of this program.
func MethodOf(fullName string) Method {
	name := strings.ReplaceAll(strings.TrimPrefix(fullName, "/"), "/", ".")
	found, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(name))
	if err != nil {
		return Method{FullName: fullName}
	}
	desc, ok := found.(protoreflect.MethodDescriptor)
	if !ok {
		return Method{FullName: fullName}
	}
	return methodOf(desc)
}

func methodOf(desc protoreflect.MethodDescriptor) Method {
	return Method{
		FullName:   methodname.Full(string(desc.Parent().FullName()), string(desc.Name())),
		InRequest:  newPlan(desc.Input()).leads,
		InResponse: newPlan(desc.Output()).leads,
	}
}
