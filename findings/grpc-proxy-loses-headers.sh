#!/usr/bin/env bash
# grpc-proxy (mwitkow): the headers of a call that brings no message are lost.
#
# Surprise: header metadata passes the transparent proxy only together with a message. A call that fails, and
# a stream that is empty, arrive without the server's headers, and with a trailer content-type that no server sent.
# Status, details and trailers are passed on.
# Who meets it: whoever puts it before daemons that tell a request id, a retry hint or a cursor in the headers:
# it is there when all goes well, and missing in the very calls that fail.
# Seen since: grpc-proxy f345521cb9c9 (2023-02-12), with grpc-go 1.85.0. Its readme calls it transparent.
# Source: forwardClientToServer, which says that it is a hack, in
# https://github.com/mwitkow/grpc-proxy/blob/f345521cb9c9/proxy/handler.go
source "$(dirname "$0")/common.bash"

go_program github.com/mwitkow/grpc-proxy@v0.0.0-20230212185441-f345521cb9c9 google.golang.org/grpc@v1.85.0 <<'GO'
package main

import (
	"context"
	"fmt"
	"net"
	"os"

	"github.com/mwitkow/grpc-proxy/proxy"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// server tells a request id in the headers, and fails for a name that it does not know.
type server struct{ healthpb.UnimplementedHealthServer }

func (server) Check(ctx context.Context, request *healthpb.HealthCheckRequest) (*healthpb.HealthCheckResponse, error) {
	if err := grpc.SetHeader(ctx, metadata.Pairs("request-id", "7")); err != nil {
		return nil, err
	}
	if request.GetService() != "" {
		return nil, status.Error(codes.NotFound, "unknown")
	}
	return &healthpb.HealthCheckResponse{}, nil
}

func main() {
	direct, proxied := os.Args[1], os.Args[1]+".proxy"
	backend := grpc.NewServer()
	healthpb.RegisterHealthServer(backend, server{})
	serve(backend, direct)
	conn := dial(direct)
	front := grpc.NewServer(grpc.UnknownServiceHandler(proxy.TransparentHandler(
		func(ctx context.Context, _ string) (context.Context, *grpc.ClientConn, error) { return ctx, conn, nil })))
	serve(front, proxied)
	for _, end := range []struct{ name, path string }{{"direct", direct}, {"through the proxy", proxied}} {
		client := healthpb.NewHealthClient(dial(end.path))
		for _, service := range []string{"", "other"} {
			var header metadata.MD
			_, err := client.Check(context.Background(), &healthpb.HealthCheckRequest{Service: service}, grpc.Header(&header))
			fmt.Printf("%s: %v, request-id %q\n", end.name, status.Code(err), header.Get("request-id"))
		}
	}
}

func serve(server *grpc.Server, path string) {
	listener, err := net.Listen("unix", path)
	if err != nil {
		panic(err)
	}
	go server.Serve(listener)
}

func dial(path string) *grpc.ClientConn {
	conn, err := grpc.NewClient("unix:"+path, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		panic(err)
	}
	return conn
}
GO
verdict 'through the proxy: OK and NotFound, both with request-id ["7"]' \
	'^through the proxy: NotFound, request-id \[\]$' "$("$work/probe" "$work/s" 2>&1)"
