package channelz_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"google.golang.org/grpc/channelz/grpc_channelz_v1"

	greeterv1 "github.com/udsgrpc/udsgrpc/examples/greeter/gen/greeter/v1"
	"github.com/udsgrpc/udsgrpc/runtime"
	"github.com/udsgrpc/udsgrpc/runtime/channelz"
)

func ExampleRegister() {
	dir, err := os.MkdirTemp("", "channelz")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "app.sock")
	srv, err := greeterv1.NewGreeterUDSServer(path, greeterv1.UnimplementedGreeterServer{})
	if err != nil {
		log.Fatal(err)
	}
	channelz.Register(srv)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- srv.Serve(ctx) }()

	// What grpcdebug asks for, too.
	conn, err := runtime.Dial(path)
	if err != nil {
		log.Fatal(err)
	}
	servers, err := grpc_channelz_v1.NewChannelzClient(conn).GetServers(ctx, &grpc_channelz_v1.GetServersRequest{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(servers.GetServer()) > 0)
	conn.Close()
	stop()
	if err := <-ended; err != nil {
		log.Fatal(err)
	}
	// Output: true
}
