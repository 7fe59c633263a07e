// Command tail prints the log of a server, which comes through a pipe and not in messages.
package main

import (
	"context"
	"io"
	"log"
	"os"
	"time"

	filesv1 "github.com/udsgrpc/udsgrpc/examples/files/gen/files/v1"
	"github.com/udsgrpc/udsgrpc/runtime"
)

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: tail SOCKET")
	}
	if err := tail(os.Args[1], os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func tail(path string, w io.Writer) error {
	client, conn, err := filesv1.DialLogUDS(path)
	if err != nil {
		return err
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := conn.WaitReady(ctx); err != nil { // the server may come later
		return err
	}
	lines, output, err := os.Pipe()
	if err != nil {
		return err
	}
	defer lines.Close()
	// As it is given away, the server's end is the only one left for writing, and the pipe ends with it.
	if _, err := client.Tail(ctx, &filesv1.TailRequest{Output: runtime.GiveFile(output)}); err != nil {
		return err
	}
	_, err = io.Copy(w, lines)
	return err
}
