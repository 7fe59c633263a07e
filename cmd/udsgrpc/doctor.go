package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/udsgrpc/udsgrpc/runtime/socket"
)

func newDoctor() *cobra.Command {
	verb := &cobra.Command{
		Use:   "doctor PATH...",
		Short: "Say why a server can or cannot be reached on each path",
		Long: `It says in what condition the socket on each path is and what to do about it. Run it as the
user, and in the container, that cannot reach the server. It changes nothing and takes two
seconds at most for a path.

Exit status, if all paths are in the same condition:

` + conditionTable() + `
Other exit statuses:

	 1  paths are in different conditions
	 2  the command was not told what to do`,
		Example: `  udsgrpc doctor /run/app/app.sock
  udsgrpc doctor --json /run/app/*.sock`,
		Args: paths,
		RunE: func(verb *cobra.Command, paths []string) error {
			return doctor(verb.Context(), outputOf(verb), paths)
		},
	}
	addJSON(verb, "path")
	return verb
}

// doctor diagnoses the paths, until ctx ends.
func doctor(ctx context.Context, out *output, paths []string) error {
	var found verdicts
	for _, path := range paths {
		if ctx.Err() != nil {
			return exit(statusDiffer)
		}
		d := socket.Diagnose(ctx, path)
		if err := out.diagnosis(path, d); err != nil {
			return err
		}
		found.add(d.Condition)
	}
	return ending(found.status)
}

// verdicts has the exit status for the conditions that were added.
type verdicts struct{ status, count int }

func (v *verdicts) add(c socket.Condition) {
	if s := conditionStatus(c); v.count == 0 {
		v.status = s
	} else if s != v.status {
		v.status = statusDiffer
	}
	v.count++
}

// diagnosisObject is a diagnosis in JSON.
type diagnosisObject struct {
	Path      string `json:"path"`
	Condition string `json:"condition"`
	Status    int    `json:"status"`
	Detail    string `json:"detail"`
	PID       int    `json:"pid,omitempty"`
	Error     string `json:"error,omitempty"`
}

// diagnosis prints the diagnosis of a path.
func (o *output) diagnosis(path string, d socket.Diagnosis) error {
	if d.Address != (socket.Address{}) {
		path = d.Address.String()
	}
	if o.json {
		object := diagnosisObject{Path: path, Condition: string(d.Condition), Status: conditionStatus(d.Condition), Detail: d.Detail, PID: d.PID}
		if d.Err != nil {
			object.Error = d.Err.Error()
		}
		return o.object(object)
	}
	text := fmt.Sprintf("%s: %s\n\t%s\n", clean(path), o.verdict(d.Condition == socket.Ready, string(d.Condition)), clean(d.Detail))
	if d.Err != nil {
		text += fmt.Sprintf("\t(%s)\n", clean(d.Err.Error()))
	}
	_, err := fmt.Fprint(o, text)
	return err
}
