package main

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"

	"github.com/udsgrpc/udsgrpc/runtime/socket"
)

func newWait() *cobra.Command {
	var timeout time.Duration
	verb := &cobra.Command{
		Use:   "wait PATH...",
		Short: "Wait until a server answers on each path",
		Long: `It waits until a server answers on every path, for scripts and units that start something after
it. What is found is what doctor finds, so a socket that systemd holds starts its service. In the end
it prints the diagnosis of the last path that was not ready in time.

Exit status:

` + conditionTable() + `
	 2  the command was not told what to do

All but 0 and 2 tell the condition of a path when the time was over.`,
		Example: `  udsgrpc wait /run/app/app.sock && systemctl start backup
  udsgrpc wait --timeout 1m /run/app/app.sock /run/app/admin.sock`,
		Args: paths,
		RunE: func(verb *cobra.Command, paths []string) error {
			if timeout < 0 {
				return errors.New("--timeout is negative")
			}
			ctx, look := verb.Context(), socket.Diagnose
			if timeout > 0 {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, timeout)
				defer cancel()
				look = await
			}
			return wait(ctx, outputOf(verb), paths, look)
		},
	}
	verb.Flags().DurationVar(&timeout, "timeout", 10*time.Second, "how long to wait for all paths; 0 looks at each once, for two seconds at most")
	addJSON(verb, "path")
	return verb
}

// wait waits for one path after the other, as a server that has answered is taken to go on.
func wait(ctx context.Context, out *output, paths []string, look func(context.Context, string) socket.Diagnosis) error {
	for _, path := range paths {
		d := look(ctx, path)
		if out.json || d.Condition != socket.Ready {
			if err := out.diagnosis(path, d); err != nil {
				return err
			}
		}
		if d.Condition != socket.Ready {
			return exit(conditionStatus(d.Condition))
		}
	}
	return nil
}

// A server starts within a moment of its socket file, which is what a watch tells of; and what no watch
// tells, such as an abstract name, is looked at now and then.
const (
	firstPause = 5 * time.Millisecond
	lastPause  = 250 * time.Millisecond
)

// await diagnoses path until a server answers, or until ctx ends or nothing can change any more.
func await(ctx context.Context, path string) socket.Diagnosis {
	d := socket.Diagnose(ctx, path)
	if isFinal(d.Condition) {
		return d
	}
	addr := d.Address
	watching, stop := context.WithCancel(ctx)
	changed, watched := make(chan struct{}, 1), make(chan struct{})
	go func() {
		defer close(watched)
		// Without a watch the pauses do.
		_ = socket.Watch(watching, addr, func() {
			select {
			case changed <- struct{}{}:
			default:
			}
		})
	}()
	defer func() {
		stop()
		<-watched
	}()
	pause := firstPause
	timer := time.NewTimer(pause)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return d
		case <-changed:
			pause = firstPause
		case <-timer.C:
			pause = min(2*pause, lastPause)
		}
		next := socket.Diagnose(ctx, path)
		if ctx.Err() != nil && next.Condition == socket.Unresponsive && d.Condition != socket.Missing {
			return d // the end has cut this look short, which says less than the one before
		}
		if d = next; isFinal(d.Condition) {
			return d
		}
		timer.Reset(pause)
	}
}

// isFinal reports whether waiting changes nothing.
func isFinal(c socket.Condition) bool {
	return c == socket.Ready || c == socket.Invalid || c == socket.PathTooLong
}
