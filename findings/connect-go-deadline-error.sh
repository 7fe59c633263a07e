#!/usr/bin/env bash
# connect-go v2: chance decides whether errors.Is(err, context.DeadlineExceeded) holds for a call out of time.
#
# Surprise: the client's own clock and the server's answer race, over Connect's protocol and over gRPC's. Where
# the client is first, its error wraps context.DeadlineExceeded; where the server's status is first, it
# does not. The nearer the two are, as on a Unix socket, the more even the odds. connect.CodeOf says
# deadline_exceeded every time, and is what to ask.
# Who meets it: clients that tell a deadline from other errors, or decide on a retry, by errors.Is.
# Seen since: connect-go 2.0.2.
# Source: the documentation of the streams allows the context's error bare or as a cause, but does not
# speak of a status that the server sent: https://github.com/connectrpc/connect-go/blob/v2.0.2/connect.go
source "$(dirname "$0")/common.bash"

go_program connectrpc.com/connect/v2@v2.0.2 google.golang.org/protobuf@v1.36.12 <<'GO'
package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"

	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connecthttp"
	"google.golang.org/protobuf/types/known/emptypb"
)

func main() {
	path := os.Args[1]
	spec := connect.Spec{StreamType: connect.StreamTypeUnary, Procedure: "/finding.Service/Wait"}
	server := connect.NewServer()
	server.Register(connect.Method{Spec: spec, Handler: func(ctx context.Context, _ connect.Spec, stream connect.ServerStream) error {
		if err := stream.Receive(&emptypb.Empty{}); err != nil {
			return err
		}
		<-ctx.Done()
		return ctx.Err()
	}})
	mux := http.NewServeMux()
	connecthttp.Mount(mux, server)
	listener, err := net.Listen("unix", path)
	if err != nil {
		panic(err)
	}
	var plain http.Protocols
	plain.SetUnencryptedHTTP2(true)
	go (&http.Server{Handler: mux, Protocols: &plain}).Serve(listener)

	httpClient := &http.Client{Transport: &http.Transport{
		Protocols: &plain,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", path)
		},
	}}
	for name, options := range map[string][]connecthttp.Option{"connect": nil, "grpc": {connecthttp.WithGRPC()}} {
		client := connect.NewClient(connecthttp.NewTransport(httpClient, "http://localhost", options...))
		is, isNot, ofCode := 0, 0, 0
		for range 200 {
			ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
			err := client.CallUnary(ctx, spec, &emptypb.Empty{}, &emptypb.Empty{})
			cancel()
			if errors.Is(err, context.DeadlineExceeded) {
				is++
			} else {
				isNot++
			}
			if connect.CodeOf(err) == connect.CodeDeadlineExceeded {
				ofCode++
			}
		}
		fmt.Printf("%s: errors.Is(err, context.DeadlineExceeded): %d true, %d false; of the code: %d\n", name, is, isNot, ofCode)
	}
}
GO
verdict 'errors.Is holds for every one of the calls, as for those of net/http' \
	'^(connect|grpc): .* [1-9][0-9]* true, [1-9][0-9]* false; of the code: 200$' "$("$work/probe" "$work/s" 2>&1)"
