#!/usr/bin/env bash
# otlptracegrpc (OpenTelemetry for Go): WithEndpointURL loses a Unix socket that the environment's setting reaches.
#
# Surprise: OTEL_EXPORTER_OTLP_ENDPOINT=unix:///path exports to a collector on that socket, and so does WithEndpoint.
# WithEndpointURL with the same text keeps the empty host only: New returns no error, and every export
# waits for its deadline on the address "". Its comment says that a path is ignored, though also that the variable
# is used in its place.
# Who meets it: daemons that get the collector's address from a setting of their own and hand it on.
# Seen since: otlptracegrpc 1.47.0.
# Source: WithEndpointURL beside the reading of the environment in
# https://github.com/open-telemetry/opentelemetry-go/tree/exporters/otlp/otlptrace/otlptracegrpc/v1.47.0/exporters/otlp/otlptrace/otlptracegrpc/internal/otlpconfig
source "$(dirname "$0")/common.bash"

go_program go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc@v1.47.0 go.opentelemetry.io/otel/sdk@v1.47.0 \
	google.golang.org/grpc@v1.85.0 <<'GO'
package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"time"

	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/grpc"
)

type accept struct {
	collector.UnimplementedTraceServiceServer
}

func (accept) Export(context.Context, *collector.ExportTraceServiceRequest) (*collector.ExportTraceServiceResponse, error) {
	return &collector.ExportTraceServiceResponse{}, nil
}

func export(name string, options ...otlptracegrpc.Option) {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	exporter, err := otlptracegrpc.New(ctx, options...)
	if err != nil {
		fmt.Printf("%s: New: %v\n", name, err)
		return
	}
	if err := exporter.ExportSpans(ctx, tracetest.SpanStubs{{Name: "span"}}.Snapshots()); err != nil {
		fmt.Printf("%s: export fails: %v\n", name, err)
		return
	}
	fmt.Printf("%s: exported\n", name)
}

func main() {
	listener, err := net.Listen("unix", os.Args[1])
	if err != nil {
		panic(err)
	}
	server := grpc.NewServer()
	collector.RegisterTraceServiceServer(server, accept{})
	go server.Serve(listener)

	url := "unix://" + os.Args[1]
	os.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", url)
	export("the environment")
	os.Unsetenv("OTEL_EXPORTER_OTLP_ENDPOINT")
	export("WithEndpoint", otlptracegrpc.WithEndpoint(url), otlptracegrpc.WithInsecure())
	export("WithEndpointURL", otlptracegrpc.WithEndpointURL(url))
}
GO
verdict 'all three export' '^WithEndpointURL: export fails: .*invalid target address ""' "$("$work/probe" "$work/s" 2>&1)"
