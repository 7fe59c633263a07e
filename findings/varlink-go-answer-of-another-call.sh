#!/usr/bin/env bash
# varlink for Go: a call that was given up leaves its answer for the next call.
#
# Surprise: Connection.Call returns when its context ends, and the connection stays usable. The answer that
# comes later is read by the next call, which returns it as its own, without an error. Every call after that
# gets the answer of the one before it.
# Who meets it: programs that give calls a deadline and keep the connection, as the context parameter suggests.
# Seen since: github.com/varlink/go v0.4.1-0.20261015173642-c935be0c53f7.
# Source: Connection.Send, whose receive function reads the next message whatever it answers, in
# https://github.com/varlink/go/blob/c935be0c53f7/varlink/connection.go
source "$(dirname "$0")/common.bash"

go_program github.com/varlink/go@v0.4.1-0.20261015173642-c935be0c53f7 <<'GO'
package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/varlink/go/varlink"
)

type line struct {
	Line string `json:"line"`
}

// echo answers with what it was sent, and waits before that if told to.
type echo struct{ release chan struct{} }

func (e echo) VarlinkDispatch(ctx context.Context, c varlink.Call, method string) error {
	var in line
	if err := c.GetParameters(&in); err != nil {
		return err
	}
	if method == "Slow" {
		<-e.release
	}
	return c.Reply(ctx, &in)
}

func (echo) VarlinkGetName() string { return "org.example.echo" }

func (echo) VarlinkGetDescription() string {
	return "interface org.example.echo\nmethod Slow(line: string) -> (line: string)\nmethod Fast(line: string) -> (line: string)\n"
}

func main() {
	service, err := varlink.NewService("Example", "Echo", "1", "https://example.org")
	if err != nil {
		panic(err)
	}
	e := echo{make(chan struct{})}
	if err := service.RegisterInterface(e); err != nil {
		panic(err)
	}
	ctx := context.Background()
	if err := service.Bind(ctx, "unix:"+os.Args[1]); err != nil {
		panic(err)
	}
	go service.DoListen(ctx, 0)

	conn, err := varlink.NewConnection(ctx, "unix:"+os.Args[1])
	if err != nil {
		panic(err)
	}
	defer conn.Close()
	short, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
	defer cancel()
	var out line
	err = conn.Call(short, "org.example.echo.Slow", line{"first"}, &out)
	fmt.Printf("the call with a deadline: %v\n", err)
	close(e.release)
	for _, sent := range []string{"second", "third"} {
		var out line
		err := conn.Call(ctx, "org.example.echo.Fast", line{sent}, &out)
		fmt.Printf("sent %q, got %q, %v\n", sent, out.Line, err)
	}
}
GO
verdict 'the next call gets its own answer, or an error' \
	'^sent "second", got "first", <nil>$' "$("$work/probe" "$work/s" 2>&1)"
