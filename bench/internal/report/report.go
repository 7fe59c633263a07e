// Package report writes results for people and for programs.
package report

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"

	"github.com/udsgrpc/udsgrpc/bench/internal/result"
)

// Chart is the name of the picture among the files.
const Chart = "chart.svg"

// Write writes all files of a report into dir.
func Write(dir string, set *result.Set) error {
	return write(dir, []file{
		{"results.json", set.Write},
		{"results.csv", func(w io.Writer) error { return CSV(w, set) }},
		{"README.md", func(w io.Writer) error { return Markdown(w, set) }},
		{Chart, func(w io.Writer) error { return SVG(w, set) }},
	})
}

// WriteJSON writes the results for programs only.
func WriteJSON(dir string, set *result.Set) error {
	return write(dir, []file{{"results.json", set.Write}})
}

type file struct {
	name  string
	write func(io.Writer) error
}

func write(dir string, files []file) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("write results: %w", err)
	}
	for _, f := range files {
		if err := writeFile(filepath.Join(dir, f.name), f.write); err != nil {
			return fmt.Errorf("write results: %w", err)
		}
	}
	return nil
}

func writeFile(path string, write func(io.Writer) error) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(write(f), f.Close())
}

// CSV writes one line for each value of each round.
func CSV(w io.Writer, set *result.Set) error {
	c := csv.NewWriter(w)
	lines := [][]string{{"metric", "unit", "peer", "round", "value"}}
	for _, m := range set.Metrics {
		for _, p := range set.Peers {
			for i, v := range set.Find(m.ID, p.Name).Rounds {
				lines = append(lines, []string{m.ID, m.Unit, p.Name, strconv.Itoa(i + 1), strconv.FormatFloat(v, 'g', 6, 64)})
			}
		}
	}
	return c.WriteAll(lines)
}
