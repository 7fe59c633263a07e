package runtime

import (
	"context"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
)

// healthService is grpc's, except that its watches, which have no end of their own, do not delay a drain.
type healthService struct{ *health.Server }

// Watch ends with codes.Unavailable when the server drains, after it has sent that status.
func (h healthService) Watch(req *healthv1.HealthCheckRequest, stream healthv1.Health_WatchServer) error {
	draining := DrainingFromContext(stream.Context())
	ctx, cancel := context.WithCancel(stream.Context())
	defer cancel()
	go func() { // ends with Watch
		select {
		case <-draining:
			cancel()
		case <-ctx.Done():
		}
	}()
	w := &watchStream{Health_WatchServer: stream, ctx: ctx}
	err := h.Server.Watch(req, w)
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

// setHealth sets the same status for all services. It does nothing once the server drains.
func (s *Server) setHealth(status healthv1.HealthCheckResponse_ServingStatus) {
	if s.health == nil {
		return
	}
	s.health.SetServingStatus("", status)
	for name := range s.grpc.GetServiceInfo() {
		s.health.SetServingStatus(name, status)
	}
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
