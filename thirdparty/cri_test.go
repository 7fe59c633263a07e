package thirdparty_test

import (
	"context"
	"net"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	cri "k8s.io/cri-api/pkg/apis/runtime/v1"

	"github.com/udsgrpc/udsgrpc/thirdparty/gen/criudsgrpc"
)

var (
	criVersion = &cri.VersionResponse{Version: "0.1.0", RuntimeName: "box", RuntimeVersion: "4.5.6", RuntimeApiVersion: "v1"}
	criImages  = &cri.ListImagesResponse{Images: []*cri.Image{{Id: "sha256:1"}}}
)

// boxRuntime is a container runtime.
type boxRuntime struct {
	cri.UnimplementedRuntimeServiceServer
	cri.UnimplementedImageServiceServer
}

func (boxRuntime) Version(context.Context, *cri.VersionRequest) (*cri.VersionResponse, error) {
	return criVersion, nil
}

func (boxRuntime) ListImages(context.Context, *cri.ListImagesRequest) (*cri.ListImagesResponse, error) {
	return criImages, nil
}

func TestPlainGRPCClientCallsContainerRuntime(t *testing.T) {
	t.Parallel()
	ctx := soon(t)
	server, err := criudsgrpc.NewRuntimeServiceUDSServer(socketPath(t), boxRuntime{})
	if err != nil {
		t.Fatal(err)
	}
	cri.RegisterImageServiceServer(server, boxRuntime{})
	serve(t, server)

	conn, err := grpc.NewClient("unix://"+server.Path(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	closeAfter(t, conn)

	version, err := cri.NewRuntimeServiceClient(conn).Version(ctx, &cri.VersionRequest{})
	checkReply(t, version, err, criVersion)
	images, err := cri.NewImageServiceClient(conn).ListImages(ctx, &cri.ListImagesRequest{})
	checkReply(t, images, err, criImages)
}

// The container runtimes in use are such servers.
func TestClientCallsContainerRuntimeThatServesPlainGRPC(t *testing.T) {
	t.Parallel()
	ctx := soon(t)
	path := socketPath(t)
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	cri.RegisterRuntimeServiceServer(server, boxRuntime{})
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	t.Cleanup(func() {
		server.Stop()
		if err := <-served; err != nil {
			t.Errorf("serve: %v", err)
		}
	})

	client, conn, err := criudsgrpc.DialRuntimeServiceUDS(path)
	if err != nil {
		t.Fatal(err)
	}
	closeAfter(t, conn)
	version, err := client.Version(ctx, &cri.VersionRequest{})
	checkReply(t, version, err, criVersion)
}
