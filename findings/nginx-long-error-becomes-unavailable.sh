#!/usr/bin/env bash
# nginx, grpc_pass: an error with a long text becomes Unavailable, but only if it is the whole answer.
#
# Surprise: the server answers NotFound with a text of 8 KiB. If a message went out before, the status passes;
# if it is the whole answer, as for every failed unary call, nginx says 502 and the client sees
# Unavailable, which retry policies try again. grpc_buffer_size, one page of memory by default, bounds the
# headers of the response, and such a status is in the headers; trailers are not bounded by it.
# Who meets it: servers behind nginx whose errors carry long texts, stack traces or details.
# Seen since: nginx 1.22.1 with grpc-go 1.85.0.
# Source: https://nginx.org/en/docs/http/ngx_http_grpc_module.html#grpc_buffer_size
source "$(dirname "$0")/common.bash"
need nginx

go_program google.golang.org/grpc@v1.85.0 google.golang.org/protobuf@v1.36.12 <<'GO'
package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"
)

// fail answers NotFound with a text of 8 KiB, after a message where the method asks for one.
func fail(_ any, stream grpc.ServerStream) error {
	method, _ := grpc.MethodFromServerStream(stream)
	if err := stream.RecvMsg(&emptypb.Empty{}); err != nil {
		return err
	}
	if strings.HasSuffix(method, "message-first") {
		if err := stream.SendMsg(&emptypb.Empty{}); err != nil {
			return err
		}
	}
	return status.Error(codes.NotFound, strings.Repeat("x", 8<<10))
}

func main() {
	listener, err := net.Listen("unix", os.Args[1])
	if err != nil {
		panic(err)
	}
	go grpc.NewServer(grpc.UnknownServiceHandler(fail)).Serve(listener)
	for name, path := range map[string]string{"direct": os.Args[1], "through nginx": os.Args[2]} {
		conn, err := grpc.NewClient("unix:"+path, grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			panic(err)
		}
		for _, method := range []string{"message-first", "error-only"} {
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
			stream, err := conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true}, "/finding/"+method, grpc.WaitForReady(true))
			if err == nil {
				err = stream.SendMsg(&emptypb.Empty{})
			}
			for err == nil {
				err = stream.RecvMsg(&emptypb.Empty{})
			}
			fmt.Printf("%s, %s: code %v, text of %d bytes\n", name, method, status.Code(err), len(status.Convert(err).Message()))
			cancel()
		}
	}
}
GO
cat >"$work/nginx.conf" <<NGINX
daemon off; master_process off; pid $work/pid; error_log $work/error.log;
events {}
http {
	access_log off;
	client_body_temp_path $work/t1; proxy_temp_path $work/t2; fastcgi_temp_path $work/t3;
	uwsgi_temp_path $work/t4; scgi_temp_path $work/t5;
	server { listen unix:$work/front http2; location / { grpc_pass grpc://unix:$work/s; } }
}
NGINX
nginx -v 2>&1
nginx -e "$work/error.log" -c "$work/nginx.conf" &
children+=($!)
verdict 'NotFound with a text of 8192 bytes, four times' \
	'^through nginx, error-only: code Unavailable' "$("$work/probe" "$work/s" "$work/front" 2>&1)"
