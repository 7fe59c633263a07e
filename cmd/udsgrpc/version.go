package main

import (
	"cmp"
	"runtime/debug"

	"github.com/udsgrpc/udsgrpc/internal/version"
)

// toolVersion returns the version of this module that the go command has stamped into the program. A
// checkout may have none; then it is that of the runtime, which is released under the same number.
func toolVersion() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return version.Version
	}
	return versionOf(info.Main)
}

func versionOf(m debug.Module) string {
	if m.Version == "(devel)" {
		m.Version = ""
	}
	return cmp.Or(m.Version, version.Version)
}
