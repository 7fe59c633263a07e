// Package telemetry makes what both programs need to trace and measure their calls.
package telemetry

import (
	"context"
	"errors"
	"fmt"
	"io"

	"go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc"
	"go.opentelemetry.io/otel/exporters/stdout/stdoutmetric"
	"go.opentelemetry.io/otel/exporters/stdout/stdouttrace"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.30.0"
)

// Telemetry has the providers of one process. They are passed on by hand, as those that otel
// keeps for the whole process would be the same for every server and client in it.
type Telemetry struct {
	traces  *trace.TracerProvider
	metrics *metric.MeterProvider
}

// New returns a Telemetry that writes JSON to w. A real program gives an OTLP exporter instead;
// nothing else changes.
func New(service string, w io.Writer) (*Telemetry, error) {
	spans, err := stdouttrace.New(stdouttrace.WithWriter(w))
	if err != nil {
		return nil, fmt.Errorf("exporter of spans: %w", err)
	}
	measurements, err := stdoutmetric.New(stdoutmetric.WithWriter(w))
	if err != nil {
		return nil, fmt.Errorf("exporter of metrics: %w", err)
	}
	who := resource.NewSchemaless(semconv.ServiceName(service))
	return &Telemetry{
		traces:  trace.NewTracerProvider(trace.WithResource(who), trace.WithBatcher(spans)),
		metrics: metric.NewMeterProvider(metric.WithResource(who), metric.WithReader(metric.NewPeriodicReader(measurements))),
	}, nil
}

// Span runs f within a span of its own.
func (t *Telemetry) Span(ctx context.Context, name string, f func(context.Context) error) error {
	ctx, span := t.traces.Tracer("github.com/udsgrpc/udsgrpc/examples/more/observability").Start(ctx, name)
	defer span.End()
	return f(ctx)
}

// Options are for otelgrpc's handlers, of servers and of clients.
func (t *Telemetry) Options() []otelgrpc.Option {
	return []otelgrpc.Option{
		otelgrpc.WithTracerProvider(t.traces),
		otelgrpc.WithMeterProvider(t.metrics),
		// What carries the trace from the client to the server, in the call's metadata.
		otelgrpc.WithPropagators(propagation.TraceContext{}),
	}
}

// Shutdown writes what has not been written yet; without it the last spans are lost.
func (t *Telemetry) Shutdown(ctx context.Context) error {
	return errors.Join(t.traces.Shutdown(ctx), t.metrics.Shutdown(ctx))
}
