#!/usr/bin/env bash
# ttrpc: a stream's metadata and deadline never reach the server.
#
# Surprise: the same context that gives a unary call its metadata and its deadline in the handler gives a stream
# neither: GetMetadata finds nothing there, and ctx.Deadline has none. Nothing says so, at either end.
# When the client's time is over its own RecvMsg fails, and the handler works on.
# Who meets it: services that read a namespace, a lease or a trace from the metadata, as containerd's do, once a
# method of theirs becomes a stream; handlers that rely on the caller's deadline to end.
# Seen since: ttrpc 1.2.10.
# Source: NewStream ("TODO: metadata from context") in https://github.com/containerd/ttrpc/blob/v1.2.10/client.go
source "$(dirname "$0")/common.bash"

go_program github.com/containerd/ttrpc@v1.2.10 google.golang.org/protobuf@v1.36.12 <<'GO'
package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/containerd/ttrpc"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// told is what a handler can know of its call.
func told(ctx context.Context) *wrapperspb.StringValue {
	_, deadline := ctx.Deadline()
	namespace, _ := ttrpc.GetMetadataValue(ctx, "namespace")
	return wrapperspb.String(fmt.Sprintf("namespace %q, a deadline: %t", namespace, deadline))
}

func main() {
	listener, err := net.Listen("unix", os.Args[1])
	check(err)
	server, err := ttrpc.NewServer()
	check(err)
	server.RegisterService("finding", &ttrpc.ServiceDesc{
		Methods: map[string]ttrpc.Method{
			"Unary": func(ctx context.Context, request func(any) error) (any, error) {
				return told(ctx), request(&wrapperspb.StringValue{})
			},
		},
		Streams: map[string]ttrpc.Stream{
			"Stream": {StreamingServer: true, Handler: func(ctx context.Context, stream ttrpc.StreamServer) (any, error) {
				if err := stream.RecvMsg(&wrapperspb.StringValue{}); err != nil {
					return nil, err
				}
				return nil, stream.SendMsg(told(ctx))
			}},
		},
	})
	go server.Serve(context.Background(), listener)
	conn, err := net.Dial("unix", os.Args[1])
	check(err)
	client := ttrpc.NewClient(conn)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	ctx = ttrpc.WithMetadata(ctx, ttrpc.MD{"namespace": {"k8s.io"}})

	var answer wrapperspb.StringValue
	check(client.Call(ctx, "finding", "Unary", wrapperspb.String("?"), &answer))
	fmt.Println("unary: ", answer.GetValue())
	stream, err := client.NewStream(ctx, &ttrpc.StreamDesc{StreamingServer: true}, "finding", "Stream", wrapperspb.String("?"))
	check(err)
	check(stream.RecvMsg(&answer))
	fmt.Println("stream:", answer.GetValue())
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
GO
verdict 'the stream has the namespace and the deadline of its context, as the unary call' \
	'^stream: namespace "", a deadline: false$' "$("$work/probe" "$work/s" 2>&1)"
