// Command prometheus serves a greeter, and what it has counted for Prometheus to read.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"os/signal"
	"syscall"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	greeterv1 "github.com/udsgrpc/udsgrpc/examples/greeter/gen/greeter/v1"
	"github.com/udsgrpc/udsgrpc/udsprometheus"
)

func main() {
	path := flag.String("socket", "/run/greeter/greeter.sock", "path to serve on")
	metrics := flag.String("metrics", "127.0.0.1:0", "address for Prometheus; port 0 takes a free one")
	flag.Parse()
	if err := run(*path, *metrics); err != nil {
		log.Fatal(err)
	}
}

func run(path, metrics string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	srv, err := greeterv1.NewGreeterUDSServer(path, greeter{})
	if err != nil {
		return err
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(udsprometheus.NewServerCollector(srv))
	l, err := net.Listen("tcp", metrics)
	if err != nil {
		return errors.Join(err, srv.Close())
	}
	fmt.Printf("metrics on http://%s/metrics\n", l.Addr())
	mux := http.NewServeMux()
	mux.Handle("/metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	web := &http.Server{Handler: mux}
	ended := make(chan error, 1)
	go func() { ended <- web.Serve(l) }()

	err = errors.Join(srv.Serve(ctx), web.Close())
	if webErr := <-ended; !errors.Is(webErr, http.ErrServerClosed) {
		err = errors.Join(err, webErr)
	}
	return err
}

type greeter struct {
	greeterv1.UnimplementedGreeterServer
}

func (greeter) Greet(_ context.Context, req *greeterv1.GreetRequest) (*greeterv1.GreetResponse, error) {
	return &greeterv1.GreetResponse{Greeting: "Hello, " + req.GetName() + "!"}, nil
}
