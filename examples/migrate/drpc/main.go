// Command drpc serves and calls notes over a Unix socket with drpc.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"

	"storj.io/drpc/drpcconn"
	"storj.io/drpc/drpcmux"
	"storj.io/drpc/drpcserver"

	notesv1 "github.com/udsgrpc/udsgrpc/examples/migrate/gen/notes/v1"
	"github.com/udsgrpc/udsgrpc/examples/migrate/notes"
)

func main() { notes.Main(serve, call) }

func serve(ctx context.Context, path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	listener, err := net.Listen("unix", path)
	if err != nil {
		return err
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return err
	}
	mux := drpcmux.New()
	if err := notesv1.DRPCRegisterNotes(mux, &service{}); err != nil {
		return err
	}
	fmt.Println("serving on", path)
	return drpcserver.New(mux).Serve(ctx, listener)
}

func call(ctx context.Context, path, line string) error {
	raw, err := net.Dial("unix", path)
	if err != nil {
		return err
	}
	conn := drpcconn.New(raw)
	defer conn.Close()
	client := notesv1.NewDRPCNotesClient(conn)
	added, err := client.Add(ctx, &notesv1.AddRequest{Line: line})
	if err != nil {
		return err
	}
	fmt.Println(added.GetCount(), "lines")
	stream, err := client.List(ctx, &notesv1.ListRequest{})
	if err != nil {
		return err
	}
	defer stream.Close()
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

type service struct{ notes notes.Notes }

func (s *service) Add(_ context.Context, req *notesv1.AddRequest) (*notesv1.AddResponse, error) {
	return &notesv1.AddResponse{Count: s.notes.Add(req.GetLine())}, nil
}

func (s *service) List(_ *notesv1.ListRequest, stream notesv1.DRPCNotes_ListStream) error {
	for _, line := range s.notes.Lines() {
		if err := stream.Send(&notesv1.ListResponse{Line: line}); err != nil {
			return err
		}
	}
	return nil
}
