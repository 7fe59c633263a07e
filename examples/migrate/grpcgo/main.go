// Command grpcgo serves and calls notes over a Unix socket with grpc-go, as it is often written by hand.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

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
	srv := grpc.NewServer()
	notesv1.RegisterNotesServer(srv, &service{})
	go func() {
		<-ctx.Done()
		timer := time.AfterFunc(10*time.Second, srv.Stop)
		defer timer.Stop()
		srv.GracefulStop()
	}()
	fmt.Println("serving on", path)
	return srv.Serve(listener)
}

func call(ctx context.Context, path, line string) error {
	conn, err := grpc.NewClient("unix:"+path, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer conn.Close()
	client := notesv1.NewNotesClient(conn)
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
