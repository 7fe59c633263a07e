// Command host starts a plugin with go-plugin, calls it and stops it.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"os/exec"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"

	notesv1 "github.com/udsgrpc/udsgrpc/examples/migrate/gen/notes/v1"
	"github.com/udsgrpc/udsgrpc/examples/migrate/goplugin/before/shared"
)

func main() {
	if len(os.Args) != 3 {
		log.Fatal("usage: host PLUGIN LINE")
	}
	if err := run(os.Args[1], os.Args[2]); err != nil {
		log.Fatal(err)
	}
}

func run(program, line string) error {
	host := plugin.NewClient(&plugin.ClientConfig{
		HandshakeConfig:  shared.Handshake,
		Plugins:          plugin.PluginSet{"notes": &shared.Plugin{}},
		Cmd:              exec.Command(program),
		AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC},
		Logger:           hclog.New(&hclog.LoggerOptions{Output: io.Discard}),
	})
	defer host.Kill()
	protocol, err := host.Client()
	if err != nil {
		return err
	}
	raw, err := protocol.Dispense("notes")
	if err != nil {
		return err
	}
	client, ok := raw.(notesv1.NotesClient)
	if !ok {
		return errors.New("the plugin is of another kind")
	}
	added, err := client.Add(context.Background(), &notesv1.AddRequest{Line: line})
	if err != nil {
		return err
	}
	fmt.Println(added.GetCount(), "lines")
	return nil
}
