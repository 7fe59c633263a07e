package interop

import (
	"context"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// otherBridges are the other programs that stand between a client and this project's server, and
// the one that starts it.
func otherBridges() []row {
	return []row{
		{name: "haproxy, TCP in front, called by grpc-go", slow: true, run: func(c *cell) {
			path := socketPath(c)
			seen := c.serve(path)
			addr := freePort(c)
			c.startHAProxy(addr, path, "tcp", addr)
			c.runCases(grpcGo, "dns:///"+addr)
			c.sends(seen)
		}},
		{name: "haproxy, a socket in front, called by this project's client", slow: true, run: func(c *cell) {
			path, front := socketPath(c), socketPath(c)
			seen := c.serve(path)
			c.startHAProxy("unix@"+front, path, "unix", front)
			c.runBothWays(front)
			c.sends(seen)
		}},
		{name: "socat, TCP in front, called by grpc-go", run: func(c *cell) {
			path := socketPath(c)
			seen := c.serve(path)
			addr := freePort(c)
			_, port, _ := strings.Cut(addr, ":")
			c.startSocat("TCP-LISTEN:"+port+",bind=127.0.0.1,fork,reuseaddr", path, "tcp", addr)
			c.runCases(grpcGo, "dns:///"+addr)
			c.sends(seen)
		}},
		{name: "socat, a socket in front, called by this project's client", run: func(c *cell) {
			path, front := socketPath(c), socketPath(c)
			seen := c.serve(path)
			c.startSocat("UNIX-LISTEN:"+front+",fork", path, "unix", front)
			t, tapped := c.tap(front)
			c.runCases(ours, tapped)
			c.spoken(t, false, true) // socat passes on what it does not understand
			t, tapped = c.tap(front)
			c.runCases(oursHTTP2, tapped)
			c.spoken(t, true, false)
			c.sends(seen)
		}},
		browsers("grpc-web"),
		browsers("connect"),
		activatedRow("this project's client", ours, func(path string) string { return path }),
		activatedRow("grpc-go", grpcGo, func(path string) string { return "unix://" + path }),
	}
}

func (c *cell) startHAProxy(listen, path, network, addr string) {
	c.Helper()
	haproxy := c.need("haproxy", "haproxy")
	c.version, _, _ = strings.Cut(strings.Fields(c.firstLine(haproxy, "-v"))[2], "-")
	c.lateReplies = []string{"REFUSED_STREAM"}
	config := writeFile(c, filepath.Join(dir(c), "haproxy.cfg"),
		"defaults",
		"	mode http",
		"	timeout connect 5s",
		"	timeout client 1m",
		"	timeout server 1m",
		"frontend in",
		"	bind "+listen+" proto h2",
		"	default_backend out",
		"backend out",
		"	server server unix@"+path+" proto h2")
	d := c.start(exec.Command(haproxy, "-db", "-f", config))
	c.answers(d, network, addr)
}

func (c *cell) startSocat(listen, path, network, addr string) {
	c.Helper()
	socat := c.need("socat", "socat")
	out := c.output(exec.Command(socat, "-V"))
	_, version, _ := strings.Cut(out, "socat version ")
	c.version, _, _ = strings.Cut(version, " ")
	d := c.start(exec.Command(socat, listen, "UNIX-CONNECT:"+path))
	c.answers(d, network, addr)
}

// activatedRow has systemd listen and start this project's server for the first client.
func activatedRow(client string, kind clientKind, target func(path string) string) row {
	return row{name: "systemd-socket-activate, called by " + client, slow: true, run: func(c *cell) {
		systemd := c.need("systemd-socket-activate", "systemd")
		c.version = strings.Fields(c.firstLine(systemd, "--version"))[1]
		path := socketPath(c)
		server := child(context.Background(), c, "serve", path)
		args := []string{"--listen=" + path}
		for _, variable := range server.Env {
			if strings.HasPrefix(variable, programEnv+"=") {
				args = append(args, "--setenv="+variable)
			}
		}
		d := c.start(exec.Command(systemd, append(args, server.Args...)...))
		// Not c.answers: to connect would start the server, and be a client that says nothing.
		c.waitFor("systemd to listen", func() bool { return strings.Contains(d.log.String(), "Listening on ") })
		c.runCases(kind, target(path))
		if err := d.Process.Signal(syscall.SIGTERM); err != nil {
			c.Fatalf("%v", err)
		}
		<-d.exited
		c.check(d.ProcessState.Success(), "the server ends with %v: %s", d.ProcessState, d.log)
	}}
}
