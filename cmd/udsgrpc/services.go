package main

import (
	"context"
	"slices"
	"strings"

	"github.com/jhump/protoreflect/v2/grpcreflect"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/udsgrpc/udsgrpc/runtime"
)

// serverServices is what a server tells of itself.
type serverServices struct {
	names      []string // nil if it does not tell
	transports []string
	detail     string // why it does not
	notGRPC    bool   // it speaks HTTP/2 for something else
}

// askServices asks a server of any user for its services: nothing of the caller is sent to it but who that is.
func askServices(ctx context.Context, path string) serverServices {
	conn, err := runtime.Dial(path, runtime.WithServerPolicy(runtime.Anyone()))
	if err != nil {
		return serverServices{detail: err.Error()}
	}
	defer conn.Close()
	client := grpcreflect.NewClientAuto(ctx, conn)
	defer client.Reset()
	names, err := client.ListServices()
	var found serverServices
	if stats := conn.Stats(); stats.Connections.Direct > 0 {
		found.transports = []string{"direct", "http2"}
	} else if stats.Connections.HTTP2 > 0 {
		found.transports = []string{"http2"}
	}
	message := status.Convert(err).Message()
	switch status.Code(err) {
	case codes.OK:
		found.names = []string{}
		for _, name := range names {
			if !strings.HasPrefix(string(name), "grpc.reflection.") {
				found.names = append(found.names, string(name))
			}
		}
		slices.Sort(found.names)
	case codes.Unimplemented:
		found.detail = "it has no reflection, so its services are unknown"
		found.notGRPC = isPlainHTTP(message)
	default:
		found.detail = "its services are unknown: " + message
		found.notGRPC = isPlainHTTP(message)
	}
	if found.notGRPC {
		found.detail = "it speaks HTTP/2 and answers a call as no gRPC server does: " + message
	}
	return found
}

// isPlainHTTP reports whether the message is grpc's for an answer of HTTP/2 that is none of gRPC. Only the
// text tells.
func isPlainHTTP(message string) bool {
	return strings.Contains(message, "unexpected HTTP status code") || strings.Contains(message, "received unexpected content-type")
}
