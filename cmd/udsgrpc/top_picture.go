package main

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/udsgrpc/udsgrpc/cmd/udsgrpc/internal/viewer"
	inspectv1 "github.com/udsgrpc/udsgrpc/proto/udsgrpc/inspect/v1"
)

// topPicture draws what is known of a server.
type topPicture struct {
	*output
	path  string
	users *userNames
}

// unlimited is for pictures that need not fit on a screen.
const unlimited = math.MaxInt

// draw returns a picture. What does not fit into the lines is left out of the tables, and then the tables are.
func (o topPicture) draw(d *viewer.Difference, lines int) string {
	var b strings.Builder
	server := d.Now.GetServer()
	up := d.Now.GetTime().AsTime().Sub(server.GetStarted().AsTime()).Truncate(time.Second)
	fmt.Fprintf(&b, "%s  process %d, udsgrpc %s, up %v  %s\n", quote(o.path), server.GetPid(), clean(server.GetVersion()), up,
		d.Now.GetTime().AsTime().Local().Format(time.TimeOnly))
	b.WriteString(o.callLine(d))
	fmt.Fprintf(&b, "connections  %s  half-open %d  viewers %d\n", byTransport(d.Now.GetConnections().GetOpen()),
		d.Now.GetConnections().GetHalfOpen(), d.Now.GetConnections().GetViewers())
	b.WriteString(o.totalLine(d.Now.GetTotals()))
	left := lines - strings.Count(b.String(), "\n")
	forMethods := left - min(left/3, tableLines(len(d.Clients)))
	methods := o.methodTable(d, max(forMethods, min(left, tableLines(2))))
	b.WriteString(methods)
	b.WriteString(o.clientTable(d, left-strings.Count(methods, "\n")))
	return b.String()
}

func (o topPicture) callLine(d *viewer.Difference) string {
	failed, inFlight := uint64(0), uint64(0)
	for _, m := range d.Methods {
		failed += m.Failed
		inFlight += m.InFlight
	}
	calls := d.Calls.GetDirect() + d.Calls.GetHttp2() + d.Calls.GetRing()
	var transports strings.Builder
	for name, n := range transportsInOrder(d.Calls) {
		fmt.Fprintf(&transports, "  %s %s", name, rate(n, d))
	}
	return fmt.Sprintf("calls/s  %s%s  in flight %d  failed/s %s  refused/s %s\n", rate(calls, d), transports.String(), inFlight,
		o.alarm(failed > 0, rate(failed, d)), o.alarm(d.Refused > 0, rate(d.Refused, d)))
}

// totalLine has what there should be none of, and handovers.
func (o topPicture) totalLine(total *inspectv1.Totals) string {
	var counts strings.Builder
	for _, c := range []struct {
		what string
		n    uint64
		bad  bool
	}{
		{"refused", total.GetRefused(), true},
		{"turned away", total.GetTurnedAway(), true},
		{"not accepted", total.GetNotAccepted(), true},
		{"send waits", total.GetSendWaits(), true},
		{"bound again", total.GetRebound(), true},
		{"taken over", total.GetHandoversReceived(), false},
		{"handed over", total.GetHandoversGiven(), false},
		{"handovers failed", total.GetHandoversFailed(), true},
	} {
		if c.n > 0 || c.bad && c.what == "refused" {
			fmt.Fprintf(&counts, "  %s %s", c.what, o.alarm(c.bad && c.n > 0, strconv.FormatUint(c.n, 10)))
		}
	}
	return "since its start" + counts.String() + "\n"
}

func (o topPicture) alarm(bad bool, text string) string {
	if bad {
		return o.bad(text)
	}
	return text
}

// transportsInOrder yields those with a number, and direct and http2 in any case.
func transportsInOrder(n *inspectv1.ByTransport) func(yield func(string, uint64) bool) {
	return func(yield func(string, uint64) bool) {
		_ = (n.GetRing() == 0 || yield("ring", n.GetRing())) && yield("direct", n.GetDirect()) && yield("http2", n.GetHttp2())
	}
}

func byTransport(n *inspectv1.ByTransport) string {
	var parts []string
	for name, n := range transportsInOrder(n) {
		parts = append(parts, fmt.Sprintf("%s %d", name, n))
	}
	return strings.Join(parts, "  ")
}

func (o topPicture) methodTable(d *viewer.Difference, lines int) string {
	methods := slices.Clone(d.Methods)
	slices.SortStableFunc(methods, func(a, b viewer.Method) int {
		return cmp.Or(cmp.Compare(b.Ended, a.Ended), cmp.Compare(b.Total, a.Total), cmp.Compare(a.Name, b.Name))
	})
	return table("METHOD\tCALLS/S\tFAILED/S\tIN FLIGHT\tP50\tP99\tCALLS\tCODES", len(methods), lines, func(i int) string {
		m := methods[i]
		return fmt.Sprintf("%s\t%s\t%s\t%d\t%s\t%s\t%d\t%s", quoteOr(m.Name, "others"), rate(m.Ended, d), rate(m.Failed, d),
			m.InFlight, took(m, m.P50), took(m, m.P99), m.Total, o.codes(m))
	})
}

// codes lists the codes of failed calls, the most frequent first.
func (o topPicture) codes(m viewer.Method) string {
	if len(m.Codes) == 0 {
		return "-"
	}
	var names []string
	byCount := slices.SortedFunc(maps.Keys(m.Codes), func(a, b codes.Code) int {
		return cmp.Or(cmp.Compare(m.Codes[b], m.Codes[a]), cmp.Compare(a, b))
	})
	for _, code := range byCount {
		names = append(names, fmt.Sprintf("%s %d", code, m.Codes[code]))
	}
	return o.bad(strings.Join(names, ", "))
}

func (o topPicture) clientTable(d *viewer.Difference, lines int) string {
	clients := slices.Clone(d.Clients)
	slices.SortStableFunc(clients, func(a, b viewer.Client) int {
		return cmp.Or(cmp.Compare(b.Ended, a.Ended), cmp.Compare(b.Total, a.Total))
	})
	return table("CLIENT\tUSER\tCALLS/S\tFAILED/S\tIN FLIGHT\tCALLS", len(clients), lines, func(i int) string {
		c := clients[i]
		return fmt.Sprintf("%s\t%s\t%s\t%s\t%d\t%d", programOf(c.Caller), userOf(c.Caller, o.users), rate(c.Ended, d), rate(c.Failed, d), c.InFlight, c.Total)
	})
}

func programOf(c *inspectv1.Caller) string {
	switch {
	case c == nil || c.Pid == nil:
		return "others"
	case c.GetProgram() == "":
		return strconv.FormatInt(c.GetPid(), 10)
	default:
		return quote(c.GetProgram()) + "(" + strconv.FormatInt(c.GetPid(), 10) + ")"
	}
}

func userOf(c *inspectv1.Caller, names *userNames) string {
	if c == nil || c.Uid == nil {
		return "-"
	}
	return quote(names.of(int(c.GetUid())))
}

// tableLines is how many lines a table needs: an empty one, a heading and the rows.
func tableLines(rows int) int { return 2 + rows }

// table returns a table that fits into the lines, "" if not one row does. Colours are for the last column, as
// they have no width.
func table(heading string, rows, lines int, row func(int) string) string {
	shown := rows
	if tableLines(rows) > lines {
		shown = lines - tableLines(1) // with a line that says how many are left out
	}
	if shown < min(rows, 1) {
		return ""
	}
	var b strings.Builder
	b.WriteByte('\n')
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, heading)
	for i := range shown {
		fmt.Fprintln(w, row(i))
	}
	w.Flush()
	if shown < rows {
		fmt.Fprintf(&b, "and %d more\n", rows-shown)
	}
	return b.String()
}

func quoteOr(name, other string) string {
	if name == "" {
		return other
	}
	return quote(name)
}

// rate is a number for each second.
func rate(n uint64, d *viewer.Difference) string {
	if n == 0 || d.Seconds == 0 {
		return "0"
	}
	perSecond := float64(n) / d.Seconds
	if perSecond >= 99.95 {
		return strconv.FormatFloat(perSecond, 'f', 0, 64)
	}
	return strconv.FormatFloat(perSecond, 'f', 1, 64)
}

// took is a duration with two digits, as it is known to an eighth; or to a second.
func took(m viewer.Method, d time.Duration) string {
	if m.Ended == 0 {
		return "-"
	}
	unit := time.Duration(1)
	for d >= 100*unit && unit < time.Second {
		unit *= 10
	}
	return d.Round(unit).String()
}
