// Command after serves and calls notes over udsgrpc.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	notesv1 "github.com/udsgrpc/udsgrpc/examples/migrate/gen/notes/v1"
	"github.com/udsgrpc/udsgrpc/examples/migrate/notes"
)

func main() { notes.Main(serve, call) }

func serve(ctx context.Context, path string) error {
	srv, err := notesv1.NewNotesUDSServer(path, &service{})
	if err != nil {
		return err
	}
	fmt.Println("serving on", path)
	return srv.Serve(ctx)
}

func call(ctx context.Context, path, line string) error {
	client, conn, err := notesv1.DialNotesUDS(path)
	if err != nil {
		return err
	}
	defer conn.Close()
	added, err := client.Add(ctx, &notesv1.AddRequest{Line: line})
	if err != nil {
		return err
	}
	fmt.Println(added.GetCount(), "lines")
	stream, err := client.List(ctx, &notesv1.ListRequest{})
	if err != nil {
		return err
	}
	for {
		item, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		fmt.Println("-", item.GetLine())
	}
}

type service struct {
	notesv1.UnimplementedNotesServer
	notes notes.Notes
}

func (s *service) Add(_ context.Context, req *notesv1.AddRequest) (*notesv1.AddResponse, error) {
	return &notesv1.AddResponse{Count: s.notes.Add(req.GetLine())}, nil
}

func (s *service) List(_ *notesv1.ListRequest, stream notesv1.Notes_ListServer) error {
	for _, line := range s.notes.Lines() {
		if err := stream.Send(&notesv1.ListResponse{Line: line}); err != nil {
			return err
		}
	}
	return nil
}
