#!/usr/bin/env bash
# csi-lib-utils: OnConnectionLoss is not called when the connection is lost, but when the next call is made.
#
# Surprise: the callback that a sidecar gives to connection.Connect, often ExitOnConnectionLoss, stays silent
# while the driver is gone. grpc-go sees the end of the connection at once and becomes idle; the callback
# is part of the dialer, which runs only for the next call. A sidecar that waits for events of the cluster
# goes on for hours without a driver.
# Who meets it: CSI sidecars that rely on the callback to restart, or to drop what they have cached.
# Seen since: csi-lib-utils 0.25.0.
# Source: the dialer inside connect in
# https://github.com/kubernetes-csi/csi-lib-utils/blob/v0.25.0/connection/connection.go
source "$(dirname "$0")/common.bash"

go_program github.com/kubernetes-csi/csi-lib-utils@v0.25.0 google.golang.org/grpc@v1.85.0 <<'GO'
package main

import (
	"context"
	"flag"
	"fmt"
	"net"
	"os"
	"sync/atomic"
	"time"

	"github.com/kubernetes-csi/csi-lib-utils/connection"
	"google.golang.org/grpc"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	"k8s.io/klog/v2"
)

func main() {
	flags := flag.NewFlagSet("", flag.ExitOnError)
	klog.InitFlags(flags)
	flags.Set("logtostderr", "false")
	flags.Set("stderrthreshold", "FATAL")
	path := os.Args[1]
	listener, err := net.Listen("unix", path)
	if err != nil {
		panic(err)
	}
	server := grpc.NewServer()
	grpc_health_v1.RegisterHealthServer(server, health.NewServer())
	go server.Serve(listener)

	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	var told atomic.Int32
	conn, err := connection.Connect(ctx, "unix://"+path, nil, connection.OnConnectionLoss(func(context.Context) bool {
		told.Add(1)
		return false
	}))
	if err != nil {
		panic(err)
	}
	server.Stop()
	for state := conn.GetState(); state == connectivity.Ready; state = conn.GetState() {
		conn.WaitForStateChange(ctx, state)
	}
	time.Sleep(5 * time.Second)
	fmt.Printf("5 s after the server ended: the connection is %v, callback called %d times\n", conn.GetState(), told.Load())
	_, err = grpc_health_v1.NewHealthClient(conn).Check(ctx, &grpc_health_v1.HealthCheckRequest{})
	fmt.Printf("after a call: callback called %d times, the call failed: %t\n", told.Load(), err != nil)
}
GO
verdict 'the callback is called within 5 s' \
	'^5 s after the server ended: .* callback called 0 times$' "$("$work/probe" "$work/s" 2>/dev/null)"
