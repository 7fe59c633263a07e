package main

import (
	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// given is a field that a request must have.
type given struct {
	what string
	ok   bool
}

func need(fields ...given) error {
	for _, field := range fields {
		if !field.ok {
			return status.Errorf(codes.InvalidArgument, "the request lacks %s", field.what)
		}
	}
	return nil
}

// unsupported says which of the wanted capabilities a directory on one node does not have; "" if none.
func unsupported(wanted ...*csi.VolumeCapability) string {
	for _, capability := range wanted {
		if capability.GetBlock() != nil {
			return "volumes are directories, not block devices"
		}
		switch mode := capability.GetAccessMode().GetMode(); mode {
		case csi.VolumeCapability_AccessMode_SINGLE_NODE_WRITER, csi.VolumeCapability_AccessMode_SINGLE_NODE_READER_ONLY:
		default:
			return "volumes are of one node, so their access mode cannot be " + mode.String()
		}
	}
	return ""
}
