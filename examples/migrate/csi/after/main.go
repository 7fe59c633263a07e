// Command after is the identity of a CSI driver, and a sidecar that asks for it, over udsgrpc.
package main

import (
	"context"
	"fmt"
	"time"

	"github.com/container-storage-interface/spec/lib/go/csi"

	"github.com/udsgrpc/udsgrpc/examples/migrate/notes"
	"github.com/udsgrpc/udsgrpc/thirdparty/gen/csiudsgrpc"
)

func main() { notes.Main(serve, call) }

func serve(ctx context.Context, path string) error {
	srv, err := csiudsgrpc.NewIdentityUDSServer(path, identity{})
	if err != nil {
		return err
	}
	fmt.Println("serving on", path)
	return srv.Serve(ctx)
}

func call(ctx context.Context, path, _ string) error {
	client, conn, err := csiudsgrpc.DialIdentityUDS(path)
	if err != nil {
		return err
	}
	defer conn.Close()
	ready, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if err := conn.WaitReady(ready); err != nil {
		return err
	}
	info, err := client.GetPluginInfo(ctx, &csi.GetPluginInfoRequest{})
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
