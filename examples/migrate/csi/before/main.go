// Command before is the identity of a CSI driver, and a sidecar that asks for it, with grpc-go and csi-lib-utils.
package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"github.com/kubernetes-csi/csi-lib-utils/connection"
	"google.golang.org/grpc"

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
	srv := grpc.NewServer()
	csi.RegisterIdentityServer(srv, identity{})
	go func() {
		<-ctx.Done()
		srv.GracefulStop()
	}()
	fmt.Println("serving on", path)
	return srv.Serve(listener)
}

func call(ctx context.Context, path, _ string) error {
	conn, err := connection.ConnectWithoutMetrics(ctx, "unix://"+path,
		connection.OnConnectionLoss(connection.ExitOnConnectionLoss()), connection.WithTimeout(10*time.Second))
	if err != nil {
		return err
	}
	defer conn.Close()
	info, err := csi.NewIdentityClient(conn).GetPluginInfo(ctx, &csi.GetPluginInfoRequest{})
	if err != nil {
		return err
	}
	fmt.Println(info.GetName())
	return nil
}

type identity struct {
	csi.UnimplementedIdentityServer
}

func (identity) GetPluginInfo(context.Context, *csi.GetPluginInfoRequest) (*csi.GetPluginInfoResponse, error) {
	return &csi.GetPluginInfoResponse{Name: "notes.csi.example.com", VendorVersion: "1"}, nil
}
