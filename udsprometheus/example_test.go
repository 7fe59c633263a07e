package udsprometheus_test

import (
	"context"
	"log"

	"github.com/prometheus/client_golang/prometheus"

	greeterv1 "github.com/udsgrpc/udsgrpc/examples/greeter/gen/greeter/v1"
	"github.com/udsgrpc/udsgrpc/udsprometheus"
)

func ExampleNewServerCollector() {
	srv, err := greeterv1.NewGreeterUDSServer("/run/greeter/greeter.sock", greeterv1.UnimplementedGreeterServer{})
	if err != nil {
		log.Fatal(err)
	}
	prometheus.MustRegister(udsprometheus.NewServerCollector(srv))
	if err := srv.Serve(context.Background()); err != nil {
		log.Fatal(err)
	}
}

func ExampleNewClientCollector() {
	_, conn, err := greeterv1.DialGreeterUDS("/run/greeter/greeter.sock")
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	prometheus.MustRegister(udsprometheus.NewClientCollector(conn))
}
