// Command web serves HTTP on a port that it may not open itself. It needs no privileges, at no time.
package main

import (
	"context"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	filesv1 "github.com/udsgrpc/udsgrpc/examples/files/gen/files/v1"
)

func main() {
	if len(os.Args) != 3 {
		log.Fatal("usage: web SOCKET PORT")
	}
	port, err := strconv.ParseUint(os.Args[2], 10, 16)
	if err != nil {
		log.Fatal(err)
	}
	if err := serve(os.Args[1], uint32(port)); err != nil {
		log.Fatal(err)
	}
}

func serve(helper string, port uint32) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	l, err := listen(ctx, helper, port)
	if err != nil {
		return err
	}
	fmt.Printf("uid %d serves http://%s/\n", os.Getuid(), l.Addr())
	srv := &http.Server{ReadHeaderTimeout: 5 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, "Hello from uid %d!\n", os.Getuid())
	})}
	defer context.AfterFunc(ctx, func() { srv.Close() })()
	if err := srv.Serve(l); err != http.ErrServerClosed {
		return err
	}
	return nil
}

// listen asks the helper for a listener. The client takes a server of root's as it does its own user's.
func listen(ctx context.Context, helper string, port uint32) (net.Listener, error) {
	client, conn, err := filesv1.DialListenersUDS(helper)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	resp, err := client.Open(ctx, &filesv1.OpenRequest{Port: port})
	if err != nil {
		return nil, err
	}
	f, err := resp.GetListener().Take()
	if err != nil {
		return nil, fmt.Errorf("the helper's answer: %w", err)
	}
	defer f.Close() // FileListener has a descriptor of its own
	return net.FileListener(f)
}
