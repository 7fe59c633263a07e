#!/usr/bin/env bash
# drpc: after one call ran out of time, the next one fails with that call's error.
#
# Surprise: a call whose deadline passes closes the whole connection, and the next call, whose context has no
# deadline at all, returns "context deadline exceeded" too, for which errors.Is(err, context.DeadlineExceeded)
# holds. A caller cannot tell it from a deadline of its own. The option SoftCancel of drpcmanager avoids it.
# Who meets it: whoever keeps one drpc connection to a Unix socket for many calls, and retries or reports by
# the kind of the error.
# Seen since: drpc 1.0.0.
# Source: the field SoftCancel of Options in
# https://github.com/storj/drpc/blob/v1.0.0/drpcmanager/manager.go
source "$(dirname "$0")/common.bash"

go_program storj.io/drpc@v1.0.0 <<'GO'
package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"storj.io/drpc"
	"storj.io/drpc/drpcconn"
	"storj.io/drpc/drpcserver"
)

// text is an encoding of *string.
type text struct{}

func (text) Marshal(m drpc.Message) ([]byte, error)   { return []byte(*m.(*string)), nil }
func (text) Unmarshal(b []byte, m drpc.Message) error { *m.(*string) = string(b); return nil }

// echo answers with the request, after a wait if that is asked for.
type echo struct{}

func (echo) HandleRPC(stream drpc.Stream, rpc string) error {
	var request string
	if err := stream.MsgRecv(&request, text{}); err != nil {
		return err
	}
	if request == "wait" {
		<-stream.Context().Done()
	}
	return stream.MsgSend(&request, text{})
}

func main() {
	listener, err := net.Listen("unix", os.Args[1])
	if err != nil {
		panic(err)
	}
	go drpcserver.New(echo{}).Serve(context.Background(), listener)
	raw, err := net.Dial("unix", os.Args[1])
	if err != nil {
		panic(err)
	}
	conn := drpcconn.New(raw)
	call := func(ctx context.Context, request string) {
		var reply string
		err := conn.Invoke(ctx, "/echo", text{}, &request, &reply)
		fmt.Printf("%s: reply %q, error %v, is DeadlineExceeded: %t\n",
			request, reply, err, errors.Is(err, context.DeadlineExceeded))
	}
	call(context.Background(), "first")
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	call(ctx, "wait")
	<-conn.Closed()
	call(context.Background(), "next, without a deadline")
}
GO
verdict 'the call without a deadline works, or says that the connection is closed' \
	'^next, without a deadline: .*is DeadlineExceeded: true$' "$("$work/probe" "$work/s" 2>&1)"
