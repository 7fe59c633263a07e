#!/usr/bin/env bash
# grpc-gateway: binary metadata is base64 in HTTP requests, and raw in HTTP responses.
#
# Surprise: a request's header for a key with -bin is decoded from base64, as gRPC has it. In the response the same
# key's bytes are written as they are: a line feed arrives as a space, without an error, and other control bytes make
# Go's HTTP/1 client refuse the whole response ("malformed MIME header line"). The details of an error are such a
# key, grpc-status-details-bin: they spoil the trailers of clients that ask for them with TE: trailers.
# Who meets it: gateways before a daemon's socket that hand on ids, tokens or traces in -bin keys.
# Seen since: grpc-gateway 2.33.0. (There Grpc-Metadata- headers of requests pass with LegacyHeaderMatcher only.)
# Source: annotateContext and handleForwardResponseServerMetadata in
# https://github.com/grpc-ecosystem/grpc-gateway/blob/v2.33.0/runtime/context.go and handler.go
source "$(dirname "$0")/common.bash"

go_program github.com/grpc-ecosystem/grpc-gateway/v2@v2.33.0 google.golang.org/grpc@v1.85.0 <<'GO'
package main

import (
	"context"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
)

const token = "token-bin"

// server hands the token back.
type server struct{ healthpb.UnimplementedHealthServer }

func (server) Check(ctx context.Context, _ *healthpb.HealthCheckRequest) (*healthpb.HealthCheckResponse, error) {
	received := metadata.ValueFromIncomingContext(ctx, token)
	fmt.Printf("the server received %q and sends it back\n", received)
	return &healthpb.HealthCheckResponse{}, grpc.SetHeader(ctx, metadata.MD{token: received})
}

func main() {
	listener, err := net.Listen("unix", os.Args[1])
	check(err)
	backend := grpc.NewServer()
	healthpb.RegisterHealthServer(backend, server{})
	go backend.Serve(listener)
	conn, err := grpc.NewClient("unix:"+os.Args[1], grpc.WithTransportCredentials(insecure.NewCredentials()))
	check(err)

	mux := runtime.NewServeMux(runtime.WithIncomingHeaderMatcher(runtime.LegacyHeaderMatcher))
	// As the generated handler of a method with a path does it.
	check(mux.HandlePath("GET", "/check", func(w http.ResponseWriter, r *http.Request, _ map[string]string) {
		_, marshaler := runtime.MarshalerForRequest(mux, r)
		ctx, err := runtime.AnnotateContext(r.Context(), mux, r, healthpb.Health_Check_FullMethodName)
		check(err)
		var md runtime.ServerMetadata
		resp, err := healthpb.NewHealthClient(conn).Check(ctx, &healthpb.HealthCheckRequest{}, grpc.Header(&md.HeaderMD))
		check(err)
		runtime.ForwardResponseMessage(runtime.NewServerMetadataContext(ctx, md), mux, marshaler, w, r, resp)
	}))
	gateway := httptest.NewServer(mux)
	request, err := http.NewRequest("GET", gateway.URL+"/check", nil)
	check(err)
	sent := base64.StdEncoding.EncodeToString([]byte("1\n2"))
	request.Header.Set("Grpc-Metadata-Token-Bin", sent)
	response, err := http.DefaultClient.Do(request)
	check(err)
	fmt.Printf("Grpc-Metadata-Token-Bin is %q in the request, %q in the response\n", sent,
		response.Header.Get("Grpc-Metadata-Token-Bin"))
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
GO
verdict 'Grpc-Metadata-Token-Bin is "MQoy" in both' 'is "MQoy" in the request, "1 2" in the response$' \
	"$("$work/probe" "$work/s" 2>&1)"
