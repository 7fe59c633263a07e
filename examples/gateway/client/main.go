// Command client calls the greeter from anywhere: the stubs are those that the socket has, the
// connection is plain grpc with TLS.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	greeterv1 "github.com/udsgrpc/udsgrpc/examples/greeter/gen/greeter/v1"
)

func main() {
	if len(os.Args) != 3 {
		log.Fatal("usage: client HOST:PORT CERTIFICATES")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := run(ctx, os.Args[1], os.Args[2]); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, addr, certificates string) error {
	creds, err := readCredentials(certificates)
	if err != nil {
		return err
	}
	conn, err := grpc.NewClient("dns:///"+addr, grpc.WithTransportCredentials(creds))
	if err != nil {
		return err
	}
	defer conn.Close()
	client := greeterv1.NewGreeterClient(conn)

	greeted, err := client.Greet(ctx, &greeterv1.GreetRequest{Name: "Ada"})
	if err != nil {
		return err
	}
	fmt.Println(greeted.GetGreeting())
	gathered, err := gather(ctx, client)
	if err != nil {
		return err
	}
	fmt.Println(gathered.GetGreeting())
	return nil
}

func readCredentials(dir string) (credentials.TransportCredentials, error) {
	ca, err := os.ReadFile(filepath.Join(dir, "ca.pem"))
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(ca) {
		return nil, errors.New("there is no certificate in ca.pem")
	}
	own, err := tls.LoadX509KeyPair(filepath.Join(dir, "client.pem"), filepath.Join(dir, "client.key"))
	if err != nil {
		return nil, err
	}
	return credentials.NewTLS(&tls.Config{RootCAs: pool, Certificates: []tls.Certificate{own}}), nil
}

// gather sends 2 MiB, twice what nginx takes for a request unless told otherwise.
func gather(ctx context.Context, client greeterv1.GreeterClient) (*greeterv1.GatherResponse, error) {
	stream, err := client.Gather(ctx)
	if err != nil {
		return nil, err
	}
	req := &greeterv1.GatherRequest{Name: strings.Repeat("x", 128<<10)}
	for range 16 {
		if err := stream.Send(req); errors.Is(err, io.EOF) {
			break // CloseAndRecv says why
		} else if err != nil {
			return nil, err
		}
	}
	return stream.CloseAndRecv()
}
