package interop

import (
	"regexp"

	"github.com/udsgrpc/udsgrpc/runtime"
)

// goClients are clients written in Go; each runs all of grpc's interop cases.
func goClients() []row {
	return []row{
		ourClient("this project's client", ours, true),
		ourClient("this project's client, `WithHTTP2Only()`", oursHTTP2, false),
		ourClient("this project's client, server with `HTTP2Only()`", ours, false, runtime.HTTP2Only()),
		{name: "grpc-go", run: func(c *cell) {
			c.version = moduleVersion(c, "google.golang.org/grpc")
			path := socketPath(c)
			seen := c.serve(path)
			c.runCases(grpcGo, "unix://"+path)
			c.sends(seen)
		}},
		{name: "connect-go", run: func(c *cell) {
			c.version = moduleVersion(c, "connectrpc.com/connect/v2")
			path := socketPath(c)
			seen := c.serve(path)
			c.runCases(connectGo, path)
			c.sends(seen)
		}},
		{name: "this project's client, grpc-go and connect-go at the same time, on one socket", run: togetherOnOneSocket},
	}
}

// togetherOnOneSocket mixes clients that speak the direct transport with such that speak HTTP/2.
func togetherOnOneSocket(c *cell) {
	path := socketPath(c)
	seen := c.serve(path)
	t, tapped := c.tap(path)
	for _, name := range caseNames() {
		var clients []*daemon
		for kind, target := range map[clientKind]string{ours: tapped, grpcGo: "unix://" + tapped, connectGo: tapped} {
			clients = append(clients, c.start(child(soon(c), c, "case", string(kind), target, name)))
		}
		for _, d := range clients {
			<-d.exited
			c.check(d.ProcessState.Success(), "%s: %v: %s", d.Args[1], d.ProcessState, d.log)
		}
	}
	c.spoken(t, true, true)
	c.sends(seen)
}

// ourClient runs the cases between both ends of this project, and checks which transport they use.
func ourClient(name string, kind clientKind, direct bool, opts ...runtime.ServerOption) row {
	return row{name: name, run: func(c *cell) {
		path := socketPath(c)
		seen := c.serve(path, opts...)
		t, tapped := c.tap(path)
		c.runCases(kind, tapped)
		tries := kind == ours
		c.spoken(t, !direct, tries)
		c.sends(seen)
	}}
}

// sends puts into the table what the client has sent as :authority.
func (c *cell) sends(seen *authorities) {
	// Ports and folders are others each time.
	said := regexp.MustCompile(`:[0-9]{4,}`).ReplaceAllString(seen.String(), ":PORT")
	said = regexp.MustCompile(`interop[0-9]+`).ReplaceAllString(said, "DIR")
	c.say("sends `:authority` " + said)
}
