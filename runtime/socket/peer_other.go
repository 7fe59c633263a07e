//go:build !linux && !darwin && !freebsd

package socket

func peerOf(int) (Peer, error) { return nobodyKnown(), ErrUnsupported }
