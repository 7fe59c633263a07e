package thirdparty_test

import (
	"context"
	"maps"
	"reflect"
	"slices"
	"testing"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"github.com/spiffe/go-spiffe/v2/proto/spiffe/workload"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	cri "k8s.io/cri-api/pkg/apis/runtime/v1"
	deviceplugin "k8s.io/kubelet/pkg/apis/deviceplugin/v1beta1"

	"github.com/udsgrpc/udsgrpc/runtime"
	"github.com/udsgrpc/udsgrpc/thirdparty/gen/criudsgrpc"
	"github.com/udsgrpc/udsgrpc/thirdparty/gen/csiudsgrpc"
	"github.com/udsgrpc/udsgrpc/thirdparty/gen/devicepluginudsgrpc"
	"github.com/udsgrpc/udsgrpc/thirdparty/gen/workloadudsgrpc"
)

// services has every service by its full name.
var services = map[protoreflect.FullName]service{
	"csi.v1.Identity": newService(csi.UnimplementedIdentityServer{}, csi.RegisterIdentityServer, csi.NewIdentityClient,
		csiudsgrpc.NewIdentityUDSServer, csiudsgrpc.DialIdentityUDS),
	"csi.v1.Controller": newService(csi.UnimplementedControllerServer{}, csi.RegisterControllerServer, csi.NewControllerClient,
		csiudsgrpc.NewControllerUDSServer, csiudsgrpc.DialControllerUDS),
	"csi.v1.GroupController": newService(csi.UnimplementedGroupControllerServer{}, csi.RegisterGroupControllerServer, csi.NewGroupControllerClient,
		csiudsgrpc.NewGroupControllerUDSServer, csiudsgrpc.DialGroupControllerUDS),
	"csi.v1.SnapshotMetadata": newService(csi.UnimplementedSnapshotMetadataServer{}, csi.RegisterSnapshotMetadataServer, csi.NewSnapshotMetadataClient,
		csiudsgrpc.NewSnapshotMetadataUDSServer, csiudsgrpc.DialSnapshotMetadataUDS),
	"csi.v1.Node": newService(csi.UnimplementedNodeServer{}, csi.RegisterNodeServer, csi.NewNodeClient,
		csiudsgrpc.NewNodeUDSServer, csiudsgrpc.DialNodeUDS),
	"v1beta1.Registration": newService(deviceplugin.UnimplementedRegistrationServer{}, deviceplugin.RegisterRegistrationServer, deviceplugin.NewRegistrationClient,
		devicepluginudsgrpc.NewRegistrationUDSServer, devicepluginudsgrpc.DialRegistrationUDS),
	"v1beta1.DevicePlugin": newService(deviceplugin.UnimplementedDevicePluginServer{}, deviceplugin.RegisterDevicePluginServer, deviceplugin.NewDevicePluginClient,
		devicepluginudsgrpc.NewDevicePluginUDSServer, devicepluginudsgrpc.DialDevicePluginUDS),
	"runtime.v1.RuntimeService": newService(cri.UnimplementedRuntimeServiceServer{}, cri.RegisterRuntimeServiceServer, cri.NewRuntimeServiceClient,
		criudsgrpc.NewRuntimeServiceUDSServer, criudsgrpc.DialRuntimeServiceUDS),
	"runtime.v1.ImageService": newService(cri.UnimplementedImageServiceServer{}, cri.RegisterImageServiceServer, cri.NewImageServiceClient,
		criudsgrpc.NewImageServiceUDSServer, criudsgrpc.DialImageServiceUDS),
	"SpiffeWorkloadAPI": newService(workload.UnimplementedSpiffeWorkloadAPIServer{}, workload.RegisterSpiffeWorkloadAPIServer, workload.NewSpiffeWorkloadAPIClient,
		workloadudsgrpc.NewSpiffeWorkloadAPIUDSServer, workloadudsgrpc.DialSpiffeWorkloadAPIUDS),
}

func TestEveryServiceOfTheProtoFilesHasConstructors(t *testing.T) {
	t.Parallel()
	want := make(map[protoreflect.FullName]bool)
	for name := range services {
		of := describe(t, name).ParentFile().Services()
		for i := range of.Len() {
			want[of.Get(i).FullName()] = true
		}
	}
	for name := range want {
		if _, ok := services[name]; !ok {
			t.Errorf("%s has no entry in services", name)
		}
	}
}

func TestEveryRPCOfTheClientReachesTheServer(t *testing.T) {
	t.Parallel()
	for name, service := range services {
		t.Run(string(name), func(t *testing.T) {
			t.Parallel()
			server, err := service.newServer(socketPath(t))
			if err != nil {
				t.Fatal(err)
			}
			serve(t, server)
			if got := slices.Collect(maps.Keys(server.GetServiceInfo())); !slices.Equal(got, []string{string(name)}) {
				t.Errorf("the server has the services %v, want %s alone", got, name)
			}

			client, conn, err := service.dial(server.Path())
			if err != nil {
				t.Fatal(err)
			}
			closeAfter(t, conn)
			ctx := soon(t)
			methods := describe(t, name).Methods()
			for i := range methods.Len() {
				method := string(methods.Get(i).Name())
				// The generated Unimplemented server says this; one without the service says
				// something else.
				want := status.Errorf(codes.Unimplemented, "method %s not implemented", method)
				if got := call(ctx, client, method); got == nil || got.Error() != want.Error() {
					t.Errorf("%s: got %v, want %v", method, got, want)
				}
			}
		})
	}
}

// call calls the method of client with an empty request and returns its error, that of the first
// message if it answers with a stream.
func call(ctx context.Context, client any, method string) error {
	f := reflect.ValueOf(client).MethodByName(method)
	results := f.Call([]reflect.Value{reflect.ValueOf(ctx), reflect.New(f.Type().In(1).Elem())})
	err, _ := results[1].Interface().(error)
	if stream, ok := results[0].Interface().(grpc.ClientStream); ok && err == nil {
		err = stream.RecvMsg(nil)
	}
	return err
}

func describe(t *testing.T, name protoreflect.FullName) protoreflect.ServiceDescriptor {
	t.Helper()
	found, err := protoregistry.GlobalFiles.FindDescriptorByName(name)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return found.(protoreflect.ServiceDescriptor)
}

type service struct {
	newServer func(path string) (*runtime.Server, error)
	dial      func(path string) (client any, conn *runtime.ClientConn, err error)
}

// newService compiles only if the generated constructors, the last two, take and return the types
// of the published stubs, which the functions before them name.
func newService[Server, Client any](
	unimplemented any,
	_ func(grpc.ServiceRegistrar, Server),
	_ func(grpc.ClientConnInterface) Client,
	newServer func(string, Server, ...runtime.ServerOption) (*runtime.Server, error),
	dial func(string, ...runtime.DialOption) (Client, *runtime.ClientConn, error),
) service {
	return service{
		newServer: func(path string) (*runtime.Server, error) { return newServer(path, unimplemented.(Server)) },
		dial:      func(path string) (any, *runtime.ClientConn, error) { return dial(path) },
	}
}
