//go:build !linux && !darwin && !freebsd

package socket

import "os"

func peerOf(int) (Peer, error) { return nobodyKnown(), ErrUnsupported }

func openPidfd(int) (*os.File, error) { return nil, ErrUnsupported }
