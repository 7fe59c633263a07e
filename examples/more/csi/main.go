// Command csi is a CSI plugin: the stubs are those of the CSI project, the constructors are
// udsgrpc's, generated beside them. Its volumes are names in memory, and empty directories.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"os/signal"
	"syscall"

	"github.com/container-storage-interface/spec/lib/go/csi"

	"github.com/udsgrpc/udsgrpc/runtime"
	"github.com/udsgrpc/udsgrpc/thirdparty/gen/csiudsgrpc"
)

func main() {
	endpoint, node := os.Getenv("CSI_ENDPOINT"), os.Getenv("NODE_ID")
	if endpoint == "" || node == "" {
		log.Fatal("set CSI_ENDPOINT to the path of the socket, and NODE_ID to the name of this node")
	}
	if err := run(endpoint, node); err != nil {
		log.Fatal(err)
	}
}

func run(endpoint, node string) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()

	// The kubelet runs as root. A plugin that mounts does, too; this one need not.
	srv, err := csiudsgrpc.NewIdentityUDSServer(endpoint, identity{},
		runtime.Authorize(runtime.Any(runtime.SameUser(), runtime.Root())))
	if err != nil {
		return err
	}
	known := newVolumes()
	csi.RegisterControllerServer(srv, controller{volumes: known})
	csi.RegisterNodeServer(srv, nodeServer{volumes: known, id: node})

	fmt.Printf("process %d serves CSI on %s\n", os.Getpid(), srv.Path())
	return srv.Serve(ctx)
}
