package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/udsgrpc/udsgrpc/cmd/udsgrpc/internal/viewer"
	"github.com/udsgrpc/udsgrpc/runtime/socket"
)

// shortestInterval is that of the service.
const shortestInterval = 100 * time.Millisecond

func newTop() *cobra.Command {
	var o topOptions
	verb := &cobra.Command{
		Use:   "top PATH",
		Short: "Show what a server of udsgrpc does, live",
		Long: `It shows the calls of a server by method and by client, as they are made: how many a second, how many
fail and with which codes, how many are in flight, how long they take; its connections, and how many
callers were refused. Calls that had begun before it looked are not in it.

On a terminal the picture is live: q ends it. Elsewhere, and with --once, pictures are text, one after
each interval. It follows the path: when the server ends, it waits for the next.

Rates, failures and times are those of the interval before the picture; live, of the last five seconds.

Only the user of the server, and root, may look. Servers that are not of udsgrpc have nothing to show, nor
have those whose program says runtime.NoInspection.

Exit status:

	 0  it was ended, or the picture is printed
	 2  the command was not told what to do

if there is no server, that of doctor:

` + conditionTable() + `
and if the server shows nothing, 64 and a status code:

	71  PermissionDenied: you may not look
	76  Unimplemented: there is nothing to see
	78  Unavailable: it has ended meanwhile`,
		Example: `  udsgrpc top /run/app/app.sock
  udsgrpc top --once --interval 5s /run/app/app.sock
  udsgrpc top --json /run/app/app.sock | jq '.methods[] | select(.p99_seconds > 0.1) | .method'`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return errors.New("say which socket: one PATH")
			}
			return nil
		},
		RunE: func(verb *cobra.Command, args []string) error {
			if o.interval < shortestInterval {
				return fmt.Errorf("--interval is less than %v", shortestInterval)
			}
			return top(verb, args[0], o)
		},
	}
	verb.Flags().DurationVarP(&o.interval, "interval", "i", time.Second, "the time from one picture to the next")
	verb.Flags().BoolVar(&o.once, "once", false, "print one picture, after the interval, and end")
	addJSON(verb, "picture")
	return verb
}

type topOptions struct {
	interval time.Duration
	once     bool
}

// display shows what top has found.
type display interface {
	// show shows a picture. Its error ends top.
	show(*viewer.Difference) error
	// gone is that of looker.
	gone(socket.Diagnosis) error
}

// topLooker makes pictures.
type topLooker struct {
	display
	interval time.Duration
	window   viewer.Window
}

func (l *topLooker) look(ctx context.Context, v *viewer.Viewer) error {
	for s, err := range v.Snapshots(ctx, l.interval) {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			return blind{err}
		}
		if err := l.show(l.window.Add(s)); err != nil {
			return err
		}
	}
	return nil
}

func top(verb *cobra.Command, path string, o topOptions) error {
	address, err := socket.ParseAddress(path)
	if err != nil {
		return err
	}
	path = address.String()
	out := outputOf(verb)
	picture := topPicture{out, path, new(userNames)}
	f := &follower{path: path, once: o.once}
	err = f.connect(verb.Context())
	switch {
	case err != nil:
	case !out.json && !o.once && isTerminal(verb.OutOrStdout()) && isTerminal(verb.InOrStdin()) && os.Getenv("TERM") != "dumb":
		err = topLive(verb, picture, f, o.interval)
	default:
		err = f.follow(verb.Context(), &topLooker{display: &topPrinter{topPicture: picture, once: o.once}, interval: o.interval})
	}
	return followed(verb.Context(), out, path, err)
}

func isTerminal(stream any) bool {
	file, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}
