#!/usr/bin/env bash
# go-grpc-middleware's logging: a call that ended by a deadline is logged as Unknown.
#
# Surprise: a handler that returns the error of a context, as most do that read, wait or call others, ends its call
# with DeadlineExceeded or Canceled: grpc-go sees to that, and the client, and the same project's counters
# (grpc_server_handled_total), say so. The log beside them says grpc.code=Unknown, at the level of an error.
# logging.WithCodes with a function of one's own avoids it.
# Who meets it: whoever searches the server's log for the calls that clients or dashboards report as out of time.
# Seen since: go-grpc-middleware 2.3.4, its providers/prometheus 1.1.1.
# Source: DefaultErrorToCode in
# https://github.com/grpc-ecosystem/go-grpc-middleware/blob/v2.3.4/interceptors/logging/options.go
source "$(dirname "$0")/common.bash"

go_program github.com/grpc-ecosystem/go-grpc-middleware/v2@v2.3.4 google.golang.org/grpc@v1.85.0 \
	github.com/grpc-ecosystem/go-grpc-middleware/providers/prometheus@v1.1.1 <<'GO'
package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"time"

	counters "github.com/grpc-ecosystem/go-grpc-middleware/providers/prometheus"
	"github.com/grpc-ecosystem/go-grpc-middleware/v2/interceptors/logging"
	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
)

// slow runs out of a time of its own.
type slow struct{ healthpb.UnimplementedHealthServer }

func (slow) Check(ctx context.Context, _ *healthpb.HealthCheckRequest) (*healthpb.HealthCheckResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Millisecond)
	defer cancel()
	<-ctx.Done()
	return nil, ctx.Err()
}

func main() {
	listener, err := net.Listen("unix", os.Args[1])
	if err != nil {
		panic(err)
	}
	log := logging.LoggerFunc(func(_ context.Context, _ logging.Level, what string, fields ...any) {
		for i := logging.Fields(fields).Iterator(); i.Next(); {
			if key, value := i.At(); key == "grpc.code" {
				fmt.Println("the log says:", value)
			}
		}
	})
	metrics, registry := counters.NewServerMetrics(), prometheus.NewRegistry()
	registry.MustRegister(metrics)
	server := grpc.NewServer(grpc.ChainUnaryInterceptor(metrics.UnaryServerInterceptor(),
		logging.UnaryServerInterceptor(log, logging.WithLogOnEvents(logging.FinishCall))))
	healthpb.RegisterHealthServer(server, slow{})
	go server.Serve(listener)
	conn, err := grpc.NewClient("unix:"+os.Args[1], grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		panic(err)
	}
	_, err = healthpb.NewHealthClient(conn).Check(context.Background(), &healthpb.HealthCheckRequest{})
	fmt.Println("the client says:", status.Code(err))
	server.GracefulStop()
	families, err := registry.Gather()
	if err != nil {
		panic(err)
	}
	for _, family := range families {
		if family.GetName() == "grpc_server_handled_total" {
			fmt.Println("the counter says:", family.GetMetric()[0].GetLabel()[0].GetValue())
		}
	}
}
GO
verdict 'all three say DeadlineExceeded' '^the log says: Unknown$' "$("$work/probe" "$work/s" 2>&1)"
