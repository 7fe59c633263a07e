package report_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/udsgrpc/udsgrpc/bench/internal/report"
	"github.com/udsgrpc/udsgrpc/bench/internal/result"
)

// sample has a peer that is behind and noisy, one that is ahead, and one that lacks something.
func sample() *result.Set {
	set := &result.Set{
		Facts: []result.Fact{{Name: "cores", Value: "2"}},
		Peers: []result.Peer{
			{Name: "raw", Settings: "the limit"},
			{Name: "ttrpc", Module: "example.com/ttrpc", Version: "v1.2.3", Settings: "defaults"},
			{Name: "drpc", Settings: "defaults"},
			{Name: "udsgrpc", Settings: "defaults"},
		},
		Metrics: []result.Metric{
			{ID: "unary/p50", Title: "Unary", Unit: "µs"},
			{ID: "server-stream", Title: "Stream", Unit: "messages/s", MoreIsBetter: true},
			{ID: "files/p50-1", Title: "Files", Unit: "µs"},
		},
	}
	add := func(metric, peer string, values ...float64) {
		for _, v := range values {
			set.Add(metric, peer, v)
		}
	}
	add("unary/p50", "raw", 5, 5, 5)
	add("unary/p50", "ttrpc", 20, 40, 80)
	add("unary/p50", "drpc", 8, 8, 8)
	add("unary/p50", "udsgrpc", 10, 10, 10.4)
	set.Lack("server-stream", "raw", "it has no streams")
	add("server-stream", "ttrpc", 1234567, 1234567, 1234567)
	add("server-stream", "drpc", 1000, 1000, 1000)
	add("server-stream", "udsgrpc", 2000, 2000, 2000)
	for _, peer := range []string{"raw", "ttrpc", "drpc"} {
		set.Lack("files/p50-1", peer, "bytes only")
	}
	add("files/p50-1", "udsgrpc", 12, 12, 12)
	return set
}

func TestMarkdown(t *testing.T) {
	var b strings.Builder
	if err := report.Markdown(&b, sample()); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"The median of 3 rounds",
		"| Unary | µs | 5.00 (5.00–5.00) | 40.0 (20.0–80.0) ~ | **8.00** (8.00–8.00) | 10.0 (10.0–10.4) |",
		"| Stream | messages/s | — | **1,230,000** (1,230,000–1,230,000) | 1,000 (1,000–1,000) | 2,000 (2,000–2,000) |",
		"| Files | µs | — | — | — | **12.0** (12.0–12.0) |",
		"- raw: it has no streams",
		"- ttrpc: bytes only",
		"| Unary | less | — | 0.25 (0.13–0.50) ~ | **1.25** (1.25–1.30) | **2.00** (2.00–2.08) |",
		"| Stream | more | — | **0.00** (0.00–0.00) | 2.00 (2.00–2.00) | — |",
		"too noisy to tell",
		"- Unary, against ttrpc\n",
		"- **ttrpc** (`example.com/ttrpc` v1.2.3): defaults",
		"- cores: 2",
		"](chart.svg)",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("the report lacks %q", want)
		}
	}
	if strings.Contains(b.String(), "| Files | less |") {
		t.Error("there is a row of ratios to peers of which none has a value")
	}
	if t.Failed() {
		t.Log(b.String())
	}
}

func TestCSV(t *testing.T) {
	var b strings.Builder
	if err := report.CSV(&b, sample()); err != nil {
		t.Fatal(err)
	}
	if want := "unary/p50,µs,udsgrpc,3,10.4\n"; !strings.Contains(b.String(), want) {
		t.Errorf("got\n%s\nwithout %q", b.String(), want)
	}
}

func TestChartSaysHowToReadIt(t *testing.T) {
	var b strings.Builder
	if err := report.SVG(&b, sample()); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"p50, µs (less is better)<",
		"Server stream, messages/s (more is better)<",
		"font-family:'Liberation Sans',Arial,",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("the chart lacks %q", want)
		}
	}
}

func TestWriteMakesTheDirectory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	if err := report.Write(dir, sample()); err != nil {
		t.Fatal(err)
	}
	for name, start := range map[string]string{
		"results.json": "{", "results.csv": "metric,", "README.md": "# Benchmarks", report.Chart: "<?xml",
	} {
		got, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil || !bytes.HasPrefix(got, []byte(start)) {
			t.Errorf("%s begins with %.20q, %v; want %q", name, got, err, start)
		}
	}
}
