package report

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/udsgrpc/udsgrpc/bench/internal/result"
)

const gainLegend = `gain: how much better this checkout is, as a ratio in which higher is better whatever the row: speeds
are divided by those of the other revision, and times, allocations and memory of the other revision
by those of this checkout. 1.10 is a tenth better, 0.90 a tenth worse. It is the median of the ratios
of the single rounds, with the lowest and the highest. ~ marks one that this run cannot tell, WORSE
one whose highest round is below %.2f.
`

// Against writes how the peers compare with those of another revision, and a last line that says
// whether a row is worse. It returns how many are.
func Against(w io.Writer, set *result.Set, bound float64) (worse int, err error) {
	rows := set.Against()
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	var lacks, bad, noise []string
	compared, counterpart := 0, ""
	for _, r := range rows {
		if r.Counterpart != counterpart {
			counterpart = r.Counterpart
			fmt.Fprintf(t, "%s\n", headline(r))
		}
		if r.Lacks != "" {
			fmt.Fprintf(t, "%s, %s\t%s\t%s\t—\t—\t\n", r.Metric.Title, r.Metric.Unit, shown(r.Here), shown(r.There))
			if !slices.Contains(lacks, r.Lacks) {
				lacks = append(lacks, r.Lacks)
			}
			continue
		}
		if !r.Yardstick {
			compared++
		}
		mark := ""
		if r.Gain.Noisy() {
			mark = "~"
		}
		if r.Gain.Max < bound {
			row := fmt.Sprintf("%s of %s (%s–%s)", r.Metric.ID, r.Peer, number(r.Gain.Min), number(r.Gain.Max))
			if r.Yardstick {
				noise = append(noise, row)
			} else {
				bad, mark = append(bad, row), "WORSE"
			}
		}
		fmt.Fprintf(t, "%s, %s\t%s\t%s\t%s\t%s–%s\t%s\n", r.Metric.Title, r.Metric.Unit,
			shown(r.Here), shown(r.There), number(r.Gain.Median), number(r.Gain.Min), number(r.Gain.Max), mark)
	}
	if err := t.Flush(); err != nil {
		return 0, err
	}
	fmt.Fprintln(w)
	fmt.Fprintf(w, gainLegend, bound)
	if len(lacks) > 0 {
		fmt.Fprintf(w, "\n— was not compared: %s\n", strings.Join(lacks, "; "))
	}
	if len(noise) > 0 {
		fmt.Fprintf(w, "\nThis run was too noisy, as it finds the same code worse: %s. Repeat it with more rounds, or on a quieter machine.\n", strings.Join(noise, ", "))
	}
	_, err = fmt.Fprintf(w, "\n%s\n", verdict(compared, bad, bound))
	return len(bad), err
}

func headline(r result.Row) string {
	name := r.Peer
	if r.Yardstick {
		name += ", the same code twice: what differs is noise"
	}
	return fmt.Sprintf("\n%s\there\t%s\tgain\tmin–max\t", name, r.Counterpart)
}

func shown(s result.Summary) string {
	if s.Rounds == 0 {
		return "—"
	}
	return number(s.Median)
}

func verdict(compared int, worse []string, bound float64) string {
	switch {
	case compared == 0:
		return "no row was compared"
	case len(worse) == 0:
		return fmt.Sprintf("no row is worse: the upper end of the ratio's spread is at least %.2f in each of %d", bound, compared)
	case len(worse) == 1:
		return fmt.Sprintf("1 of %d rows is worse: the upper end of the ratio's spread is below %.2f: %s", compared, bound, worse[0])
	}
	return fmt.Sprintf("%d of %d rows are worse: the upper end of the ratio's spread is below %.2f: %s", len(worse), compared, bound, strings.Join(worse, ", "))
}
