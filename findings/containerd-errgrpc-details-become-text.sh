#!/usr/bin/env bash
# containerd's errgrpc: the details of a status come out as text.
#
# Surprise: an error of a gRPC call that went through ToNative and ToGRPC, which are made for each other, as in a
# proxy or a daemon that calls another, has lost its details: where a google.rpc.ErrorInfo was there is a
# google.rpc.Status of code 2 whose message is "non-error detail: ..." and the printed ErrorInfo. The
# error's own message has that text as a second line.
# Who meets it: whoever calls a server with rich errors (RetryInfo, BadRequest, ErrorInfo) from a program in
# containerd's style: the caller two sockets away finds neither the reason nor the time to wait.
# Seen since: errdefs/pkg 0.3.0. The comment of ToNative says that details are used to give the error more context.
# Source: ToNative in https://github.com/containerd/errdefs/blob/pkg/v0.3.0/pkg/errgrpc/grpc.go
source "$(dirname "$0")/common.bash"

go_program github.com/containerd/errdefs/pkg@v0.3.0 google.golang.org/grpc@v1.85.0 <<'GO'
package main

import (
	"fmt"

	"github.com/containerd/errdefs/pkg/errgrpc"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func main() {
	show := func(what string, err error) {
		st := status.Convert(err)
		fmt.Printf("%s: %v %q\n", what, st.Code(), st.Message())
		for _, detail := range st.Details() {
			switch detail := detail.(type) {
			case *errdetails.ErrorInfo:
				fmt.Printf("%s: detail %T, reason %s\n", what, detail, detail.GetReason())
			default:
				fmt.Printf("%s: detail %T\n", what, detail)
			}
		}
	}
	st, err := status.New(codes.FailedPrecondition, "busy").WithDetails(&errdetails.ErrorInfo{Reason: "LOCKED"})
	if err != nil {
		panic(err)
	}
	show("received", st.Err())
	show("passed on", errgrpc.ToGRPC(errgrpc.ToNative(st.Err())))
}
GO
verdict 'passed on: the same code, message and detail as received' \
	'^passed on: detail \*status\.Status$' "$("$work/probe" 2>&1)"
