// Command helper listens on TCP ports for programs that may not: it runs as root and opens, and they serve.
package main

import (
	"context"
	"fmt"
	"log"
	"net"
	"os"
	"os/signal"
	"strconv"
	"syscall"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	filesv1 "github.com/udsgrpc/udsgrpc/examples/files/gen/files/v1"
	"github.com/udsgrpc/udsgrpc/runtime"
)

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: helper SOCKET")
	}
	if err := serve(os.Args[1]); err != nil {
		log.Fatal(err)
	}
}

func serve(path string) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// Who may call stands in the .proto file; the mode only lets them get as far as that is checked.
	srv, err := filesv1.NewListenersUDSServer(path, listeners{}, runtime.SocketMode(0o666))
	if err != nil {
		return err
	}
	fmt.Printf("serves on %s\n", path)
	return srv.Serve(ctx)
}

type listeners struct {
	filesv1.UnimplementedListenersServer
}

func (listeners) Open(ctx context.Context, req *filesv1.OpenRequest) (*filesv1.OpenResponse, error) {
	addr := net.JoinHostPort("127.0.0.1", strconv.FormatUint(uint64(req.GetPort()), 10))
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, status.Errorf(codes.Unavailable, "open: %v", err)
	}
	defer l.Close()
	f, err := l.(*net.TCPListener).File()
	if err != nil {
		return nil, status.Errorf(codes.Unavailable, "open: %v", err)
	}
	return &filesv1.OpenResponse{Listener: runtime.GiveFile(f)}, nil
}
