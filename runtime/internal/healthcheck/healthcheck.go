// Package healthcheck serves grpc.health.v1 as grpc's own health server does, except that watches, which
// have no end of their own, end when the server drains instead of delaying the drain.
//
// Each watch has one goroutine besides its handler's, which ends with it.
package healthcheck

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
)

// Server is the service. Its methods may be called concurrently.
type Server struct {
	*health.Server
	draining <-chan struct{}
}

// New returns the service for a server; draining is closed when that drains.
func New(draining <-chan struct{}) *Server { return &Server{health.NewServer(), draining} }

// SetAll sets the same status for "" and all services. It does nothing after Shutdown.
func (s *Server) SetAll(status healthv1.HealthCheckResponse_ServingStatus, services map[string]grpc.ServiceInfo) {
	s.SetServingStatus("", status)
	for name := range services {
		s.SetServingStatus(name, status)
	}
}

// Watch ends with codes.Unavailable when the server drains, after it has sent NOT_SERVING.
func (s *Server) Watch(req *healthv1.HealthCheckRequest, stream healthv1.Health_WatchServer) error {
	ctx, cancel := context.WithCancel(stream.Context())
	defer cancel()
	go func() { // ends with Watch
		select {
		case <-s.draining:
			cancel()
		case <-ctx.Done():
		}
	}()
	w := &watchStream{Health_WatchServer: stream, ctx: ctx}
	err := s.Server.Watch(req, w)
	if ctx.Err() == nil || stream.Context().Err() != nil {
		return err
	}
	const notServing = healthv1.HealthCheckResponse_NOT_SERVING
	if w.last != notServing {
		if err := stream.Send(&healthv1.HealthCheckResponse{Status: notServing}); err != nil {
			return err
		}
	}
	return status.Error(codes.Unavailable, "the server drains")
}

// watchStream is the stream of a watch, with a context that ends when the server drains.
type watchStream struct {
	healthv1.Health_WatchServer
	ctx  context.Context
	last healthv1.HealthCheckResponse_ServingStatus // that was sent
}

func (w *watchStream) Context() context.Context { return w.ctx }

func (w *watchStream) Send(r *healthv1.HealthCheckResponse) error {
	w.last = r.GetStatus()
	return w.Health_WatchServer.Send(r)
}
