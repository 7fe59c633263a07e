// Command host starts a plugin, calls it and stops it.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"os/exec"

	notesv1 "github.com/udsgrpc/udsgrpc/examples/migrate/gen/notes/v1"
	"github.com/udsgrpc/udsgrpc/runtime"
)

func main() {
	if len(os.Args) != 3 {
		log.Fatal("usage: host PLUGIN LINE")
	}
	if err := run(os.Args[1], os.Args[2]); err != nil {
		log.Fatal(err)
	}
}

func run(program, line string) (err error) {
	ctx := context.Background()
	plugin, err := runtime.Supervise(ctx, func() *exec.Cmd { return exec.Command(program) })
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, plugin.Close()) }()
	added, err := notesv1.NewNotesClient(plugin.Conn()).Add(ctx, &notesv1.AddRequest{Line: line})
	if err != nil {
		return err
	}
	fmt.Println(added.GetCount(), "lines")
	return nil
}
