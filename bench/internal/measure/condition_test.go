package measure

import (
	"strings"
	"testing"
)

// What a row is called is how a reader finds it, and how -only does.
func TestEveryWorkloadUnderEveryConditionHasNamesOfItsOwn(t *testing.T) {
	names, ids := map[string]bool{}, map[string]bool{}
	for _, w := range All() {
		if names[w.Name] {
			t.Errorf("two workloads are called %s", w.Name)
		}
		names[w.Name] = true
		for _, m := range w.Metrics {
			if ids[m.ID] {
				t.Errorf("two metrics are called %s", m.ID)
			}
			ids[m.ID] = true
			if m.ID != w.Name && !strings.HasPrefix(m.ID, w.Name+"/") {
				t.Errorf("the metric %s does not begin with the name of its workload, %s", m.ID, w.Name)
			}
		}
	}
	for _, name := range []string{"unary", "unary@one-core", "ping-pong@busy", "unary-1MiB@gomaxprocs-1"} {
		if !names[name] {
			t.Errorf("no workload is called %s", name)
		}
	}
	if got, want := len(names), len(single())*(1+len(conditions())); got != want {
		t.Errorf("there are %d workloads, want %d", got, want)
	}
}
