package difftest

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Checker runs cases over a subject and the reference. It is for one goroutine.
type Checker struct {
	Subject Transport
	Tries   int // over the reference, at most
	Sure    int // how many of the repeats of a call that was ended from outside have to show a fault; 0 for one

	patience time.Duration // with the subject; 0 for subjectPatience
	pairs    map[setup]*subjectPair
	Summary
}

type subjectPair struct {
	*Pair
	uses int
}

// Summary counts.
type Summary struct {
	Cases     int
	Reruns    int // over the reference, beyond one for each case
	Permitted int // stalls of the subject with as much unread as there may be
	Both      int // stalls of both
	Better    int // stalls of the reference alone; compared with wide windows
	Wide      int // came out the same with wide windows
	ByLine    int // came out the same in each line, but not in all of an end's in one run
	Apart     int // came out the same at each end, but not at both in one run
	Rare      int // came out as never over the reference, and not again
}

// Add adds what another checker has counted.
func (s *Summary) Add(o Summary) {
	s.Cases += o.Cases
	s.Reruns += o.Reruns
	s.Permitted += o.Permitted
	s.Both += o.Both
	s.Better += o.Better
	s.Apart += o.Apart
	s.Wide += o.Wide
	s.ByLine += o.ByLine
	s.Rare += o.Rare
}

func (s Summary) String() string {
	return fmt.Sprintf("%d cases, %d reruns, stalls: %d permitted, %d of both, %d of grpc-go alone; matched with wide windows: %d, at each end apart: %d, line by line: %d, never and not again: %d", s.Cases, s.Reruns, s.Permitted, s.Both, s.Better, s.Wide, s.Apart, s.ByLine, s.Rare)
}

// How long nothing may move before a call counts as stalled. That of the reference is shorter, as
// it runs again anyhow.
const (
	subjectPatience   = 5 * time.Second
	referencePatience = time.Second
	confirmPatience   = 3 * time.Second // if the subject has stalled, too
)

// shortPause is how long a pause between two steps may be at first, where there are any.
const shortPause = 5 * time.Millisecond

// stallsEnough is how often the reference may stall before it is believed.
const stallsEnough = 2

// pairLife is for how many cases the subject's ends are kept: connections go from call to call.
const pairLife = 100

// Close ends what the checker keeps.
func (k *Checker) Close() {
	for _, p := range k.pairs {
		p.close()
	}
	k.pairs = nil
}

func (k *Checker) subject(s setup) (*subjectPair, error) {
	if p := k.pairs[s]; p != nil {
		if p.uses++; p.uses < pairLife {
			return p, nil
		}
		p.close()
		delete(k.pairs, s)
	}
	p, err := k.Subject.open(s)
	if err != nil {
		return nil, err
	}
	if k.pairs == nil {
		k.pairs = map[setup]*subjectPair{}
	}
	k.pairs[s] = &subjectPair{Pair: p}
	return k.pairs[s], nil
}

// Check runs a case and returns a description of what is wrong; "" if nothing is.
func (k *Checker) Check(c *Case) string {
	k.Cases++
	s := setup{maxRecv: c.ServerMaxRecv, stats: c.Stats}
	p, err := k.subject(s)
	if err != nil {
		return err.Error()
	}
	patience := k.patience
	if patience == 0 {
		patience = subjectPatience
	}
	got := newRun(c, patience, time.Duration(c.Seed%2)*shortPause, false).Run(p.Pair)
	if got.Stalled != "" { // the next case must not see what hangs there
		p.close()
		delete(k.pairs, s)
	}
	if got.Carrier != "" && got.Carrier != k.Subject.carrier {
		return fmt.Sprintf("%vthe call went over %s instead of %s", c, got.Carrier, k.Subject.carrier)
	}
	if got.Full {
		k.Permitted++
		return ""
	}
	fault := k.compare(c, s, got)
	if fault != "" && got.Stalled == "" && (got.Ended || got.Timed) && !k.again(c, s, patience) {
		k.Rare++
		return ""
	}
	return fault
}

// repeats is how often a call that was ended from outside is run again over the subject before it counts as a
// fault.
const repeats = 10

// again reports whether a fault shows again, often enough. What comes of a call that is ended from outside, at the very
// moment at which something else happens, depends on who is quicker, and the transports are not equally quick.
// What is wrong with one of them shows again; on a busy machine, so does what is not.
func (k *Checker) again(c *Case, s setup, patience time.Duration) bool {
	shown := 0
	for i := range repeats {
		p, err := k.subject(s)
		if err != nil {
			return true
		}
		got := newRun(c, patience, time.Duration(i%2)*shortPause, false).Run(p.Pair)
		if got.Stalled != "" {
			p.close()
			delete(k.pairs, s)
			return true
		}
		if k.compare(c, s, got) != "" {
			if shown++; shown >= k.Sure {
				return true
			}
		}
	}
	return false
}

// compare runs the case over the reference until it comes out as it did over the subject.
func (k *Checker) compare(c *Case, s setup, got *Record) string {
	reference := Plain()
	if c.Deadline == 0 && !terminates(c, defaultWindow) {
		reference = Wide()
	}
	var seen []string // the outcomes, each once
	counted := map[string]int{}
	stalls := 0
	clientSame, handlerSame := false, false
	var clients, handlers [][]string
	patience := referencePatience
	if got.Stalled != "" {
		patience = max(confirmPatience, k.patience)
	}
	outcome := got.view()
	for try := range k.Tries {
		if try > 0 {
			k.Reruns++
		}
		// Later tries are made on a slow connection, and at last with wider windows and later deadlines.
		s.jitter = try%3 == 2
		if try == k.Tries*2/3 {
			reference = Wide()
		}
		p, err := reference.open(s)
		if err != nil {
			return err.Error()
		}
		pause := time.Duration(0)
		if try%4 > 0 {
			pause = shortPause * time.Duration(1+try/10) // the longer it takes, the rarer the outcome
		}
		want := newRun(c, patience, pause, try >= k.Tries*2/3).Run(p)
		p.close()
		if want.Stalled != "" {
			if got.Stalled != "" {
				k.Both++
				return ""
			}
			if stalls++; stalls == stallsEnough {
				if reference.Name == Plain().Name {
					k.Better++
					reference = Wide()
				}
			}
			continue
		}
		if got.Stalled != "" {
			continue
		}
		v := want.view()
		client, handler := v.matches(outcome)
		if client && handler {
			if reference.Name == Wide().Name {
				k.Wide++
			}
			return ""
		}
		clientSame, handlerSame = clientSame || client, handlerSame || handler
		clients, handlers = append(clients, v.client), append(handlers, v.handler)
		d := diff(v.lines(), outcome.lines())
		if counted[d]++; counted[d] == 1 {
			seen = append(seen, d)
		}
	}
	if got.Stalled != "" {
		return fmt.Sprintf("%vover %s it stalls, and never in %d tries over %s: %s\n%s", c, k.Subject.Name, k.Tries, reference.Name, got.Stalled, strings.Join(outcome.lines(), "\n"))
	}
	// What one end saw says little about the other if the call was ended from outside, so that there
	// are many more outcomes of both together than of each.
	if clientSame && handlerSame && got.Ended {
		k.Apart++
		return ""
	}
	if got.Ended && (clientSame || lineByLine(outcome.client, clients, c.Return)) && (handlerSame || lineByLine(outcome.handler, handlers, c.Return)) {
		k.ByLine++
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%v%d tries over %s (-) never showed what came out over %s (+), but:\n", c, k.Tries, reference.Name, k.Subject.Name)
	slices.SortStableFunc(seen, func(a, b string) int { return counted[b] - counted[a] })
	for _, d := range seen[:min(3, len(seen))] {
		fmt.Fprintf(&b, "%d times\n%s", counted[d], d)
	}
	if stalls > 0 {
		fmt.Fprintf(&b, "%d times it stalled\n", stalls)
	}
	return b.String()
}
