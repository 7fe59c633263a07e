package direct

import (
	"flag"
	"fmt"
	"strings"
	"testing"

	"github.com/udsgrpc/udsgrpc/runtime/internal/fixture"
)

var update = flag.Bool("update", false, "write the diagrams of the stream's states into the documentation")

const statesDoc = "../../../docs/direct-streams.md"

var (
	processingNames = []string{"untaken", "taken", "begun"}
	sendingNames    = []string{"new", "called", "end queued", "end taken"}
	receivingNames  = []string{"waiting", "header", "messages", "status", "over"}
	lifeNames       = []string{"running", "ended", "over"}
	eventNames      = []string{
		"call queued", "end queued", "bytes taken", "end taken", "much taken", "answered", "header", "message", "status",
		"unprocessed", "all received", "ended", "released",
	}
)

// allStates returns every combination of the parts of a state.
func allStates() (states []streamState) {
	for p := range processingNames {
		for s := range sendingNames {
			for r := range receivingNames {
				for l := range lifeNames {
					states = append(states, streamState{processing(p), sending(s), receiving(r), life(l)})
				}
			}
		}
	}
	return states
}

// diagram draws the transitions of one part of the state in the language of Mermaid.
func diagram(names []string, part func(streamState) int) string {
	id := func(i int) string { return strings.ReplaceAll(names[i], " ", "_") }
	var b strings.Builder
	fmt.Fprintf(&b, "```mermaid test=runtime/internal/direct/stream_state_test.go\nstateDiagram-v2\n    [*] --> %s\n", id(0))
	for from := range names {
		for to := range names {
			var by []string
			for e := range eventNames {
				for _, s := range allStates() {
					next, ok := s.after(event(e))
					if ok && part(s) == from && part(next) == to && from != to {
						by = append(by, eventNames[e])
						break
					}
				}
			}
			if len(by) > 0 {
				fmt.Fprintf(&b, "    %s --> %s: %s\n", id(from), id(to), strings.Join(by, ", "))
			}
		}
	}
	b.WriteString("```\n")
	return b.String()
}

// The documentation has the diagrams of the code. Write them with -update.
func TestDiagramsOfTheStreamsStates(t *testing.T) {
	fixture.CheckDiagrams(t, statesDoc, *update, map[string]string{
		"processing": diagram(processingNames, func(s streamState) int { return int(s.processing) }),
		"send":       diagram(sendingNames, func(s streamState) int { return int(s.send) }),
		"receive":    diagram(receivingNames, func(s streamState) int { return int(s.receive) }),
		"life":       diagram(lifeNames, func(s streamState) int { return int(s.life) }),
	})
}

// No part of the state moves back, except for a call that is sent again to another server.
func TestStreamGoesForward(t *testing.T) {
	for _, s := range allStates() {
		for e := range eventNames {
			next, ok := s.after(event(e))
			if !ok || event(e) == eventUnprocessed {
				continue
			}
			if next.processing < s.processing || next.send < s.send || next.receive < s.receive || next.life < s.life {
				t.Errorf("%q goes back from %v to %v", eventNames[e], s, next)
			}
		}
	}
}

// A call that a server may have processed is sent again only if that server says that it is unprocessed. A
// call that has begun is never sent again.
func TestOnlyAnUnprocessedCallIsSentAgain(t *testing.T) {
	for _, s := range allStates() {
		_, ok := s.after(eventUnprocessed)
		if want := s.processing != processingBegun && s.life == lifeRunning; ok != want {
			t.Errorf("%v may be sent again: %v", s, ok)
		}
	}
}

// An event that may not happen changes nothing.
func TestImpossibleEventChangesNothing(t *testing.T) {
	for _, s := range allStates() {
		for e := range eventNames {
			next := s
			if !next.step(event(e)) && next != s {
				t.Errorf("%q turns %v into %v", eventNames[e], s, next)
			}
		}
	}
}
