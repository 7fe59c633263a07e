package socket_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"time"

	"github.com/udsgrpc/udsgrpc/runtime/socket"
)

func ExampleListen() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "app.sock")

	l, err := socket.Listen(path)
	if err != nil {
		log.Fatal(err)
	}
	defer l.Close()

	_, err = socket.Listen(path)
	fmt.Println("again:", errors.Is(err, socket.ErrInUse))
	// Output: again: true
}

func ExampleListenConfig_Listen() {
	conf := socket.ListenConfig{Mode: 0o660, Owner: &socket.Owner{UID: -1, GID: 1000}, CreateDir: true}
	l, err := conf.Listen(context.Background(), "/run/app/app.sock")
	if err != nil {
		log.Fatal(err)
	}
	defer l.Close()
}

func ExampleDialer() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_, err := (&socket.Dialer{}).DialContext(ctx, "/nowhere/app.sock")
	fmt.Println(errors.Is(err, os.ErrNotExist))
	// Output: true
}

func ExampleParseAddress() {
	addr, err := socket.ParseAddress("unix:///run/app.sock")
	fmt.Println(addr, err)
	// Output: /run/app.sock <nil>
}

func ExampleDiagnose() {
	fmt.Println(socket.Diagnose(context.Background(), "/nowhere/app.sock").Condition)
	// Output: missing
}

func ExamplePeerOf() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	l, err := socket.Listen(filepath.Join(dir, "app.sock"))
	if err != nil {
		log.Fatal(err)
	}
	defer l.Close()
	conn, err := (&socket.Dialer{}).DialAddress(context.Background(), l.Address())
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()

	server, err := socket.PeerOf(conn)
	fmt.Println(server.UID == os.Geteuid(), err)
	// Output: true <nil>
}
