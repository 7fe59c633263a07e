// Command ttrpc serves and calls notes over a Unix socket with ttrpc, which knows its peers on Linux only.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"github.com/containerd/ttrpc"

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
	srv, err := ttrpc.NewServer(ttrpc.WithServerHandshaker(ttrpc.UnixSocketRequireSameUser()))
	if err != nil {
		return err
	}
	notesv1.RegisterTTRPCNotesService(srv, &service{})
	stopped := make(chan error, 1)
	go func() {
		<-ctx.Done()
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		stopped <- srv.Shutdown(ctx)
	}()
	fmt.Println("serving on", path)
	if err := srv.Serve(context.WithoutCancel(ctx), listener); !errors.Is(err, ttrpc.ErrServerClosed) {
		return err
	}
	return <-stopped
}

func call(ctx context.Context, path, line string) error {
	conn, err := net.Dial("unix", path)
	if err != nil {
		return err
	}
	ttrpcClient := ttrpc.NewClient(conn)
	defer ttrpcClient.Close()
	client := notesv1.NewTTRPCNotesClient(ttrpcClient)
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

type service struct{ notes notes.Notes }

func (s *service) Add(_ context.Context, req *notesv1.AddRequest) (*notesv1.AddResponse, error) {
	return &notesv1.AddResponse{Count: s.notes.Add(req.GetLine())}, nil
}

func (s *service) List(_ context.Context, _ *notesv1.ListRequest, stream notesv1.TTRPCNotes_ListServer) error {
	for _, line := range s.notes.Lines() {
		if err := stream.Send(&notesv1.ListResponse{Line: line}); err != nil {
			return err
		}
	}
	return nil
}
