package main

import (
	"context"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// controller creates and deletes volumes.
type controller struct {
	csi.UnimplementedControllerServer
	volumes *volumes
}

func (controller) ControllerGetCapabilities(context.Context, *csi.ControllerGetCapabilitiesRequest) (*csi.ControllerGetCapabilitiesResponse, error) {
	return &csi.ControllerGetCapabilitiesResponse{Capabilities: []*csi.ControllerServiceCapability{{
		Type: &csi.ControllerServiceCapability_Rpc{Rpc: &csi.ControllerServiceCapability_RPC{
			Type: csi.ControllerServiceCapability_RPC_CREATE_DELETE_VOLUME,
		}},
	}}}, nil
}

func (c controller) CreateVolume(_ context.Context, req *csi.CreateVolumeRequest) (*csi.CreateVolumeResponse, error) {
	if err := need(given{"a name", req.GetName() != ""}, given{"capabilities", len(req.GetVolumeCapabilities()) > 0}); err != nil {
		return nil, err
	}
	if why := unsupported(req.GetVolumeCapabilities()...); why != "" {
		return nil, status.Error(codes.InvalidArgument, why)
	}
	volume, err := c.volumes.create(req.GetName(), req.GetCapacityRange())
	if err != nil {
		return nil, err
	}
	return &csi.CreateVolumeResponse{Volume: volume}, nil
}

func (c controller) DeleteVolume(_ context.Context, req *csi.DeleteVolumeRequest) (*csi.DeleteVolumeResponse, error) {
	if err := need(given{"a volume id", req.GetVolumeId() != ""}); err != nil {
		return nil, err
	}
	return &csi.DeleteVolumeResponse{}, c.volumes.remove(req.GetVolumeId())
}

func (c controller) ValidateVolumeCapabilities(_ context.Context, req *csi.ValidateVolumeCapabilitiesRequest) (*csi.ValidateVolumeCapabilitiesResponse, error) {
	wanted := req.GetVolumeCapabilities()
	if err := need(given{"a volume id", req.GetVolumeId() != ""}, given{"capabilities", len(wanted) > 0}); err != nil {
		return nil, err
	}
	if err := c.volumes.check(req.GetVolumeId()); err != nil {
		return nil, err
	}
	if why := unsupported(wanted...); why != "" {
		return &csi.ValidateVolumeCapabilitiesResponse{Message: why}, nil
	}
	return &csi.ValidateVolumeCapabilitiesResponse{
		Confirmed: &csi.ValidateVolumeCapabilitiesResponse_Confirmed{VolumeCapabilities: wanted},
	}, nil
}
