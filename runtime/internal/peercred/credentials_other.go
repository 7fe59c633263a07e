//go:build !linux && !darwin && !freebsd

package peercred

import "github.com/udsgrpc/udsgrpc/runtime/internal/sockerr"

// OfSocket fails: these systems do not report the peer.
func OfSocket(int) (Credentials, error) { return nobodyKnown(), sockerr.ErrUnsupported }
