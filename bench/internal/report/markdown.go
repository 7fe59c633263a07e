package report

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/udsgrpc/udsgrpc/bench/internal/result"
)

const limit = "raw" // not a way to call a service, so never the best of them

// Markdown writes the report that people read.
func Markdown(w io.Writer, set *result.Set) error {
	var b strings.Builder
	b.WriteString("# Benchmarks\n\n")
	b.WriteString(introduction)
	fmt.Fprintf(&b, "\n![the most important rows as bars](%s)\n\n", Chart)
	b.WriteString(chartLegend)
	b.WriteString("\n## Medians\n\n")
	fmt.Fprintf(&b, mediansLegend, rounds(set))
	b.WriteString(medians(set))
	b.WriteString("\n## Ratios\n\n")
	fmt.Fprintf(&b, ratiosLegend, result.NoiseLimit*100)
	for _, p := range set.Peers {
		if strings.HasPrefix(p.Name, ours) {
			b.WriteString(ratioTable(set, p.Name) + "\n")
		}
	}
	b.WriteString(noise(set))
	b.WriteString("\n## What the rows mean\n\n")
	b.WriteString(meaning)
	b.WriteString("\n## Peers and their settings\n\n")
	for _, p := range set.Peers {
		version := ""
		if p.Module != "" {
			version = fmt.Sprintf(" (`%s` %s)", p.Module, p.Version)
		}
		fmt.Fprintf(&b, "- **%s**%s: %s\n", p.Name, version, p.Settings)
	}
	b.WriteString("\n## Machine and run\n\n")
	for _, f := range set.Facts {
		fmt.Fprintf(&b, "- %s: %s\n", f.Name, f.Value)
	}
	b.WriteString("\n## Repeat it\n\n")
	b.WriteString(repeat)
	_, err := io.WriteString(w, b.String())
	return err
}

const ours = "udsgrpc"

func rounds(set *result.Set) int {
	n := 0
	for _, c := range set.Cells {
		n = max(n, len(c.Rounds))
	}
	return n
}

// medians returns the table of all values, and below it why some are missing.
func medians(set *result.Set) string {
	t := table{head: []string{"", "unit"}}
	for _, p := range set.Peers {
		t.head = append(t.head, p.Name)
	}
	for _, m := range set.Metrics {
		best, hasBest := bestOf(set, m)
		row := []string{m.Title, m.Unit}
		for _, p := range set.Peers {
			s, ok := set.Value(m.ID, p.Name)
			text := "—"
			if ok {
				text = summary(s, p.Name != limit && hasBest && s.Median == best)
			}
			row = append(row, text)
		}
		t.rows = append(t.rows, row)
	}
	return t.String() + "\n" + list("A — marks what was not measured:", lacks(set))
}

// lacks tells why values are missing, each reason once.
func lacks(set *result.Set) []string {
	var reasons []string
	for _, c := range set.Cells {
		reason := c.Peer + ": " + c.Lacks
		if c.Lacks != "" && !slices.Contains(reasons, reason) {
			reasons = append(reasons, reason)
		}
	}
	return reasons
}

// bestOf returns the best median of a row.
func bestOf(set *result.Set, m result.Metric) (value float64, ok bool) {
	for _, p := range set.Peers {
		s, has := set.Value(m.ID, p.Name)
		if !has || p.Name == limit {
			continue
		}
		if !ok || m.MoreIsBetter && s.Median > value || !m.MoreIsBetter && s.Median < value {
			value, ok = s.Median, true
		}
	}
	return value, ok
}

func others() []string { return []string{"grpc-uds", "ttrpc", "drpc", limit} }

// ratioTable compares one peer with the others, in the rows that one of them has too.
func ratioTable(set *result.Set, peer string) string {
	t := table{head: []string{peer + " / …", "better is"}}
	t.head = append(t.head, others()...)
	for _, m := range set.Metrics {
		row := []string{m.Title, "less"}
		if m.MoreIsBetter {
			row[1] = "more"
		}
		compared := false
		for _, other := range others() {
			text := "—"
			if s, ok := set.Ratio(m.ID, peer, other); ok {
				text = summary(s, s.Median != 1 && (s.Median < 1) == m.MoreIsBetter)
				compared = true
			}
			row = append(row, text)
		}
		if compared {
			t.rows = append(t.rows, row)
		}
	}
	return t.String()
}

// noise names what the run cannot tell.
func noise(set *result.Set) string {
	var noisy []string
	for _, m := range set.Metrics {
		var against []string
		for _, other := range others() {
			if s, ok := set.Ratio(m.ID, ours, other); ok && s.Noisy() {
				against = append(against, other)
			}
		}
		if len(against) > 0 {
			noisy = append(noisy, m.Title+", against "+strings.Join(against, ", "))
		}
	}
	return list("The run was too noisy to tell these ratios of udsgrpc; repeat it on a quieter machine or with more rounds:", noisy)
}

func list(title string, items []string) string {
	if len(items) == 0 {
		return ""
	}
	return title + "\n\n- " + strings.Join(items, "\n- ") + "\n"
}

// summary writes a median with its spread.
func summary(s result.Summary, strong bool) string {
	text := number(s.Median)
	if strong {
		text = "**" + text + "**"
	}
	text += " (" + number(s.Min) + "–" + number(s.Max) + ")"
	if s.Noisy() {
		text += " ~"
	}
	return text
}

// number writes three digits that count.
func number(v float64) string {
	abs := math.Abs(v)
	if abs < 100 {
		return strconv.FormatFloat(v, 'f', decimals(abs), 64)
	}
	unit := math.Pow(10, math.Floor(math.Log10(abs))-2)
	return grouped(math.Round(v/unit) * unit)
}

// grouped writes a whole number with commas between the thousands.
func grouped(v float64) string {
	s := strconv.FormatFloat(math.Abs(v), 'f', 0, 64)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	if v < 0 {
		s = "-" + s
	}
	return s
}

func decimals(abs float64) int {
	if abs < 10 {
		return 2
	}
	return 1
}

// table is a Markdown table.
type table struct {
	head []string
	rows [][]string
}

func (t table) String() string {
	var b strings.Builder
	line := func(cells []string) { fmt.Fprintf(&b, "| %s |\n", strings.Join(cells, " | ")) }
	line(t.head)
	align := []string{"---", "---"}
	for range t.head[2:] {
		align = append(align, "---:")
	}
	line(align)
	for _, r := range t.rows {
		line(r)
	}
	return b.String()
}
