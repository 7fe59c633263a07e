// Command udsgrpc is the tool for whoever has a Unix domain socket that gRPC is spoken on.
//
//	udsgrpc doctor PATH...
//	udsgrpc wait PATH...
//	udsgrpc health PATH [SERVICE]
//	udsgrpc ls [DIR...]
//	udsgrpc call PATH SERVICE/METHOD
//	udsgrpc top PATH
//	udsgrpc tap PATH
//	udsgrpc completion SHELL
//	udsgrpc --version
//
// doctor says in what condition sockets are and what to do about it, wait waits until servers answer, health
// asks a server how it is, ls lists the sockets of the machine, call calls a method, top shows what a server
// does, and tap each of its calls. Exit statuses tell scripts the result; --help of each verb lists them, and --json prints it as JSON
// Lines. See docs/tool.md of the project.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	status := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(status)
}

// run runs the command that args are, and returns its exit status.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) (status int) {
	root := newRoot()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	verb, err := root.ExecuteContextC(ctx)
	if verdict := exit(0); err == nil || errors.As(err, &verdict) {
		return int(verdict)
	}
	if unwritten(err) {
		fmt.Fprintf(stderr, "%s: %s\n", verb.CommandPath(), clean(err.Error()))
		return statusFile
	}
	// Every other error is about how the command was called.
	text := err.Error()
	if !verb.HasParent() {
		text = suggestions.Replace(text)
	}
	fmt.Fprintf(stderr, "%s: %s\n\n%s", verb.CommandPath(), clean(text), verb.UsageString())
	return statusUsage
}

// suggestions puts on one line what cobra says of a verb that there is not.
var suggestions = strings.NewReplacer("\n\nDid you mean this?\n\t", ": did you mean ", "\n\t", " or ", "\n", "")

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "udsgrpc",
		Short: "The tool for Unix domain sockets that gRPC is spoken on",
		Long: `udsgrpc is the tool for Unix domain sockets that gRPC is spoken on.

A PATH has any form that a server or client takes: /run/app.sock, unix:app.sock,
unix:///run/app.sock, @name, unix-abstract:name.`,
		Version:           toolVersion(),
		SilenceErrors:     true,
		SilenceUsage:      true,
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
		RunE: func(*cobra.Command, []string) error {
			return errors.New("say what to do")
		},
	}
	root.SetVersionTemplate("udsgrpc {{.Version}}\n")
	root.SetFlagErrorFunc(explainFlag)
	root.AddCommand(newDoctor(), newWait(), newHealth(), newLs(), newCall(), newTop(), newTap(), newCompletion())
	return root
}
