// Command server serves Log and Memory.
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	filesv1 "github.com/udsgrpc/udsgrpc/examples/files/gen/files/v1"
)

func main() {
	if len(os.Args) != 3 {
		log.Fatal("usage: server SOCKET LOG")
	}
	if err := serve(os.Args[1], os.Args[2]); err != nil {
		log.Fatal(err)
	}
}

func serve(path, logFile string) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	logs := &logServer{file: logFile, ctx: ctx}
	srv, err := filesv1.NewLogUDSServer(path, logs)
	if err != nil {
		return err
	}
	filesv1.RegisterMemoryServer(srv, memoryServer{})
	fmt.Printf("serves on %s\n", path)
	err = srv.Serve(ctx)
	logs.writing.Wait()
	return err
}

type logServer struct {
	filesv1.UnimplementedLogServer
	file    string
	ctx     context.Context
	writing sync.WaitGroup // the goroutines that outlive their calls; each ends with its reader, or with ctx
}

func (s *logServer) Tail(_ context.Context, req *filesv1.TailRequest) (*filesv1.TailResponse, error) {
	source, err := os.Open(s.file)
	if err != nil {
		return nil, status.Errorf(codes.Unavailable, "the log: %v", err)
	}
	output, err := req.GetOutput().Take()
	if err != nil {
		source.Close()
		return nil, status.Errorf(codes.InvalidArgument, "output: %v", err)
	}
	s.writing.Go(func() {
		defer source.Close()
		defer output.Close()
		// A reader that does not read would hold up the end of this program.
		defer context.AfterFunc(s.ctx, func() { output.Close() })()
		if _, err := io.Copy(output, source); err != nil {
			log.Printf("tail: %v", err) // the reader has gone
		}
	})
	return &filesv1.TailResponse{}, nil
}
