package thirdparty_test

import (
	"context"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	deviceplugin "k8s.io/kubelet/pkg/apis/deviceplugin/v1beta1"

	"github.com/udsgrpc/udsgrpc/thirdparty/gen/devicepluginudsgrpc"
)

// gpuPlugin reports each state of its devices that it receives.
type gpuPlugin struct {
	deviceplugin.UnimplementedDevicePluginServer
	states <-chan *deviceplugin.ListAndWatchResponse
	ended  chan<- error
}

func (p gpuPlugin) ListAndWatch(_ *deviceplugin.Empty, stream grpc.ServerStreamingServer[deviceplugin.ListAndWatchResponse]) (err error) {
	defer func() { p.ended <- err }()
	for {
		select {
		case state := <-p.states:
			if err := stream.Send(state); err != nil {
				return err
			}
		case <-stream.Context().Done():
			return stream.Context().Err()
		}
	}
}

func TestDevicePluginReportsEachChangeUntilTheWatcherLeaves(t *testing.T) {
	t.Parallel()
	states, ended := make(chan *deviceplugin.ListAndWatchResponse), make(chan error, 1)
	server, err := devicepluginudsgrpc.NewDevicePluginUDSServer(socketPath(t), gpuPlugin{states: states, ended: ended})
	if err != nil {
		t.Fatal(err)
	}
	serve(t, server)

	client, conn, err := devicepluginudsgrpc.DialDevicePluginUDS(server.Path())
	if err != nil {
		t.Fatal(err)
	}
	closeAfter(t, conn)
	ctx, leave := context.WithCancel(soon(t))
	defer leave()
	stream, err := client.ListAndWatch(ctx, &deviceplugin.Empty{})
	if err != nil {
		t.Fatal(err)
	}

	for _, health := range []string{deviceplugin.Healthy, deviceplugin.Unhealthy} {
		state := &deviceplugin.ListAndWatchResponse{Devices: []*deviceplugin.Device{{ID: "gpu-0", Health: health}}}
		select {
		case states <- state:
		case err := <-ended:
			t.Fatalf("the plugin's watch ended early: %v", err)
		case <-ctx.Done():
			t.Fatalf("the plugin's watch does not begin: %v", ctx.Err())
		}
		got, err := stream.Recv()
		checkReply(t, got, err, state)
	}

	leave()
	select {
	case err := <-ended:
		if err != context.Canceled {
			t.Errorf("the plugin's watch ended with %v, want %v", err, context.Canceled)
		}
	case <-soon(t).Done():
		t.Fatal("the plugin's watch goes on without a watcher")
	}
	if _, err := stream.Recv(); status.Code(err) != codes.Canceled {
		t.Errorf("the watcher got %v, want %v", err, codes.Canceled)
	}
}
