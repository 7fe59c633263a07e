package notes

import (
	"context"
	"fmt"
	"log"
	"os"
	"os/signal"
	"syscall"
)

// Main runs one of two functions: serve with the arguments "serve PATH", until an interrupt or SIGTERM ends its
// context, or call with "call PATH LINE".
func Main(serve func(ctx context.Context, path string) error, call func(ctx context.Context, path, line string) error) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var err error
	switch args := os.Args[1:]; {
	case len(args) == 2 && args[0] == "serve":
		err = serve(ctx, args[1])
	case len(args) == 3 && args[0] == "call":
		err = call(ctx, args[1], args[2])
	default:
		err = fmt.Errorf("usage: %s serve PATH, or %[1]s call PATH LINE", os.Args[0])
	}
	if err != nil {
		log.Fatal(err)
	}
}
