// Package shared is what host and plugin have in common.
package shared

import (
	"context"

	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	notesv1 "github.com/udsgrpc/udsgrpc/examples/migrate/gen/notes/v1"
)

// Handshake keeps a person from starting the plugin by hand.
var Handshake = plugin.HandshakeConfig{ProtocolVersion: 1, MagicCookieKey: "NOTES_PLUGIN", MagicCookieValue: "notes"}

// Plugin adapts the service to go-plugin.
type Plugin struct {
	plugin.NetRPCUnsupportedPlugin
	Service notesv1.NotesServer // in the plugin
}

func (p *Plugin) GRPCServer(_ *plugin.GRPCBroker, s *grpc.Server) error {
	notesv1.RegisterNotesServer(s, p.Service)
	return nil
}

func (p *Plugin) GRPCClient(_ context.Context, _ *plugin.GRPCBroker, conn *grpc.ClientConn) (any, error) {
	return notesv1.NewNotesClient(conn), nil
}
