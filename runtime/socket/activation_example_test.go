package socket_test

import (
	"fmt"
	"log"

	"github.com/udsgrpc/udsgrpc/runtime/socket"
)

// A program that leaves to its systemd unit where it listens, and has a path of its own for
// when it is started by hand.
func ExampleActivatedAddress() {
	path := "/run/greeter/greeter.sock"
	addr, ok, err := socket.ActivatedAddress("greeter.socket")
	if err != nil {
		log.Fatal(err)
	}
	if ok {
		path = addr.String()
	}
	fmt.Println("serving on", path) // NewGreeterUDSServer(path, greeter{})
	// Output: serving on /run/greeter/greeter.sock
}
