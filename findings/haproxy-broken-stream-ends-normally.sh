#!/usr/bin/env bash
# haproxy: when the server dies in the middle of a stream, the client is sent the stream's ordinary end.
#
# Surprise: one expects RST_STREAM, as nginx and nghttpx send it and as the broken connection itself would tell. The
# client gets END_STREAM: a response that is complete in HTTP, only without a gRPC status. The same when "timeout
# server" ends a stream on which nothing was sent for a while. grpc-go then says Internal, "server closed the
# stream without sending trailers", which is not retried; grpcio says Unknown. Whoever reads the body as HTTP, as
# a translator to another protocol does, or has a gRPC library that takes a missing status for success (tonic
# did up to 0.14.2 at least, and no longer does in 0.14.9), sees the stream end well.
# Who meets it: streams through haproxy, when the server behind it is restarted or is silent.
# Seen since: haproxy 2.6.12.
# Source: "timeout server" in https://docs.haproxy.org/2.6/configuration.html does not speak of it; the maintainer's
# words on a like trace: https://github.com/haproxy/haproxy/issues/736
source "$(dirname "$0")/common.bash"

need haproxy
go_program google.golang.org/grpc@v1.85.0 <<'GO'
package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
)

func main() {
	if os.Args[1] == "serve" {
		listener, err := net.Listen("unix", os.Args[2])
		check(err)
		server := grpc.NewServer()
		healthpb.RegisterHealthServer(server, health.NewServer())
		check(server.Serve(listener))
	}
	server, proxy := os.Args[2], os.Args[3]
	for _, way := range []struct{ name, path string }{{"direct", server}, {"by haproxy", proxy}} {
		fmt.Printf("%s, read by grpc-go: %s\n", way.name, killed(server, func(ready func()) string {
			conn, err := grpc.NewClient("unix:"+way.path, grpc.WithTransportCredentials(insecure.NewCredentials()))
			check(err)
			defer conn.Close()
			stream, err := healthpb.NewHealthClient(conn).Watch(context.Background(), &healthpb.HealthCheckRequest{})
			check(err)
			_, err = stream.Recv()
			check(err)
			ready()
			_, err = stream.Recv()
			return status.Code(err).String()
		}))
		fmt.Printf("%s, read as HTTP: %s\n", way.name, killed(server, func(ready func()) string {
			transport := &http.Transport{Protocols: new(http.Protocols), DialContext: func(context.Context, string, string) (net.Conn, error) {
				return net.Dial("unix", way.path)
			}}
			transport.Protocols.SetUnencryptedHTTP2(true)
			request, err := http.NewRequest("POST", "http://localhost/grpc.health.v1.Health/Watch", bytes.NewReader(make([]byte, 5)))
			check(err)
			request.Header.Set("Content-Type", "application/grpc")
			request.Header.Set("TE", "trailers")
			response, err := transport.RoundTrip(request)
			check(err)
			_, err = io.ReadFull(response.Body, make([]byte, 7)) // SERVING, in a message of two bytes
			check(err)
			ready()
			_, err = io.ReadAll(response.Body)
			return fmt.Sprintf("error %v, trailers %v", err, response.Trailer)
		}))
	}
}

// killed starts a server, and kills it when the call has had its first message.
func killed(path string, call func(ready func()) string) string {
	os.Remove(path)
	server := exec.Command(os.Args[0], "serve", path)
	check(server.Start())
	for {
		conn, err := net.Dial("unix", path)
		if err == nil {
			conn.Close()
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	return call(func() {
		check(server.Process.Kill())
		server.Wait()
	})
}

func check(err error) {
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}
GO
echo "versions: $(haproxy -v | head -n 1)"
cat >"$work/haproxy.cfg" <<CFG
defaults
  mode http
  timeout connect 5s
  timeout client 1m
  timeout server 1m
frontend front
  bind unix@$work/front proto h2
  default_backend back
backend back
  server server unix@$work/back proto h2
CFG
haproxy -db -f "$work/haproxy.cfg" >"$work/haproxy.log" 2>&1 &
children+=($!)
for _ in {1..100}; do
	[[ -S $work/front ]] && break
	sleep 0.1
done
[[ -S $work/front ]] || unavailable "haproxy does not start: $(cat "$work/haproxy.log")"
verdict 'by haproxy, too, reading the HTTP body ends with an error: the stream was cut' \
	'^by haproxy, read as HTTP: error <nil>, trailers map\[\]$' "$(timeout 60 "$work/probe" call "$work/back" "$work/front" 2>&1)"
