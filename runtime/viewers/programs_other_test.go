//go:build !linux

package viewers_test

import "github.com/udsgrpc/udsgrpc/internal/testproc"

var programs map[string]testproc.Program
