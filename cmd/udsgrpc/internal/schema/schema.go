// Package schema finds the methods of services and the types of their messages: by reflection, in .proto files, or
// in files with descriptors.
package schema

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
)

// ErrUnknown means that there is no such service, method or field. The text names the nearest.
var ErrUnknown = errors.New("unknown name")

// Types finds the types of messages and extensions, as package protojson needs them.
type Types interface {
	protoregistry.MessageTypeResolver
	protoregistry.ExtensionTypeResolver
}

// Schema knows services.
type Schema struct {
	source source
	// Types are those of the schema and, for what these lack, those of this program.
	Types Types
}

// source is where a schema comes from.
type source interface {
	// services returns the names of all services.
	services() ([]protoreflect.FullName, error)
	// service returns one, or an error that wraps protoregistry.NotFound.
	service(name protoreflect.FullName) (protoreflect.ServiceDescriptor, error)
}

func newSchema(s source, t Types) *Schema {
	return &Schema{source: s, Types: fallback{t, protoregistry.GlobalTypes}}
}

// Method returns the method with a name such as greeter.v1.Greeter/Greet. If there is none, the error wraps
// ErrUnknown; other errors are of the source.
func (s *Schema) Method(name string) (protoreflect.MethodDescriptor, error) {
	serviceName, methodName, _ := strings.Cut(strings.TrimPrefix(name, "/"), "/")
	service, err := s.source.service(protoreflect.FullName(serviceName))
	if errors.Is(err, protoregistry.NotFound) {
		return nil, s.unknownService(serviceName)
	}
	if err != nil {
		return nil, err
	}
	if method := service.Methods().ByName(protoreflect.Name(methodName)); method != nil {
		return method, nil
	}
	names := methodNames(service)
	if methodName == "" {
		return nil, fmt.Errorf("%w: say which method of %s: %s", ErrUnknown, serviceName, strings.Join(names, ", "))
	}
	return nil, fmt.Errorf("%w: %s has no method %q; %s", ErrUnknown, serviceName, methodName, suggest(methodName, names))
}

func (s *Schema) unknownService(name string) error {
	services, err := s.source.services()
	if err != nil {
		return err
	}
	names := make([]string, len(services))
	for i, service := range services {
		names[i] = string(service)
	}
	return fmt.Errorf("%w: there is no service %q; %s", ErrUnknown, name, suggest(name, names))
}

// Methods returns the names of all methods of all services.
func (s *Schema) Methods() ([]string, error) {
	services, err := s.source.services()
	if err != nil {
		return nil, err
	}
	var names []string
	for _, name := range services {
		service, err := s.source.service(name)
		if err != nil {
			return nil, err
		}
		for _, method := range methodNames(service) {
			names = append(names, string(name)+"/"+method)
		}
	}
	slices.Sort(names)
	return names, nil
}

func methodNames(service protoreflect.ServiceDescriptor) (names []string) {
	for i := range service.Methods().Len() {
		names = append(names, string(service.Methods().Get(i).Name()))
	}
	return names
}

// fallback asks the second where the first does not know.
type fallback struct{ first, second Types }

func (f fallback) FindMessageByName(name protoreflect.FullName) (protoreflect.MessageType, error) {
	if found, err := f.first.FindMessageByName(name); err == nil {
		return found, nil
	}
	return f.second.FindMessageByName(name)
}

func (f fallback) FindMessageByURL(url string) (protoreflect.MessageType, error) {
	if found, err := f.first.FindMessageByURL(url); err == nil {
		return found, nil
	}
	return f.second.FindMessageByURL(url)
}

func (f fallback) FindExtensionByName(name protoreflect.FullName) (protoreflect.ExtensionType, error) {
	if found, err := f.first.FindExtensionByName(name); err == nil {
		return found, nil
	}
	return f.second.FindExtensionByName(name)
}

func (f fallback) FindExtensionByNumber(message protoreflect.FullName, number protoreflect.FieldNumber) (protoreflect.ExtensionType, error) {
	if found, err := f.first.FindExtensionByNumber(message, number); err == nil {
		return found, nil
	}
	return f.second.FindExtensionByNumber(message, number)
}
