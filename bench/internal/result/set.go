// Package result keeps what was measured and compares it.
package result

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
)

// Metric is one number that is measured of each peer.
type Metric struct {
	ID           string `json:"id"`
	Title        string `json:"title"`
	Unit         string `json:"unit"`
	MoreIsBetter bool   `json:"more_is_better,omitempty"`
}

// Cell is one metric of one peer: its value in each round, or why there is none.
type Cell struct {
	Metric string    `json:"metric"`
	Peer   string    `json:"peer"`
	Rounds []float64 `json:"rounds,omitempty"`
	Lacks  string    `json:"lacks,omitempty"`
}

// Peer describes a peer as it was measured.
type Peer struct {
	Name     string `json:"name"`
	Module   string `json:"module,omitempty"`
	Version  string `json:"version,omitempty"`
	Settings string `json:"settings"`

	// Counterpart is the peer that this one is in another revision, from which it was built; empty for
	// a peer of the program that has measured.
	Counterpart string `json:"counterpart,omitempty"`
}

// Fact is something about the run or the machine that a reader wants to know.
type Fact struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Set is everything that a run has found out.
type Set struct {
	Facts   []Fact   `json:"facts"`
	Peers   []Peer   `json:"peers"`
	Metrics []Metric `json:"metrics"`
	Cells   []Cell   `json:"cells"`
}

// Add adds the value of the next round.
func (s *Set) Add(metric, peer string, value float64) {
	c := s.cell(metric, peer)
	c.Rounds = append(c.Rounds, value)
}

// Lack notes why a peer has no value.
func (s *Set) Lack(metric, peer, why string) { s.cell(metric, peer).Lacks = why }

func (s *Set) cell(metric, peer string) *Cell {
	i := slices.IndexFunc(s.Cells, func(c Cell) bool { return c.Metric == metric && c.Peer == peer })
	if i < 0 {
		i = len(s.Cells)
		s.Cells = append(s.Cells, Cell{Metric: metric, Peer: peer})
	}
	return &s.Cells[i]
}

// Find returns the cell of a metric and a peer; a copy without rounds if there is none.
func (s *Set) Find(metric, peer string) Cell {
	i := slices.IndexFunc(s.Cells, func(c Cell) bool { return c.Metric == metric && c.Peer == peer })
	if i < 0 {
		return Cell{Metric: metric, Peer: peer, Lacks: "it was left out of this run"}
	}
	return s.Cells[i]
}

// Value returns the median of a metric of a peer.
func (s *Set) Value(metric, peer string) (Summary, bool) {
	return Summarize(s.Find(metric, peer).Rounds)
}

// MoreIsBetter tells how to read a metric.
func (s *Set) MoreIsBetter(metric string) bool {
	return slices.ContainsFunc(s.Metrics, func(m Metric) bool { return m.ID == metric && m.MoreIsBetter })
}

// Ratio compares two peers round by round: in each, the value of one divided by that of the
// other, measured moments apart. What slows the machine for a while slows both.
func (s *Set) Ratio(metric, peer, other string) (Summary, bool) {
	return Summarize(ratios(s.Find(metric, peer).Rounds, s.Find(metric, other).Rounds))
}

// ratios divides round by round; rounds that one of them does not have do not count.
func ratios(a, b []float64) []float64 {
	var r []float64
	for i := range min(len(a), len(b)) {
		if b[i] != 0 {
			r = append(r, a[i]/b[i])
		}
	}
	return r
}

// Write writes the set as JSON.
func (s *Set) Write(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", " ")
	return e.Encode(s)
}

// Read reads what Write has written.
func Read(r io.Reader) (*Set, error) {
	var s Set
	if err := json.NewDecoder(r).Decode(&s); err != nil {
		return nil, fmt.Errorf("read results: %w", err)
	}
	return &s, nil
}
