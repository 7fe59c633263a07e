#!/usr/bin/env bash
# cmux: the end of one server ends all that share the socket, and the socket's file goes with it.
#
# Surprise: the listeners that Match returns look as if they were of their own, but their Close is that of the
# listener under them. When a small web server beside gRPC, such as one for metrics or pprof, is shut down, the gRPC
# server's Serve returns too, the path is unlinked, and every later call is Unavailable.
# Who meets it: whoever serves gRPC and HTTP on one Unix socket and can turn the one off without the other.
# Seen since: cmux 0.1.5. Its documentation says of Close only that the mux's own ends everything.
# Source: muxListener, which embeds net.Listener, in https://github.com/soheilhy/cmux/blob/v0.1.5/cmux.go
source "$(dirname "$0")/common.bash"

go_program github.com/soheilhy/cmux@v0.1.5 google.golang.org/grpc@v1.85.0 <<'GO'
package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/soheilhy/cmux"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
)

func main() {
	path := os.Args[1]
	listener, err := net.Listen("unix", path)
	if err != nil {
		panic(err)
	}
	mux := cmux.New(listener)
	forWeb, forGRPC := mux.Match(cmux.HTTP1Fast()), mux.Match(cmux.Any())
	web, server := &http.Server{Handler: http.NotFoundHandler()}, grpc.NewServer()
	healthpb.RegisterHealthServer(server, health.NewServer())
	webEnded, grpcEnded := make(chan error, 1), make(chan error, 1)
	go func() { webEnded <- web.Serve(forWeb) }()
	go func() { grpcEnded <- server.Serve(forGRPC) }()
	go mux.Serve()
	call := func(when string) {
		conn, err := grpc.NewClient("unix:"+path, grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			panic(err)
		}
		defer conn.Close()
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_, err = healthpb.NewHealthClient(conn).Check(ctx, &healthpb.HealthCheckRequest{})
		_, fileErr := os.Lstat(path)
		fmt.Printf("%s: a gRPC call is %v, the socket's file is there: %t\n", when, status.Code(err), fileErr == nil)
	}
	call("before")
	if err := web.Shutdown(context.Background()); err != nil {
		panic(err)
	}
	<-webEnded
	select {
	case err := <-grpcEnded:
		fmt.Println("the gRPC server's Serve returned:", err)
	case <-time.After(2 * time.Second):
		fmt.Println("the gRPC server still serves")
	}
	call("after the web server's Shutdown")
}
GO
verdict 'the gRPC server goes on when the web server beside it is shut down' \
	'^after the web server.s Shutdown: a gRPC call is Unavailable, the socket.s file is there: false$' \
	"$("$work/probe" "$work/s" 2>&1)"
