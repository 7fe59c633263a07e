#!/usr/bin/env bash
# twirp: a server that is not there, and a deadline that passed, both have the code internal.
#
# Surprise: the codes unavailable and deadline_exceeded exist, but twirp's generated clients never use them of
# themselves: a missing socket and a client's own deadline come as internal, like a bug of the server. Code
# that retries by the code, as for gRPC, does not retry.
# Who meets it: whoever replaces gRPC by twirp behind a Unix socket and keeps the retries.
# Seen since: twirp 8.1.3.
# Source: doProtobufRequest, here in the example's generated client:
# https://github.com/twitchtv/twirp/blob/v8.1.3/example/service.twirp.go
source "$(dirname "$0")/common.bash"

go_program github.com/twitchtv/twirp@v8.1.3+incompatible <<'GO'
package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/twitchtv/twirp"
	"github.com/twitchtv/twirp/example"
)

type slow struct{}

func (slow) MakeHat(ctx context.Context, _ *example.Size) (*example.Hat, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func call(name, path string) {
	client := example.NewHaberdasherProtobufClient("http://localhost", &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", path)
		},
	}})
	ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	_, err := client.MakeHat(ctx, &example.Size{Inches: 7})
	var failure twirp.Error
	if errors.As(err, &failure) {
		fmt.Printf("%s: code %s\n", name, failure.Code())
		return
	}
	fmt.Printf("%s: %v\n", name, err)
}

func main() {
	path := os.Args[1]
	listener, err := net.Listen("unix", path)
	if err != nil {
		panic(err)
	}
	go http.Serve(listener, example.NewHaberdasherServer(slow{}))
	call("deadline", path)
	call("missing socket", path+"-missing")
}
GO
verdict 'deadline_exceeded and unavailable' '^missing socket: code internal$' "$("$work/probe" "$work/s" 2>&1)"
