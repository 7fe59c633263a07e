package socket_test

import (
	"context"
	"log"

	"github.com/udsgrpc/udsgrpc/runtime/socket"
)

// The server and the client of a user meet without a setting. In real life they are two programs.
func ExampleDefaultPath() {
	path, err := socket.DefaultPath("app")
	if err != nil {
		log.Fatal(err)
	}
	l, err := socket.Listen(path)
	if err != nil {
		log.Fatal(err)
	}
	defer l.Close()

	path, err = socket.DefaultPath("app")
	if err != nil {
		log.Fatal(err)
	}
	conn, err := (&socket.Dialer{}).DialContext(context.Background(), path)
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
}
