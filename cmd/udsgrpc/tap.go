package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/udsgrpc/udsgrpc/cmd/udsgrpc/internal/viewer"
	inspectv1 "github.com/udsgrpc/udsgrpc/proto/udsgrpc/inspect/v1"
	"github.com/udsgrpc/udsgrpc/runtime/socket"
)

func newTap() *cobra.Command {
	var o tapOptions
	verb := &cobra.Command{
		Use:   "tap PATH",
		Short: "Show each call that goes through a server of udsgrpc",
		Long: `It prints a line for each call when that has ended: when it began, who called, what, with which status,
how long it took in the server, and how many messages and bytes came in and went out. Calls that had begun
before it looked are not in it. Each line is written at once, also to a file or a pipe. It follows the
path: when the server ends, it waits for the next.

The server never waits for it. Of a server that has more than 500 calls a second for each of its cores, some
are left out, and a line says how many.

What is in the calls is shown with --messages, if the server's program says runtime.InspectMessages():
metadata, messages and texts of statuses, with secrets replaced in the server.

--write keeps the calls in a file, in place of printing them, and --read prints those of such a file. It
is a pcapng file, which Wireshark shows with the project's dissector.

Only the user of the server, and root, may look. Servers that are not of udsgrpc have nothing to show, nor
have those whose program says runtime.NoInspection.

Exit status:

	 0  it was ended, or all is printed
	 1  the file cannot be read or written
	 2  the command was not told what to do

if there is no server, that of doctor:

` + conditionTable() + `
and if the server shows nothing, 64 and a status code:

	71  PermissionDenied: you may not look, or not see messages
	76  Unimplemented: there is nothing to see`,
		Example: `  udsgrpc tap /run/app/app.sock
  udsgrpc tap --json /run/app/app.sock | jq 'select(.code != "OK")'
  udsgrpc tap --write calls.pcapng /run/app/app.sock
  udsgrpc tap --read calls.pcapng
  udsgrpc tap --write - /run/app/app.sock | wireshark -k -i -`,
		Args: func(_ *cobra.Command, args []string) error {
			switch {
			case o.read != "" && len(args) > 0:
				return errors.New("--read is for a file: there is no PATH to look at besides")
			case o.read != "" && (o.write != "" || o.messages):
				return errors.New("--read shows what is in a file: --write and --messages are for a PATH")
			case o.read == "" && len(args) != 1:
				return errors.New("say which socket: one PATH")
			}
			return nil
		},
		RunE: func(verb *cobra.Command, args []string) error {
			if o.count < 0 {
				return errors.New("--count is negative")
			}
			if o.read != "" {
				return tapFile(verb, o)
			}
			return tap(verb, args[0], o)
		},
	}
	verb.Flags().BoolVarP(&o.messages, "messages", "m", false, "show what is in the calls, too, if the server's program allows it")
	verb.Flags().IntVarP(&o.count, "count", "n", 0, "end after so many calls; 0 is without end")
	verb.Flags().StringVarP(&o.write, "write", "w", "", "write the calls to a new `file`, or a pipe; - is standard output")
	verb.Flags().StringVarP(&o.read, "read", "r", "", "print the calls of a `file`; - is standard input")
	addJSON(verb, "call")
	return verb
}

type tapOptions struct {
	messages    bool
	count       int
	write, read string
}

func tap(verb *cobra.Command, path string, o tapOptions) error {
	address, err := socket.ParseAddress(path)
	if err != nil {
		return err
	}
	path = address.String()
	out := outputOf(verb)
	f := &follower{path: path}
	if err := f.connect(verb.Context()); err != nil {
		return followed(verb.Context(), out, path, err)
	}
	calls, end, err := sinkOf(verb, out, path, o)
	if err != nil {
		f.viewer.Close()
		return fileFailed(verb, err)
	}
	err = f.follow(verb.Context(), &tapLooker{output: out, path: path, options: o, calls: calls})
	if closeErr := end(); closeErr != nil {
		return fileFailed(verb, closeErr)
	}
	return followed(verb.Context(), out, path, err)
}

// tapLooker gives calls to a sink.
type tapLooker struct {
	*output
	path    string
	options tapOptions
	calls   callSink
	count   int
}

func (l *tapLooker) look(ctx context.Context, v *viewer.Viewer) error {
	for resp, err := range v.Calls(ctx, l.options.messages) {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			return blind{err}
		}
		if err := l.show(resp); err != nil {
			return err
		}
	}
	return nil
}

// show shows what came at once, and then flushes it.
func (l *tapLooker) show(resp *inspectv1.CallsResponse) error {
	for _, call := range resp.GetCalls() {
		if err := l.calls.call(call); err != nil {
			return err
		}
		if l.count++; l.count == l.options.count {
			return errors.Join(l.calls.flush(), errShown)
		}
	}
	if n := resp.GetDropped(); n > 0 {
		if err := l.calls.dropped(n); err != nil {
			return err
		}
	}
	return l.calls.flush()
}

// gone says why nothing comes, where calls are printed.
func (l *tapLooker) gone(d socket.Diagnosis) error {
	if l.options.write != "" {
		return nil
	}
	return l.diagnosis(l.path, d)
}
