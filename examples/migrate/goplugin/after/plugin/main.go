// Command plugin serves notes to the process that starts it.
package main

import (
	"context"
	"log"

	notesv1 "github.com/udsgrpc/udsgrpc/examples/migrate/gen/notes/v1"
	"github.com/udsgrpc/udsgrpc/examples/migrate/notes"
	"github.com/udsgrpc/udsgrpc/runtime"
)

func main() {
	srv, err := notesv1.NewNotesUDSServer(runtime.InheritedPath(), &service{})
	if err != nil {
		log.Fatal(err)
	}
	if err := srv.Serve(context.Background()); err != nil { // until the host stops it, or is gone
		log.Fatal(err)
	}
}

type service struct {
	notesv1.UnimplementedNotesServer
	notes notes.Notes
}

func (s *service) Add(_ context.Context, req *notesv1.AddRequest) (*notesv1.AddResponse, error) {
	return &notesv1.AddResponse{Count: s.notes.Add(req.GetLine())}, nil
}
