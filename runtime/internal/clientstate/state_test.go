package clientstate

import (
	"flag"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/udsgrpc/udsgrpc/runtime/internal/fixture"
)

var update = flag.Bool("update", false, "write the diagrams of the states into the documentation")

const statesDoc = "../../../docs/client-states.md"

var (
	connNames        = []string{"idle", "connecting", "unanswered", "ready", "absent", "unreachable", "closed"}
	connEventNames   = []string{"attempt", "accepted", "answered", "not answered", "no server", "failed", "abandoned", "disconnected", "client closed"}
	serverNames      = []string{"unknown", "up", "lost"}
	serverEventNames = []string{"connected", "gone"}
)

// connTable says what each event does in each state; a dash is for what may not happen.
const connTable = `
               idle        connecting   unanswered   ready   absent      unreachable  closed
attempt        connecting  connecting   -            -       connecting  connecting   -
accepted       -           unanswered   -            -       -           -            -
answered       -           ready        ready        -       -           -            -
not_answered   -           -            unreachable  -       -           -            -
no_server      -           absent       -            -       -           -            -
failed         -           unreachable  -            -       -           -            -
abandoned      -           idle         -            -       -           -            -
disconnected   -           -            -            idle    -           -            -
client_closed  closed      closed       closed       closed  closed      closed       -
`

const serverTable = `
           unknown  up    lost
connected  up       up    up
gone       -        lost  -
`

// after is what a transition function does, by numbers.
type after func(state, event int) (int, bool)

func connAfter(s, e int) (int, bool) {
	next, ok := connState(s).after(connEvent(e))
	return int(next), ok
}

func serverAfter(s, e int) (int, bool) {
	next, ok := serverState(s).after(serverEvent(e))
	return int(next), ok
}

func TestTransitions(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		table          string
		states, events []string
		after          after
	}{
		"connection": {connTable, connNames, connEventNames, connAfter},
		"server":     {serverTable, serverNames, serverEventNames, serverAfter},
	} {
		lines := strings.Split(strings.TrimSpace(c.table), "\n")
		if got := strings.Fields(lines[0]); !slices.Equal(got, c.states) || len(lines) != len(c.events)+1 {
			t.Fatalf("the table of the %s has the states %q and %d events", name, got, len(lines)-1)
		}
		for e, line := range lines[1:] {
			fields := strings.Fields(line)
			if got := strings.ReplaceAll(fields[0], "_", " "); got != c.events[e] {
				t.Fatalf("the table of the %s has %q where the code has %q", name, got, c.events[e])
			}
			for s, want := range fields[1:] {
				got := "-"
				if next, ok := c.after(s, e); ok {
					got = c.states[next]
				}
				if got != want {
					t.Errorf("%s: %q in the state %s leads to %s, want %s", name, c.events[e], c.states[s], got, want)
				}
			}
		}
	}
}

// diagram draws transitions in the language of Mermaid.
func diagram(states, events []string, after after) string {
	var b strings.Builder
	fmt.Fprintf(&b, "```mermaid test=runtime/internal/clientstate/state_test.go\nstateDiagram-v2\n    [*] --> %s\n", states[0])
	for from := range states {
		for to := range states {
			var by []string
			for e := range events {
				if next, ok := after(from, e); ok && next == to && from != to {
					by = append(by, events[e])
				}
			}
			if len(by) > 0 {
				fmt.Fprintf(&b, "    %s --> %s: %s\n", states[from], states[to], strings.Join(by, ", "))
			}
		}
	}
	b.WriteString("```\n")
	return b.String()
}

// The documentation has the diagrams of the code. Write them with -update.
func TestDiagramsOfTheClientsStates(t *testing.T) {
	fixture.CheckDiagrams(t, statesDoc, *update, map[string]string{
		"connection": diagram(connNames, connEventNames, connAfter),
		"server":     diagram(serverNames, serverEventNames, serverAfter),
	})
}
