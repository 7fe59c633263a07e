// Command connect serves and calls notes over a Unix socket with connect-go.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"

	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connecthttp"

	notesv1 "github.com/udsgrpc/udsgrpc/examples/migrate/gen/notes/v1"
	"github.com/udsgrpc/udsgrpc/examples/migrate/gen/notes/v1/notesv1connect"
	"github.com/udsgrpc/udsgrpc/examples/migrate/notes"
)

func main() { notes.Main(serve, call) }

func http2() *http.Protocols {
	p := new(http.Protocols)
	p.SetUnencryptedHTTP2(true)
	return p
}

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
	server := connect.NewServer()
	notesv1connect.RegisterNotesHandler(server, &service{})
	mux := http.NewServeMux()
	connecthttp.Mount(mux, server)
	srv := &http.Server{Handler: mux, Protocols: http2()}
	stopped := make(chan error, 1)
	go func() {
		<-ctx.Done()
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		stopped <- srv.Shutdown(ctx)
	}()
	fmt.Println("serving on", path)
	if err := srv.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return <-stopped
}

func call(ctx context.Context, path, line string) error {
	transport := &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", path)
		},
		Protocols: http2(),
	}
	defer transport.CloseIdleConnections()
	// WithGRPC: so that it can call a server of gRPC, too.
	client := notesv1connect.NewNotesClient(connect.NewClient(
		connecthttp.NewTransport(&http.Client{Transport: transport}, "http://localhost", connecthttp.WithGRPC())))
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
		item, err := stream.Receive()
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

func (s *service) List(_ context.Context, _ *notesv1.ListRequest, stream notesv1connect.NotesListServerStream) error {
	for _, line := range s.notes.Lines() {
		if err := stream.Send(&notesv1.ListResponse{Line: line}); err != nil {
			return err
		}
	}
	return nil
}
