package difftest

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// View is what of a record is compared, one observation a line, for each end.
//
// What two runs of grpc-go itself need not have in common is left out here, and nowhere else:
//
//   - How many messages of a burst got through which failed because the call had ended: that depends on who
//     was quicker. What got through has been compared with what was sent. If the call could not be
//     ended from outside, nor by a wrong send of the client's, the number of those received counts.
//   - Whether a client's send says io.EOF or nothing, as long as the client has not been told of the
//     end: grpc says so of SendMsg, which also goes on for a while after a cancel. If it says io.EOF of a call that is not over,
//     messages are missing at the handler.
//   - Whose clock comes to a short deadline first: see eitherClock.
//   - What a handler can still send to a client that gives up because a message is too large: see gaveUp.
//   - What a client that ends the call finds to have come, if there was more than a queue of the kernel holds:
//     see fillsQueue.
//   - Whether stats handlers are told of the status or of success, if a client's send was what met the end of
//     the call: see metBySend.
type view struct {
	client, handler []string
	called          bool // the handler was
	ended           bool // the call may have been ended from outside
	sent            bool // a send of the client's may have met the end of the call
	full            bool // more was sent to the client than a queue holds
}

func (r *Record) view() view {
	v := view{called: r.Handler != nil, ended: r.Ended, full: r.fillsQueue()}
	gaveUp := r.gaveUp()
	for _, l := range r.Client {
		for _, e := range l.Events {
			v.sent = v.sent || e.Op == Send || e.Op == CloseSend
			v.client = append(v.client, l.Name+": "+e.line(r, true))
		}
	}
	for _, l := range append(r.Handler, r.After) {
		if l == nil {
			continue
		}
		for _, e := range l.Events {
			if gaveUp && (e.Op == Send || e.Op == Echo) {
				break
			}
			v.handler = append(v.handler, l.Name+": "+e.line(r, false))
		}
	}
	for _, s := range r.Stats {
		if strings.HasPrefix(s, "client") {
			v.client = append(v.client, s)
		} else if !gaveUp || !strings.HasPrefix(s, "server stats: end") && !strings.HasPrefix(s, "server stats: out trailer") {
			v.handler = append(v.handler, s)
		}
	}
	if r.Timed {
		v.client, v.handler = eitherClock(v.client), eitherClock(v.handler)
	}
	return v
}

// gaveUp tells whether the client has ended the call because a message was too large. The news of that may
// reach the handler at any later send, and more of them fit into the queue of one transport than into the windows of the
// other; so what the handler saw from its first send on is left out.
func (r *Record) gaveUp() bool {
	for _, l := range r.Client {
		for _, e := range l.Events {
			if e.Err.Code == codes.ResourceExhausted && strings.Contains(e.Err.Message, "grpc: received message larger than max") {
				return true
			}
		}
	}
	return false
}

// fillsQueue tells whether the handler has sent more than the kernel queues, which is 278 small messages of the
// direct transport, or 200 KiB. What comes after them is lost when a client that does not receive ends the
// call; over HTTP/2 the window is what counts.
func (r *Record) fillsQueue() bool {
	messages, bytes := 0, 0
	for _, l := range r.Handler {
		for _, e := range l.Events {
			if e.Op == Send || e.Op == Echo {
				for _, s := range e.Messages {
					messages, bytes = messages+s.N, bytes+s.N*s.Size
				}
			}
		}
	}
	return messages > 250 || bytes > 150_000
}

// metBySend makes the lines of the client equal if they differ only in that grpc-go's stats handlers are told of
// success by a call that has failed. They are if a send is the first to meet the end of the call
// (clientStream.retryLocked finishes it with io.EOF); the direct transport always tells them the status.
func metBySend(grpc, subject view) []string {
	const end, ok = "client stats: end, ", "client stats: end, ok, "
	if !subject.sent || len(grpc.client) != len(subject.client) {
		return subject.client
	}
	lines := slices.Clone(subject.client)
	for i, line := range lines {
		if strings.HasPrefix(line, end) && strings.HasPrefix(grpc.client[i], ok) {
			_, trailer, _ := strings.Cut(line, ", trailer ")
			if strings.HasSuffix(grpc.client[i], ", trailer "+trailer) {
				lines[i] = grpc.client[i]
			}
		}
	}
	return lines
}

// ends are what a program is told at a deadline, by its own end or by the other one.
var ends = strings.NewReplacer(
	outcomeOf(status.FromContextError(context.Canceled).Err()).String(), "the end",
	outcomeOf(status.FromContextError(context.DeadlineExceeded).Err()).String(), "the end",
	outcomeOf(context.Canceled).String(), "the end",
	outcomeOf(context.DeadlineExceeded).String(), "the end",
)

// eitherClock leaves out what depends on whether the client's clock or the server's was first at
// the deadline, or both at once: which of both errors there is, and whether the server has sent a
// status, so that there is a trailer.
func eitherClock(lines []string) []string {
	all := strings.Join(lines, "\n")
	if ends.Replace(all) == all {
		return lines
	}
	return withoutTrailers(strings.Split(ends.Replace(all), "\n"))
}

// withoutTrailers leaves out that a trailer was sent or has come, and what was in it.
func withoutTrailers(lines []string) []string {
	var left []string
	for _, line := range lines {
		about, trailer, _ := strings.Cut(line, "trailer")
		if trailer != "" && !strings.Contains(line, "set trailer") {
			if strings.HasSuffix(about, "in ") || strings.HasSuffix(about, "out ") {
				continue
			}
			line = about + "trailer"
		}
		left = append(left, line)
	}
	return left
}

func (v view) lines() []string {
	if !v.called {
		return append(slices.Clone(v.client), "no handler")
	}
	return slices.Concat(v.client, v.handler)
}

// matches tells at which ends two runs came out the same. Whether a handler is called at all for a
// call that somebody ends from outside is a race, so that nothing can be said about it if it was not.
func (v view) matches(o view) (client, handler bool) {
	return slices.Equal(v.client, metBySend(v, o)) || v.ended && o.ended && o.full,
		slices.Equal(v.handler, o.handler) || v.ended && o.ended && (!v.called || !o.called)
}

func (e Event) line(r *Record, client bool) string {
	text := e.What + ": " + e.Err.String()
	sends := e.Op == Send || e.Op == Echo && strings.HasSuffix(e.Note, "in the answer")
	switch {
	case client && e.Op == Send && !e.Told && (!e.Err.Failed || e.Err.isEOF()):
		text = e.What + ": sent, or the call is over"
	case e.Err.Failed && sends:
	case e.Err.isEnd() && (r.Ended || !client), client && r.Broken && e.Err.Failed:
	default:
		text += " " + e.Messages.String()
	}
	if e.MD != nil || e.Op == Header || e.Op == Trailer {
		text += " " + describeMD(e.MD)
	}
	if e.Note != "" && !(sends && e.Err.isEnd()) { // where an echo was when it ended
		text += " " + e.Note
	}
	return text
}

// diff tells how two lists differ, "" if they do not: - is only in want, + only in got.
func diff(want, got []string) string {
	if slices.Equal(want, got) {
		return ""
	}
	// common[i][j] is how many lines want[i:] and got[j:] have in common, in order.
	common := make([][]int, len(want)+1)
	for i := range common {
		common[i] = make([]int, len(got)+1)
	}
	for i := len(want) - 1; i >= 0; i-- {
		for j := len(got) - 1; j >= 0; j-- {
			if want[i] == got[j] {
				common[i][j] = common[i+1][j+1] + 1
			} else {
				common[i][j] = max(common[i+1][j], common[i][j+1])
			}
		}
	}
	var b strings.Builder
	for i, j := 0, 0; i < len(want) || j < len(got); {
		switch {
		case i < len(want) && j < len(got) && want[i] == got[j]:
			fmt.Fprintf(&b, "    %s\n", want[i])
			i, j = i+1, j+1
		case j == len(got) || i < len(want) && common[i+1][j] >= common[i][j+1]:
			fmt.Fprintf(&b, "  - %s\n", want[i])
			i++
		default:
			fmt.Fprintf(&b, "  + %s\n", got[j])
			j++
		}
	}
	return b.String()
}

// lineByLine tells whether each line of an end was seen in one run or another, and each that
// is missing was missing in one or another: of a call that was ended from outside, while the handler returned r.
func lineByLine(got []string, seen [][]string, r Return) bool {
	got = raced(got, r)
	missing := map[string]bool{} // the lines of all runs, and whether there was one without it
	for i, lines := range seen {
		lines = raced(lines, r)
		for _, line := range lines {
			if _, known := missing[line]; !known {
				missing[line] = i > 0
			}
		}
		for line := range missing {
			missing[line] = missing[line] || !slices.Contains(lines, line)
		}
	}
	for _, line := range got {
		if _, known := missing[line]; !known {
			return false
		}
	}
	for line, once := range missing {
		if !once && !slices.Contains(got, line) {
			return false
		}
	}
	return len(seen) > 0
}

// raced makes equal what depends on whether the end of the call or its status was quicker: which of both is told, and
// whether there is a trailer.
func raced(lines []string, r Return) []string {
	text := strings.Join(lines, "\n")
	if told := r.told(); told != "" {
		text = strings.ReplaceAll(text, told, outcomeOf(context.Canceled).String())
	}
	return withoutTrailers(strings.Split(ends.Replace(text), "\n"))
}
