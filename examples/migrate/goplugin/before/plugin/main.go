// Command plugin serves notes to a host with go-plugin.
package main

import (
	"context"

	"github.com/hashicorp/go-plugin"

	notesv1 "github.com/udsgrpc/udsgrpc/examples/migrate/gen/notes/v1"
	"github.com/udsgrpc/udsgrpc/examples/migrate/goplugin/before/shared"
	"github.com/udsgrpc/udsgrpc/examples/migrate/notes"
)

func main() {
	plugin.Serve(&plugin.ServeConfig{
		HandshakeConfig: shared.Handshake,
		Plugins:         plugin.PluginSet{"notes": &shared.Plugin{Service: &service{}}},
		GRPCServer:      plugin.DefaultGRPCServer,
	})
}

type service struct {
	notesv1.UnimplementedNotesServer
	notes notes.Notes
}

func (s *service) Add(_ context.Context, req *notesv1.AddRequest) (*notesv1.AddResponse, error) {
	return &notesv1.AddResponse{Count: s.notes.Add(req.GetLine())}, nil
}
