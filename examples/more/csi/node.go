package main

import (
	"context"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// nodeServer makes volumes appear on its node.
type nodeServer struct {
	csi.UnimplementedNodeServer
	volumes *volumes
	id      string
}

func (n nodeServer) NodeGetInfo(context.Context, *csi.NodeGetInfoRequest) (*csi.NodeGetInfoResponse, error) {
	return &csi.NodeGetInfoResponse{NodeId: n.id}, nil
}

// NodeGetCapabilities has none: there is nothing to stage, to measure or to expand.
func (nodeServer) NodeGetCapabilities(context.Context, *csi.NodeGetCapabilitiesRequest) (*csi.NodeGetCapabilitiesResponse, error) {
	return &csi.NodeGetCapabilitiesResponse{}, nil
}

func (n nodeServer) NodePublishVolume(_ context.Context, req *csi.NodePublishVolumeRequest) (*csi.NodePublishVolumeResponse, error) {
	if err := need(
		given{"a volume id", req.GetVolumeId() != ""},
		given{"a target path", req.GetTargetPath() != ""},
		given{"a capability", req.GetVolumeCapability() != nil},
	); err != nil {
		return nil, err
	}
	if why := unsupported(req.GetVolumeCapability()); why != "" {
		return nil, status.Error(codes.InvalidArgument, why)
	}
	return &csi.NodePublishVolumeResponse{}, n.volumes.publish(req.GetVolumeId(), req.GetTargetPath())
}

func (n nodeServer) NodeUnpublishVolume(_ context.Context, req *csi.NodeUnpublishVolumeRequest) (*csi.NodeUnpublishVolumeResponse, error) {
	if err := need(given{"a volume id", req.GetVolumeId() != ""}, given{"a target path", req.GetTargetPath() != ""}); err != nil {
		return nil, err
	}
	return &csi.NodeUnpublishVolumeResponse{}, n.volumes.unpublish(req.GetVolumeId(), req.GetTargetPath())
}
