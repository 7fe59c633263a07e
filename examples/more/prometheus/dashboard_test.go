package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/udsgrpc/udsgrpc/runtime"
	"github.com/udsgrpc/udsgrpc/udsprometheus"
)

// metrics returns the labels of every metric that the collectors of a server and a client have.
func metrics(t *testing.T) map[string][]string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s")
	srv, err := runtime.NewServer(path)
	if err != nil {
		t.Fatal(err)
	}
	defer srv.Close()
	conn, err := runtime.Dial(path)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	registry := prometheus.NewRegistry()
	registry.MustRegister(udsprometheus.NewServerCollector(srv), udsprometheus.NewClientCollector(conn))
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	found := map[string][]string{}
	for _, family := range families {
		names := []string{"job", "instance"} // which Prometheus adds
		for _, label := range family.GetMetric()[0].GetLabel() {
			names = append(names, label.GetName())
		}
		found[family.GetName()] = names
	}
	return found
}

// The dashboard asks for what there is, and for all of it.
func TestDashboardFitsTheCollectors(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../../udsprometheus/dashboard.json")
	if err != nil {
		t.Fatal(err)
	}
	var dashboard struct {
		Panels []struct {
			ID      int
			Title   string
			GridPos struct{ X, Y, W, H int }
			Targets []struct{ Expr string }
		}
		Templating struct{ List []struct{ Name string } }
	}
	if err := json.Unmarshal(text, &dashboard); err != nil {
		t.Fatal(err)
	}
	// What Grafana fills in.
	replacements := []string{"$__rate_interval", "5m"}
	for _, variable := range dashboard.Templating.List {
		replacements = append(replacements, "$"+variable.Name, ".*")
	}
	fillIn := strings.NewReplacer(replacements...)
	promql := parser.NewParser(parser.Options{})
	there, shown := metrics(t), map[string]bool{}
	ids := map[int]bool{}
	for _, panel := range dashboard.Panels {
		if ids[panel.ID] {
			t.Errorf("two panels have the id %d", panel.ID)
		}
		ids[panel.ID] = true
		if panel.GridPos.X+panel.GridPos.W > 24 {
			t.Errorf("panel %q ends at column %d, of 24", panel.Title, panel.GridPos.X+panel.GridPos.W)
		}
		for _, target := range panel.Targets {
			expr, err := promql.ParseExpr(fillIn.Replace(target.Expr))
			if err != nil {
				t.Errorf("panel %q: %v", panel.Title, err)
				continue
			}
			parser.Inspect(expr, func(node parser.Node, path []parser.Node) error {
				switch node := node.(type) {
				case *parser.VectorSelector:
					names, ok := there[node.Name]
					if !ok {
						t.Errorf("panel %q asks for %s, which there is not", panel.Title, node.Name)
					}
					shown[node.Name] = true
					for _, matcher := range node.LabelMatchers {
						if matcher.Name != "__name__" && !slices.Contains(names, matcher.Name) {
							t.Errorf("panel %q asks for the label %s, which %s has not", panel.Title, matcher.Name, node.Name)
						}
					}
				case *parser.AggregateExpr:
					for _, selector := range parser.ExtractSelectors(node) {
						for _, label := range node.Grouping {
							if name := selector[slices.IndexFunc(selector, func(m *labels.Matcher) bool { return m.Name == "__name__" })].Value; !slices.Contains(there[name], label) {
								t.Errorf("panel %q groups by the label %s, which %s has not", panel.Title, label, name)
							}
						}
					}
				}
				return nil
			})
		}
	}
	for name := range there {
		if !shown[name] {
			t.Errorf("no panel shows %s", name)
		}
	}
}
