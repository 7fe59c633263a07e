package interop

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os/exec"
	"strings"

	"connectrpc.com/vanguard"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"
)

// browserCases are those that need no more than a browser's fetch can do: a whole request, and an answer of one
// message or several.
var browserCases = []string{
	"empty_unary", "large_unary", "server_streaming", "special_status_message",
	"unimplemented_method", "unimplemented_service", "all_bytes_in_metadata",
}

// browsers is a client for browsers behind a proxy that speaks its protocol in front, and gRPC to the socket.
func browsers(protocol string) row {
	return row{name: "vanguard, TCP in front, called by connect-web with " + protocol, slow: true, run: func(c *cell) {
		node := c.node("@connectrpc/connect-web")
		c.version = "vanguard " + moduleVersion(c, "connectrpc.com/vanguard") + ", connect-web " + c.version
		path := socketPath(c)
		seen := c.serve(path)
		front := c.startVanguard(path)
		args := append([]string{"js/connect-client.js", protocol + "+" + front, c.descriptors()}, browserCases...)
		out := c.output(exec.CommandContext(soon(c), node, args...))
		for _, name := range browserCases {
			c.check(strings.Contains(out, "ok "+name+"\n"), "%s: %s", name, out)
		}
		c.sends(seen)
	}}
}

// startVanguard returns the URL of a proxy for browsers.
func (c *cell) startVanguard(path string) string {
	c.Helper()
	transport := &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", path)
		},
		Protocols: new(http.Protocols),
	}
	transport.Protocols.SetUnencryptedHTTP2(true)
	c.Cleanup(transport.CloseIdleConnections)
	socket := &httputil.ReverseProxy{
		Rewrite:       func(r *httputil.ProxyRequest) { r.SetURL(&url.URL{Scheme: "http", Host: "localhost"}) },
		Transport:     transport,
		FlushInterval: -1, // at once
	}
	proxy, err := vanguard.NewTranscoder([]*vanguard.Service{
		vanguard.NewService(testgrpc.TestService_ServiceDesc.ServiceName, socket,
			vanguard.WithTargetProtocols(vanguard.ProtocolGRPC),
			vanguard.WithTargetCodecs(vanguard.CodecProto)), // connect-web sends JSON unless told otherwise
	})
	if err != nil {
		c.Fatalf("%v", err)
	}
	server := httptest.NewServer(proxy)
	c.Cleanup(server.Close)
	return server.URL
}
