// Package measure says what is measured, and measures it.
package measure

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/udsgrpc/udsgrpc/bench/internal/load"
	"github.com/udsgrpc/udsgrpc/bench/internal/peer"
	"github.com/udsgrpc/udsgrpc/bench/internal/result"
)

// Workload is something that every peer is made to do, in processes started for it.
type Workload struct {
	Name    string
	Metrics []result.Metric // what comes of it

	kind load.Kind // of its calls
	base string    // the name of the workload that it is under a condition; empty if it is under none

	// values returns one value for each metric.
	values func(context.Context, *run) ([]float64, error)
}

const (
	small    = 64
	large    = 1 << 20
	huge     = 64 << 20
	deadline = 5 * time.Second
)

// crowd are the numbers of idle clients, and of services, with which a call is timed.
func crowd() []int { return []int{1, 10, 100, 1000} }

// Workloads returns the workloads that are measured if nobody asks for some by name, in the order in which
// they are shown.
func Workloads() []Workload {
	return slices.DeleteFunc(All(), func(w Workload) bool { return w.Conditional() && !shown(w.base) })
}

// single returns the workloads on a machine that does nothing else.
func single() []Workload {
	return []Workload{
		oneCaller("unary", "Unary call, 64 B, one caller", load.Spec{Kind: load.Unary, Size: small}),
		oneCaller("unary-deadline", "Unary call, 64 B, one caller, deadline of 5 s", load.Spec{Kind: load.Unary, Size: small, Deadline: deadline}),
		throughput("unary-64-callers", "Unary calls, 64 B, 64 callers", "calls/s", load.Spec{Kind: load.Unary, Size: small, Callers: 64}),
		throughput("unary-1000-callers", "Unary calls, 64 B, 1,000 callers", "calls/s", load.Spec{Kind: load.Unary, Size: small, Callers: 1000}),
		throughput("unary-1MiB", "Unary echo of 1 MiB, one caller", "MiB/s", load.Spec{Kind: load.Unary, Size: large}),
		roundTrip("ping-pong", "Bidirectional stream, 64 B there and back", load.Spec{Kind: load.PingPong, Size: small}),
		throughput("server-stream", "Server stream of 64 B", "messages/s", load.Spec{Kind: load.ServerStream, Size: small}),
		throughput("client-stream", "Client stream of 64 B", "messages/s", load.Spec{Kind: load.ClientStream, Size: small}),
		roundTrip("dial", "From dial to the first reply", load.Spec{Kind: load.Dial, Size: small}),
		herd(800),
		idle(),
		services(),
		files(),
		memory(),
	}
}

// oneCaller takes the time and the cost of calls made one after another.
func oneCaller(name, title string, spec load.Spec) Workload {
	return Workload{
		Name: name,
		kind: spec.Kind,
		Metrics: []result.Metric{
			{ID: name + "/p50", Title: title + ": p50", Unit: "µs"},
			{ID: name + "/p99", Title: title + ": p99", Unit: "µs"},
			{ID: name + "/cpu", Title: title + ": CPU of both processes", Unit: "µs/call"},
			{ID: name + "/allocs", Title: title + ": allocations of both processes", Unit: "allocs/call"},
		},
		values: func(ctx context.Context, r *run) ([]float64, error) {
			res, cost, err := r.measure(ctx, spec)
			calls := float64(res.Calls)
			return []float64{micros(res.P50), micros(res.P99), micros(cost.CPU) / calls, float64(cost.Mallocs) / calls}, err
		},
	}
}

// throughput counts what is done in a second: calls, which are MiB when each carries one, or messages.
func throughput(name, title, unit string, spec load.Spec) Workload {
	return Workload{
		Name:    name,
		kind:    spec.Kind,
		Metrics: []result.Metric{{ID: name, Title: title, Unit: unit, MoreIsBetter: true}},
		values: func(ctx context.Context, r *run) ([]float64, error) {
			res, _, err := r.measure(ctx, spec)
			return []float64{float64(res.Calls) / res.Elapsed.Seconds()}, err
		},
	}
}

// roundTrip takes the time of each round trip.
func roundTrip(name, title string, spec load.Spec) Workload {
	return Workload{
		Name:    name,
		kind:    spec.Kind,
		Metrics: []result.Metric{{ID: name + "/p50", Title: title + ": p50", Unit: "µs"}},
		values: func(ctx context.Context, r *run) ([]float64, error) {
			res, _, err := r.measure(ctx, spec)
			return []float64{micros(res.P50)}, err
		},
	}
}

// herd takes the time to the first reply of callers that begin together on a fresh client.
func herd(callers int) Workload {
	title := fmt.Sprintf("%d callers begin together on a fresh client: first reply", callers)
	return Workload{
		Name: "herd",
		kind: load.Herd,
		Metrics: []result.Metric{
			{ID: "herd/p99", Title: title + ": p99", Unit: "ms"},
			{ID: "herd/max", Title: title + ": the last", Unit: "ms"},
		},
		values: func(ctx context.Context, r *run) ([]float64, error) {
			res, _, err := r.measure(ctx, load.Spec{Kind: load.Herd, Size: small, Callers: callers})
			return []float64{micros(res.P99) / 1e3, micros(res.Max) / 1e3}, err
		},
	}
}

// idle takes the time of calls while more and more other clients are connected, and then what
// these have cost the server.
func idle() Workload {
	w := Workload{Name: "idle", kind: load.Unary}
	for _, n := range crowd() {
		w.Metrics = append(w.Metrics, result.Metric{
			ID:    fmt.Sprintf("idle/p50-%d", n),
			Title: fmt.Sprintf("Unary call, 64 B, idle clients: %d: p50", n),
			Unit:  "µs",
		})
	}
	w.Metrics = append(w.Metrics,
		result.Metric{ID: "idle/heap", Title: "Server's heap and stacks per idle client, of 1,000", Unit: "KiB"},
		result.Metric{ID: "idle/rss", Title: "Server's resident memory per idle client, of 1,000", Unit: "KiB"},
		result.Metric{ID: "idle/fds", Title: "Server's file descriptors per idle client, of 1,000", Unit: "fds"})
	w.values = func(ctx context.Context, r *run) ([]float64, error) {
		return r.idle(ctx, load.Spec{Kind: load.Unary, Size: small}, crowd())
	}
	return w
}

// services takes the time of calls to servers with more and more services.
func services() Workload {
	w := Workload{Name: "services", kind: load.Unary}
	for _, n := range crowd() {
		w.Metrics = append(w.Metrics, result.Metric{
			ID:    fmt.Sprintf("services/p50-%d", n),
			Title: fmt.Sprintf("Unary call, 64 B, registered services: %d: p50", n),
			Unit:  "µs",
		})
	}
	w.values = func(ctx context.Context, r *run) ([]float64, error) {
		var values []float64
		for _, n := range crowd() {
			r.services = n
			res, _, err := r.measure(ctx, load.Spec{Kind: load.Unary, Size: small})
			if err != nil {
				return nil, err
			}
			values = append(values, micros(res.P50))
		}
		return values, nil
	}
	return w
}

// files takes the time of calls with open files, and compares it with that of the same calls without.
func files() Workload {
	const title = "Unary call, 64 B, open files: "
	w := Workload{Name: peer.FilesWorkload, kind: load.Files}
	var specs []load.Spec
	for _, n := range []int{0, 1, 16} {
		specs = append(specs, load.Spec{Kind: load.Files, Size: small, Files: n})
		w.Metrics = append(w.Metrics, result.Metric{ID: fmt.Sprintf("files/p50-%d", n), Title: fmt.Sprintf("%s%d: p50", title, n), Unit: "µs"})
	}
	for _, s := range specs[1:] {
		w.Metrics = append(w.Metrics, result.Metric{
			ID:    fmt.Sprintf("files/ratio-%d", s.Files),
			Title: fmt.Sprintf("%s%d, against none: p50", title, s.Files),
			Unit:  "ratio",
		})
	}
	w.values = func(ctx context.Context, r *run) ([]float64, error) {
		r.files = true
		return r.paired(ctx, specs, func(res load.Result) float64 { return micros(res.P50) })
	}
	return w
}

// memory takes how fast a server adds up what it gets in messages and in a memory file, and compares these.
func memory() Workload {
	const title = "64 MiB that the server adds up, "
	specs := []load.Spec{{Kind: load.SumMessages, Size: huge}, {Kind: load.SumMemory, Size: huge}}
	return Workload{
		Name: peer.MemoryWorkload,
		kind: load.SumMemory,
		Metrics: []result.Metric{
			{ID: "memory/messages", Title: title + "in messages of 1 MiB", Unit: "MiB/s", MoreIsBetter: true},
			{ID: "memory/file", Title: title + "in a memory file", Unit: "MiB/s", MoreIsBetter: true},
			{ID: "memory/ratio", Title: title + "in a memory file, against messages", Unit: "ratio", MoreIsBetter: true},
		},
		values: func(ctx context.Context, r *run) ([]float64, error) {
			r.files = true
			return r.paired(ctx, specs, func(res load.Result) float64 {
				return float64(res.Calls) * huge / (1 << 20) / res.Elapsed.Seconds()
			})
		},
	}
}

func micros(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e3 }
