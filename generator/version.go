package generator

import "github.com/udsgrpc/udsgrpc/internal/version"

// Version is the version of the plugin. It stands in the header of every generated file, and
// protoc-gen-go-udsgrpc --version prints it.
const Version = version.Version
