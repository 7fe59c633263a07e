#!/usr/bin/env bash
# go-grpc-middleware's retry: a stream that fails in the middle begins again, and the caller gets messages twice.
#
# Surprise: gRPC's own retries stop at the first message, as a call that gave an answer cannot be taken back. This
# interceptor opens a server stream again after messages were delivered, and goes on with the new stream's first
# message: three tries of a stream of two are six messages and io.EOF, without an error and without a sign.
# Who meets it: clients that set it to bridge a daemon's restart, where streams end with Unavailable, and copy,
# count or sum what a stream brings.
# Seen since: go-grpc-middleware 2.3.4. Its documentation says that server streams are supported, and no more.
# Source: RecvMsg in
# https://github.com/grpc-ecosystem/go-grpc-middleware/blob/v2.3.4/interceptors/retry/retry.go
source "$(dirname "$0")/common.bash"

go_program github.com/grpc-ecosystem/go-grpc-middleware/v2@v2.3.4 google.golang.org/grpc@v1.85.0 <<'GO'
package main

import (
	"context"
	"fmt"
	"net"
	"os"

	"github.com/grpc-ecosystem/go-grpc-middleware/v2/interceptors/retry"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	pb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/status"
)

// restarting sends lines one and two. It breaks off after them, but for the third time.
type restarting struct {
	pb.UnimplementedTestServiceServer
	calls int
}

func (s *restarting) StreamingOutputCall(_ *pb.StreamingOutputCallRequest, stream pb.TestService_StreamingOutputCallServer) error {
	s.calls++
	for _, line := range []string{"one", "two"} {
		if err := stream.Send(&pb.StreamingOutputCallResponse{Payload: &pb.Payload{Body: []byte(line)}}); err != nil {
			return err
		}
	}
	if s.calls < 3 {
		return status.Error(codes.Unavailable, "restarting")
	}
	return nil
}

func main() {
	listener, err := net.Listen("unix", os.Args[1])
	if err != nil {
		panic(err)
	}
	server := grpc.NewServer()
	pb.RegisterTestServiceServer(server, &restarting{})
	go server.Serve(listener)
	conn, err := grpc.NewClient("unix:"+os.Args[1], grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithStreamInterceptor(retry.StreamClientInterceptor(retry.WithMax(5))))
	if err != nil {
		panic(err)
	}
	stream, err := pb.NewTestServiceClient(conn).StreamingOutputCall(context.Background(), &pb.StreamingOutputCallRequest{})
	if err != nil {
		panic(err)
	}
	fmt.Print("received:")
	for {
		message, err := stream.Recv()
		if err != nil {
			fmt.Printf(", and then %v\n", err)
			return
		}
		fmt.Printf(" %s", message.GetPayload().GetBody())
	}
}
GO
verdict 'received: one two, and then Unavailable' \
	'^received: one two one two one two, and then EOF$' "$("$work/probe" "$work/s" 2>&1)"
