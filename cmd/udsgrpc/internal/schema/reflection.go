package schema

import (
	"context"
	"fmt"
	"strings"

	"github.com/jhump/protoreflect/v2/grpcreflect"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
)

// reflected asks a server.
type reflected struct{ client *grpcreflect.Client }

// ByReflection returns what a server tells of itself, as long as ctx lives. Nothing is asked yet. Errors are those of
// the calls. close ends the stream on which they are made.
func ByReflection(ctx context.Context, conn grpc.ClientConnInterface) (s *Schema, close func()) {
	client := grpcreflect.NewClientAuto(ctx, conn,
		grpcreflect.WithAllowMissingFileDescriptors(),
		grpcreflect.WithFallbackResolvers(protoregistry.GlobalFiles, protoregistry.GlobalTypes))
	return newSchema(reflected{client}, client.AsResolver().AsTypeResolver()), client.Reset
}

func (r reflected) services() ([]protoreflect.FullName, error) { return r.client.ListServices() }

func (r reflected) service(name protoreflect.FullName) (protoreflect.ServiceDescriptor, error) {
	notFound := fmt.Errorf("%s: %w", name, protoregistry.NotFound)
	if !name.IsValid() {
		return nil, notFound
	}
	file, err := r.client.FileContainingSymbol(name)
	if grpcreflect.IsElementNotFoundError(err) {
		return nil, notFound
	}
	if err != nil {
		return nil, err
	}
	below := strings.TrimPrefix(strings.TrimPrefix(string(name), string(file.Package())), ".")
	if service := file.Services().ByName(protoreflect.Name(below)); service != nil {
		return service, nil
	}
	return nil, notFound
}
