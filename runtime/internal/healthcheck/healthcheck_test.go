package healthcheck_test

import (
	"context"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/udsgrpc/udsgrpc/runtime/internal/fixture"
	"github.com/udsgrpc/udsgrpc/runtime/internal/healthcheck"
)

// watcher is the stream of a watch.
type watcher struct {
	healthv1.Health_WatchServer
	ctx  context.Context
	sent chan healthv1.HealthCheckResponse_ServingStatus
}

func (w watcher) Context() context.Context { return w.ctx }

func (w watcher) Send(r *healthv1.HealthCheckResponse) error {
	w.sent <- r.GetStatus()
	return nil
}

// next returns the next status that is sent.
func (w watcher) next(t *testing.T) healthv1.HealthCheckResponse_ServingStatus {
	t.Helper()
	select {
	case s := <-w.sent:
		return s
	case <-time.After(fixture.Guard):
		t.Fatal("no status is sent")
		return 0
	}
}

func watch(ctx context.Context, s *healthcheck.Server) (watcher, <-chan error) {
	w := watcher{ctx: ctx, sent: make(chan healthv1.HealthCheckResponse_ServingStatus, 10)}
	done := make(chan error, 1)
	go func() { done <- s.Watch(&healthv1.HealthCheckRequest{Service: "a.A"}, w) }()
	return w, done
}

func TestWatchEndsWhenTheServerDrains(t *testing.T) {
	t.Parallel()
	draining := make(chan struct{})
	s := healthcheck.New(draining)
	s.SetAll(healthv1.HealthCheckResponse_SERVING, map[string]grpc.ServiceInfo{"a.A": {}})
	w, done := watch(t.Context(), s)
	if got := w.next(t); got != healthv1.HealthCheckResponse_SERVING {
		t.Errorf("the status is %v", got)
	}
	close(draining)
	if got := w.next(t); got != healthv1.HealthCheckResponse_NOT_SERVING {
		t.Errorf("at the drain the status is %v", got)
	}
	if err := <-done; status.Code(err) != codes.Unavailable {
		t.Errorf("Watch returned %v", err)
	}
}

func TestWatchOfAClientThatLeavesIsCanceled(t *testing.T) {
	t.Parallel()
	s := healthcheck.New(make(chan struct{}))
	ctx, cancel := context.WithCancel(t.Context())
	w, done := watch(ctx, s)
	if got := w.next(t); got != healthv1.HealthCheckResponse_SERVICE_UNKNOWN {
		t.Errorf("the status is %v", got)
	}
	cancel()
	if err := <-done; status.Code(err) != codes.Canceled {
		t.Errorf("Watch returned %v", err)
	}
}

func TestStatusOfAllServicesIsTheSame(t *testing.T) {
	t.Parallel()
	s := healthcheck.New(nil)
	s.SetAll(healthv1.HealthCheckResponse_NOT_SERVING, map[string]grpc.ServiceInfo{"a.A": {}, "b.B": {}})
	for _, name := range []string{"", "a.A", "b.B"} {
		r, err := s.Check(t.Context(), &healthv1.HealthCheckRequest{Service: name})
		if err != nil || r.GetStatus() != healthv1.HealthCheckResponse_NOT_SERVING {
			t.Errorf("the status of %q is %v, %v", name, r.GetStatus(), err)
		}
	}
}
