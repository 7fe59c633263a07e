#!/usr/bin/env bash
# ttrpc: Server.Shutdown does not wait for a call that is being served.
#
# Surprise: Shutdown(ctx) returns nil at once, whatever time ctx has left, and the one call in flight fails
# with "ttrpc: closed". A connection counts as active only from the moment a response has been written on
# it while another call still runs; one that serves its first call passes as idle.
# Who meets it: authors of daemons and shims that use Shutdown to drain before they exit, as
# http.Server.Shutdown and grpc.Server.GracefulStop allow.
# Seen since: ttrpc 1.2.10.
# Source: Server.Shutdown and the states of a connection in
# https://github.com/containerd/ttrpc/blob/v1.2.10/server.go
source "$(dirname "$0")/common.bash"

go_program github.com/containerd/ttrpc@v1.2.10 google.golang.org/protobuf@v1.36.12 <<'GO'
package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/containerd/ttrpc"
	"google.golang.org/protobuf/types/known/emptypb"
)

func main() {
	server, err := ttrpc.NewServer()
	if err != nil {
		panic(err)
	}
	serving := make(chan struct{})
	server.RegisterService("finding.Service", &ttrpc.ServiceDesc{Methods: map[string]ttrpc.Method{
		"Wait": func(ctx context.Context, decode func(any) error) (any, error) {
			close(serving)
			time.Sleep(time.Second)
			return &emptypb.Empty{}, decode(&emptypb.Empty{})
		},
	}})
	listener, err := net.Listen("unix", os.Args[1])
	if err != nil {
		panic(err)
	}
	go server.Serve(context.Background(), listener)

	conn, err := net.Dial("unix", os.Args[1])
	if err != nil {
		panic(err)
	}
	client := ttrpc.NewClient(conn)
	result := make(chan error)
	go func() {
		result <- client.Call(context.Background(), "finding.Service", "Wait", &emptypb.Empty{}, &emptypb.Empty{})
	}()
	<-serving

	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	start := time.Now()
	err = server.Shutdown(ctx)
	fmt.Printf("Shutdown returned %v after %.1f s, while the call needed 1 s\n", err, time.Since(start).Seconds())
	fmt.Printf("the call: %v\n", <-result)
}
GO
verdict 'Shutdown, given 10 s, lets the call of 1 s end well' \
	'^the call: ttrpc: closed$' "$("$work/probe" "$work/s" 2>&1)"
