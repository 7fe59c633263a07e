package udsprometheus

import (
	"path/filepath"
	"reflect"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/udsgrpc/udsgrpc/runtime"
)

// fill sets every number in v, a struct of structs of numbers, to one of its own, from n on, and returns the next.
func fill(t *testing.T, v reflect.Value, n int64) (next int64) {
	t.Helper()
	for _, field := range v.Fields() {
		switch field.Kind() {
		case reflect.Int64:
			field.SetInt(n)
			n++
		case reflect.Struct:
			n = fill(t, field, n)
		default:
			t.Fatalf("%v has a %v", v.Type(), field.Type())
		}
	}
	return n
}

// check fails the test unless each number of the stats is shown once, and as Prometheus's conventions have it.
func check[Stats any](t *testing.T, counters []counter[Stats]) {
	t.Helper()
	var stats Stats
	const first = 1001
	next := fill(t, reflect.ValueOf(&stats).Elem(), first)
	c := newCollector("udsgrpc_", prometheus.Labels{"socket": "/run/app.sock"}, counters, func() Stats { return stats })
	problems, err := testutil.CollectAndLint(c)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(c)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	shown := map[int64]int{}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			shown[int64(m.GetCounter().GetValue())]++
		}
	}
	for n := int64(first); n < next; n++ {
		if shown[n] != 1 {
			t.Errorf("number %d of %T is shown %d times", n-first+1, stats, shown[n])
		}
	}
	if int64(len(shown)) != next-first {
		t.Errorf("%d numbers are shown, of %d", len(shown), next-first)
	}
}

func TestEveryNumberIsShown(t *testing.T) {
	t.Parallel()
	check(t, serverCounters)
	check(t, clientCounters)
}

func TestServersAndClientsAreToldApart(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewPedanticRegistry()
	dir := t.TempDir()
	for _, name := range []string{"a", "b"} {
		path := filepath.Join(dir, name)
		srv, err := runtime.NewServer(path)
		if err != nil {
			t.Fatal(err)
		}
		defer srv.Close()
		conn, err := runtime.Dial("unix:" + path)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		for _, c := range []prometheus.Collector{NewServerCollector(srv), NewClientCollector(conn)} {
			if err := registry.Register(c); err != nil {
				t.Error(err)
			}
		}
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	sockets := map[string]int{}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			for _, label := range m.GetLabel() {
				if label.GetName() == "socket" {
					sockets[label.GetValue()]++
				}
			}
		}
	}
	a, b := sockets[filepath.Join(dir, "a")], sockets[filepath.Join(dir, "b")]
	if a == 0 || a != b || len(sockets) != 2 {
		t.Errorf("the metrics by socket are %v", sockets)
	}
}
