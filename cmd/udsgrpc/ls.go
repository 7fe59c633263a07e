package main

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/udsgrpc/udsgrpc/runtime/socket"
)

// statusUnread is for a directory that cannot be read, or was not.
const statusUnread = 1

func newLs() *cobra.Command {
	var all, start bool
	verb := &cobra.Command{
		Use:   "ls [DIR...]",
		Short: "List the gRPC sockets of this machine, or of directories",
		Long: `It lists sockets on which gRPC is served, whose server they are, and with which services if the server
has reflection. It says of the others why nobody can reach a server there, in place of the services.

With DIR, which can also be a socket, these are the sockets there and below. Without, they are those
that processes of this network namespace listen on (/proc/net/unix, on Linux), and those in /run,
$XDG_RUNTIME_DIR and the directory of temporary files; what speaks another protocol, what the user
may not connect to, and what was not asked is then only counted.

To find out, it connects to each, and sends what a gRPC client sends first. A socket that only
systemd holds would start its service, so it is not asked, nor is one whose process
cannot be seen on a machine that systemd manages: --start asks these, too.

Exit status:

	 0  the sockets are listed
	 1  a DIR cannot be read, or ls was ended before it was done
	 2  the command was not told what to do`,
		Example: `  udsgrpc ls
  udsgrpc ls /run/app
  udsgrpc ls --json | jq -r 'select(.state == "stale") | .path'`,
		RunE: func(verb *cobra.Command, dirs []string) error {
			out := outputOf(verb)
			l, err := list(verb.Context(), dirs, start)
			if err != nil {
				return err
			}
			if verb.Context().Err() != nil {
				if !out.json {
					fmt.Fprintln(verb.ErrOrStderr(), "udsgrpc ls: it was ended before all sockets were found and asked, so none is listed")
				}
				return exit(statusUnread)
			}
			rows, hidden := l.rows, map[string]int{}
			if !all {
				rows, hidden = l.choose(len(dirs) > 0)
			}
			if err := out.rows(rows, hidden); err != nil {
				return err
			}
			for _, dir := range l.unread {
				if out.json {
					err = out.object(dir)
				} else {
					_, err = fmt.Fprintf(verb.ErrOrStderr(), "udsgrpc ls: %s\n", clean(dir.Detail))
				}
				if err != nil {
					return err
				}
			}
			if len(l.unread) > 0 {
				return exit(statusUnread)
			}
			return nil
		},
	}
	verb.Flags().BoolVarP(&all, "all", "a", false, "list all sockets, also those of other protocols")
	verb.Flags().BoolVar(&start, "start", false, "ask also where that starts a service")
	addJSON(verb, "socket")
	return verb
}

// row is what is known of a socket, also in JSON.
type row struct {
	Path string `json:"path"`
	// State is a condition of package socket, or one of those below.
	State string `json:"state"`
	// Detail says what was found, and in states other than ready what to do about it.
	Detail     string       `json:"detail,omitempty"`
	Mode       string       `json:"mode,omitempty"`
	UID        *int         `json:"uid,omitempty"`
	Owner      string       `json:"owner,omitempty"`
	Processes  []processRow `json:"processes,omitempty"`
	Clients    int          `json:"clients"`
	Transports []string     `json:"transports,omitempty"`
	// Services is missing if the server does not tell.
	Services []string `json:"services,omitempty"`
}

type processRow struct {
	PID  int    `json:"pid"`
	Name string `json:"name,omitempty"`
}

// States of sockets that were not asked.
const (
	stateNotAsked = "not asked"    // asking could start a service
	stateNoFile   = "no file here" // a process listens, and the socket file was removed
	stateUnread   = "unreadable"   // a directory, not a socket
)

// choose returns the rows that are shown without --all, and how many others are in each state. Whoever
// names a place wants to know of all but other protocols there.
func (l *listing) choose(named bool) (rows []row, hidden map[string]int) {
	hidden = map[string]int{}
	for _, r := range l.rows {
		switch r.State {
		case string(socket.NotGRPC):
		case string(socket.Denied), stateNotAsked:
			if named {
				rows = append(rows, r)
				continue
			}
		default:
			rows = append(rows, r)
			continue
		}
		hidden[r.State]++
	}
	return rows, hidden
}

// rows prints the rows, and for people what was left out.
func (o *output) rows(rows []row, hidden map[string]int) error {
	if o.json {
		for _, r := range rows {
			if err := o.object(r); err != nil {
				return err
			}
		}
		return nil
	}
	if len(rows) > 0 {
		if err := o.table(rows); err != nil {
			return err
		}
	}
	if len(hidden) == 0 {
		return nil
	}
	var counts []string
	for _, state := range slices.Sorted(maps.Keys(hidden)) {
		counts = append(counts, fmt.Sprintf("%d %s", hidden[state], state))
	}
	_, err := fmt.Fprintf(o, "not shown without --all: %s\n", strings.Join(counts, ", "))
	return err
}

// narrowest is how wide the last column has to be for its text to be folded.
const narrowest = 24

// table prints the rows for people. On a terminal the last column, which can be long, is folded.
func (o *output) table(rows []row) error {
	lines := [][]string{{"PATH", "MODE", "OWNER", "PROCESS", "CLIENTS", "TRANSPORTS"}}
	for _, r := range rows {
		lines = append(lines, []string{quote(r.Path), cmp.Or(r.Mode, "-"), quote(cmp.Or(r.Owner, "-")),
			r.process(), r.clients(), cmp.Or(strings.Join(r.Transports, ","), "-")})
	}
	const gap = 2
	width := o.width
	for column := range lines[0] {
		longest := 0
		for _, line := range lines {
			longest = max(longest, utf8.RuneCountInString(line[column]))
		}
		width -= longest + gap
	}
	if width < narrowest {
		width = 0
	}
	table := tabwriter.NewWriter(o, 0, 0, gap, ' ', 0)
	for i, line := range lines {
		last := []string{"SERVICES"}
		if i > 0 {
			last = o.found(rows[i-1], width)
		}
		fmt.Fprintf(table, "%s\t%s\n", strings.Join(line, "\t"), last[0])
		for _, more := range last[1:] {
			fmt.Fprintf(table, "%s%s\n", strings.Repeat("\t", len(line)), more)
		}
	}
	return table.Flush()
}

// found is the last column, folded.
func (o *output) found(r row, width int) (lines []string) {
	if r.State == string(socket.Ready) && r.Services != nil {
		for _, line := range fold(clean(strings.Join(r.Services, ", ")), width) {
			lines = append(lines, o.good(line))
		}
		return lines
	}
	lines = fold(r.State+": "+clean(r.Detail), width)
	if rest, ok := strings.CutPrefix(lines[0], r.State); ok {
		lines[0] = o.verdict(r.State == string(socket.Ready), r.State) + rest
	}
	return lines
}

func (r *row) process() string {
	if len(r.Processes) == 0 {
		return "-"
	}
	p := r.Processes[0]
	text := fmt.Sprintf("%d", p.PID)
	if p.Name != "" {
		text = fmt.Sprintf("%s(%d)", quote(p.Name), p.PID)
	}
	if more := len(r.Processes) - 1; more > 0 {
		text += fmt.Sprintf("+%d", more)
	}
	return text
}

func (r *row) clients() string {
	if len(r.Processes) == 0 && r.Clients == 0 {
		return "-"
	}
	return fmt.Sprint(r.Clients)
}
