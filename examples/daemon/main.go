// Command daemon is a daemon and its own command line: the one that runs and the one that talks
// to it are the same program.
//
//	daemon [flags] start    serve in the foreground; takes over from one that runs
//	daemon [flags] status   say what runs
//	daemon [flags] stop     make it finish its calls and end
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

const usage = `usage: daemon [flags] start | status | stop

`

func main() {
	path := flag.String("socket", "/tmp/daemon-example/daemon.sock", "path of the socket")
	version := flag.String("version", "v1", "start: what status calls this process")
	timeout := flag.Duration("timeout", 10*time.Second, "status, stop: how long to wait for the daemon")
	flag.Usage = func() {
		fmt.Fprint(flag.CommandLine.Output(), usage)
		flag.PrintDefaults()
	}
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var err error
	switch command := flag.Arg(0); command {
	case "start":
		err = start(ctx, *path, *version)
	case "status", "stop":
		ctx, cancel := context.WithTimeout(ctx, *timeout)
		defer cancel()
		if command == "stop" {
			err = tellToStop(ctx, *path)
		} else {
			err = status(ctx, *path)
		}
	default:
		flag.Usage()
		os.Exit(2)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "daemon:", err)
		os.Exit(1)
	}
}
