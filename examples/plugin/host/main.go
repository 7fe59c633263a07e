// Command host keeps a plugin running, calls it, and stops it.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"

	greeterv1 "github.com/udsgrpc/udsgrpc/examples/greeter/gen/greeter/v1"
	"github.com/udsgrpc/udsgrpc/runtime"
)

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: host PLUGIN")
	}
	if err := run(os.Args[1]); err != nil {
		log.Fatal(err)
	}
}

func run(program string) (err error) {
	// The plugin lives as long as ctx, and is started again if it dies. A Ctrl-C at a terminal is for this
	// process alone.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()

	plugin, err := runtime.Supervise(ctx, func() *exec.Cmd {
		cmd := exec.Command(program)
		cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr // they are the plugin's own
		return cmd
	}, runtime.StartTimeout(10*time.Second))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, plugin.Close()) }()

	client := greeterv1.NewGreeterClient(plugin.Conn())
	resp, err := client.Greet(ctx, &greeterv1.GreetRequest{Name: "Ada"})
	if err != nil {
		return err
	}
	fmt.Printf("host: the plugin says %q\n", resp.GetGreeting())
	return nil
}
