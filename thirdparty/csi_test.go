package thirdparty_test

import (
	"context"
	"testing"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/udsgrpc/udsgrpc/thirdparty/gen/csiudsgrpc"
)

var (
	pluginInfo         = &csi.GetPluginInfoResponse{Name: "disk.example.org", VendorVersion: "1.2.3"}
	pluginCapabilities = &csi.GetPluginCapabilitiesResponse{Capabilities: []*csi.PluginCapability{{
		Type: &csi.PluginCapability_Service_{Service: &csi.PluginCapability_Service{
			Type: csi.PluginCapability_Service_CONTROLLER_SERVICE,
		}},
	}}}
	pluginReady = &csi.ProbeResponse{Ready: wrapperspb.Bool(true)}
	nodeInfo    = &csi.NodeGetInfoResponse{NodeId: "node-1"}
)

// diskDriver is a CSI driver as it runs on a node.
type diskDriver struct {
	csi.UnimplementedIdentityServer
	csi.UnimplementedNodeServer
}

func (diskDriver) GetPluginInfo(context.Context, *csi.GetPluginInfoRequest) (*csi.GetPluginInfoResponse, error) {
	return pluginInfo, nil
}

func (diskDriver) GetPluginCapabilities(context.Context, *csi.GetPluginCapabilitiesRequest) (*csi.GetPluginCapabilitiesResponse, error) {
	return pluginCapabilities, nil
}

func (diskDriver) Probe(context.Context, *csi.ProbeRequest) (*csi.ProbeResponse, error) {
	return pluginReady, nil
}

func (diskDriver) NodeGetInfo(context.Context, *csi.NodeGetInfoRequest) (*csi.NodeGetInfoResponse, error) {
	return nodeInfo, nil
}

// A driver serves all of its services on the one socket that kubelet knows.
func TestCSIDriverServesIdentityAndNodeOnOneSocket(t *testing.T) {
	t.Parallel()
	ctx := soon(t)
	server, err := csiudsgrpc.NewIdentityUDSServer(socketPath(t), diskDriver{})
	if err != nil {
		t.Fatal(err)
	}
	csi.RegisterNodeServer(server, diskDriver{})
	serve(t, server)

	identity, conn, err := csiudsgrpc.DialIdentityUDS(server.Path())
	if err != nil {
		t.Fatal(err)
	}
	closeAfter(t, conn)

	info, err := identity.GetPluginInfo(ctx, &csi.GetPluginInfoRequest{})
	checkReply(t, info, err, pluginInfo)
	capabilities, err := identity.GetPluginCapabilities(ctx, &csi.GetPluginCapabilitiesRequest{})
	checkReply(t, capabilities, err, pluginCapabilities)
	ready, err := identity.Probe(ctx, &csi.ProbeRequest{})
	checkReply(t, ready, err, pluginReady)
	node, err := csi.NewNodeClient(conn).NodeGetInfo(ctx, &csi.NodeGetInfoRequest{})
	checkReply(t, node, err, nodeInfo)
}

func checkReply(t *testing.T, got proto.Message, err error, want proto.Message) {
	t.Helper()
	if err != nil {
		t.Errorf("got error %v, want %v", err, want)
	} else if !proto.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
