package interop

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

var speed = flag.String("speed", "", "measure the speed of clients in other languages and write it to this file")

const (
	speedRounds = 7
	speedWarmup = 1500 * time.Millisecond
	speedWindow = 400 * time.Millisecond
	speedBound  = 0.8 // of a server of the client's own language
)

// The servers that each client calls.
const (
	thisServer = iota
	ownServer
	plainServer // grpc-go and nothing else, which speaks HTTP/2 in this project's server
	speedServers
)

// speedRow is what one client is like with this project's server, as ratios to a server of its own language
// over the same kind of socket: above one, this project's is faster.
type speedRow struct {
	name, version string
	latency, rate []float64
	median, calls [speedServers]float64 // for readers who want numbers
}

// TestSpeed measures one language after another, none beside another.
func TestSpeed(t *testing.T) {
	if *speed == "" {
		t.Skip("it needs a quiet machine: make bench LANGUAGES=1")
	}
	var rows []speedRow
	for _, l := range languages() {
		t.Run(l.name, func(t *testing.T) {
			c := &cell{T: t}
			row := c.measure(l)
			rows = append(rows, row)
			for what, ratios := range map[string][]float64{"one caller": row.latency, "64 callers": row.rate} {
				if got := middle(ratios); got < speedBound && l.fastServer == "" {
					t.Errorf("%s: %.2f times as fast as with a server in its own language, want %.2f", what, got, speedBound)
				}
			}
		})
	}
	if err := writeSpeed(*speed, rows); err != nil {
		t.Fatal(err)
	}
}

// measure has clients of both servers take turns.
func (c *cell) measure(l language) speedRow {
	client, server := l.client(c), l.server(c)
	row := speedRow{name: l.name, version: c.version}
	paths := [speedServers]string{socketPath(c), socketPath(c), socketPath(c)}
	c.startOurs(paths[thisServer])
	c.startServer(paths[ownServer], server(context.Background(), paths[ownServer]))
	c.says(c.start(child(context.Background(), c, "plain", paths[plainServer])), "serving\n")
	var lone, many [speedServers]*told
	for i, path := range paths {
		lone[i] = c.tell(client(c.Context(), path, "load", "1"))
		many[i] = c.tell(client(c.Context(), path, "load", "64"))
		c.window(lone[i], speedWarmup)
		c.window(many[i], speedWarmup)
	}
	var medians, rates [speedServers][]float64
	for round := range speedRounds {
		for turn := range speedServers {
			i := (round + turn) % speedServers
			medians[i] = append(medians[i], c.window(lone[i], speedWindow).Median)
		}
		for turn := range speedServers {
			i := (round + turn) % speedServers
			got := c.window(many[i], speedWindow)
			rates[i] = append(rates[i], float64(got.Calls)/got.Seconds)
		}
		row.latency = append(row.latency, medians[ownServer][round]/medians[thisServer][round])
		row.rate = append(row.rate, rates[thisServer][round]/rates[ownServer][round])
	}
	for i := range speedServers {
		row.median[i], row.calls[i] = middle(medians[i]), middle(rates[i])
	}
	return row
}

// window has a client call for a while, and returns what came of it.
func (c *cell) window(t *told, d time.Duration) tally {
	c.Helper()
	before := strings.Count(t.log.String(), "\n")
	c.line(t, strconv.FormatInt(d.Milliseconds(), 10))
	var got tally
	c.waitFor("a client to call", func() bool {
		lines := strings.SplitAfter(t.log.String(), "\n")
		for _, line := range lines[before:] {
			if strings.HasPrefix(line, "{") && strings.HasSuffix(line, "\n") {
				if err := json.Unmarshal([]byte(line), &got); err != nil {
					c.Fatalf("%v: %s", err, line)
				}
				return true
			}
		}
		return false
	})
	if got.Failed > 0 || got.Calls == 0 {
		c.Fatalf("%v: %s", got, got.Text)
	}
	return got
}

func middle(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}

func writeSpeed(path string, rows []speedRow) error {
	var b strings.Builder
	fmt.Fprintf(&b, `# Clients in other languages

Each client calls this project's server and a server in its own language, over the same kind of socket, in turns.
The ratios are of %d rounds, and in brackets the lowest and the highest: above 1, this project's server is the
faster one. Messages are of 64 bytes there and back. %s.

This file is written by `+"`make bench LANGUAGES=1`"+`; do not edit it.

| client | version | one caller | 64 callers | µs of a call: this, its own, grpc-go | calls in a second of 64 callers: this, its own, grpc-go |
| --- | --- | --- | --- | --- | --- |
`, speedRounds, system())
	for _, r := range rows {
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %.0f, %.0f, %.0f | %.0f, %.0f, %.0f |\n", r.name, cellText(r.version),
			spread(r.latency), spread(r.rate), r.median[thisServer]*1e6, r.median[ownServer]*1e6, r.median[plainServer]*1e6,
			r.calls[thisServer], r.calls[ownServer], r.calls[plainServer])
	}
	for _, l := range languages() {
		if l.fastServer != "" {
			fmt.Fprintf(&b, "\n%s: %s\n", l.name, l.fastServer)
		}
	}
	return os.WriteFile(path, []byte(b.String()), 0o644)
}

func spread(ratios []float64) string {
	return fmt.Sprintf("%.2f (%.2f–%.2f)", middle(ratios), slices.Min(ratios), slices.Max(ratios))
}
