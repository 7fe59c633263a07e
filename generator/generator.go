// Package generator writes the Go code that serves and dials gRPC services over Unix domain
// sockets: one constructor for the server and one for the client of each service.
//
// Where the .proto file says who may call, with the options of udsgrpc/v1/options.proto, the server
// holds callers to it. Where messages have open files, in fields of the type that
// udsgrpc/v1/file.proto declares, the documentation of the functions names the methods.
//
// Descriptors go in and Go source comes out. The package does no I/O, keeps no state and knows the
// runtime by its import path only, so it can run inside protoc-gen-go-udsgrpc, a build tool or a
// test alike.
package generator

import (
	"errors"

	"google.golang.org/protobuf/compiler/protogen"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/pluginpb"
)

// Options says how to generate. The zero value writes into the package of the base stubs, the
// files of protoc-gen-go and protoc-gen-go-grpc.
type Options struct {
	// PackageSuffix, if not empty, makes a sub-package that imports the base stubs and is named
	// like them with this suffix: with "udsgrpc", package greeterv1 gets greeterv1udsgrpc in the
	// directory of that name. It is for base stubs that belong to someone else.
	PackageSuffix string
}

// Generate adds the code for every file of plugin that is to be generated and has services. It
// also tells plugin which features of the language it supports: proto2, proto3 with optional
// fields, and editions up to 2024.
//
// An error means that the files and opts admit no Go code that compiles; it says what to change.
// Generate has then added no file. What it returns depends on the descriptors and on opts only,
// and plugin's own values stay as they are. Calls with different plugins may run concurrently.
func Generate(plugin *protogen.Plugin, opts Options) error {
	plugin.SupportedFeatures = uint64(pluginpb.CodeGeneratorResponse_FEATURE_PROTO3_OPTIONAL |
		pluginpb.CodeGeneratorResponse_FEATURE_SUPPORTS_EDITIONS)
	plugin.SupportedEditionsMinimum = descriptorpb.Edition_EDITION_PROTO2
	plugin.SupportedEditionsMaximum = descriptorpb.Edition_EDITION_2024

	if err := checkSuffix(opts.PackageSuffix); err != nil {
		return err
	}
	targets, err := newTargets(plugin, opts.PackageSuffix)
	if err != nil {
		return err
	}
	policies, err := newPolicies(targets)
	carriers := newCarriers(targets)
	if err := errors.Join(
		err,
		checkHeaders(targets),
		checkFilenames(plugin, targets),
		checkNames(plugin, opts.PackageSuffix),
		carriers.checkFileType(),
	); err != nil {
		return err
	}
	for _, target := range targets {
		generateFile(plugin, target, policies, carriers)
	}
	return nil
}
