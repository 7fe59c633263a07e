//go:build !linux

package direct

import "errors"

// Supported reports whether the direct transport is available: on Linux, where it was tested.
const Supported = false

type hangups struct{}

func newHangups() (*hangups, error) { return nil, errors.ErrUnsupported }

func (*hangups) add(*conn, func()) (func(), error) { return nil, errors.ErrUnsupported }

func (*hangups) close() {}
