package interop

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/status"

	"github.com/udsgrpc/udsgrpc/runtime"
)

// nginxRows put nginx in front of this project's server. Started by root, nginx serves as
// Debian's user for that, so the server has to let in another user than its own.
func nginxRows() []row {
	return []row{
		{name: "nginx, TCP in front, called by grpc-go", run: func(c *cell) {
			path := socketPath(c)
			seen := c.serveForNginx(path)
			addr := freePort(c)
			c.startNginx(addr, path, "tcp", addr)
			c.runCases(grpcGo, "dns:///"+addr)
			c.sends(seen)
		}},
		{name: "nginx, a socket in front, called by this project's client", run: func(c *cell) {
			path, front := socketPath(c), socketPath(c)
			seen := c.serveForNginx(path)
			c.startNginx("unix:"+front, path, "unix", front)
			c.runBothWays(front)
			c.sends(seen)
		}},
		{name: "nginx, kept out by mode 0600", run: keepsNginxOut},
		{name: "nginx, a path as `:authority`", run: refusesPathAsAuthority},
		{name: "nginx, a stream of 2 MiB", run: limitsBody},
	}
}

// nginxUser is whom nginx serves as, if that is another user than this one.
func (c *cell) nginxUser() (uid, gid int, another bool) {
	c.Helper()
	if os.Geteuid() != 0 {
		return os.Geteuid(), os.Getegid(), false
	}
	u, err := user.Lookup("www-data")
	if err != nil {
		c.missing("there is no user www-data, as whom Debian's nginx serves: %v", err)
	}
	uid, uidErr := strconv.Atoi(u.Uid)
	gid, gidErr := strconv.Atoi(u.Gid)
	if err := errors.Join(uidErr, gidErr); err != nil {
		c.Fatalf("%v", err)
	}
	return uid, gid, true
}

// serveForNginx lets nginx's group connect and nginx's user call.
func (c *cell) serveForNginx(path string) *authorities {
	c.Helper()
	c.need("nginx", "nginx")
	uid, gid, another := c.nginxUser()
	if !another {
		return c.serve(path)
	}
	return c.serve(path, runtime.SocketMode(0o660), runtime.SocketOwner(-1, gid), runtime.Authorize(runtime.AllowUID(uid)))
}

// startNginx starts nginx with one server, which listens on listen and passes everything on to
// the socket at path; network and addr are where to reach it. More directives may be given.
func (c *cell) startNginx(listen, path, network, addr string, directives ...string) {
	c.Helper()
	nginx := c.need("nginx", "nginx")
	c.lateReplies = []string{"502 (Bad Gateway)"}
	_, version, _ := strings.Cut(c.firstLine(nginx, "-v"), "nginx/")
	c.version, _, _ = strings.Cut(version, " ")
	prefix := dir(c)
	asUser := ""
	if _, _, another := c.nginxUser(); another {
		asUser = "user www-data;"
	}
	var temps strings.Builder
	for _, kind := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		fmt.Fprintf(&temps, "%s_temp_path %s; ", kind, filepath.Join(prefix, kind))
	}
	config := writeFile(c, filepath.Join(prefix, "nginx.conf"),
		asUser,
		"daemon off;",
		"worker_processes 1;",
		"error_log stderr;",
		"pid "+filepath.Join(prefix, "pid")+";",
		"events {}",
		"http {",
		"	access_log off;",
		"	"+temps.String(),
		"	server {",
		"		listen "+listen+" http2;",
		"		"+strings.Join(directives, " "),
		"		location / { grpc_pass grpc://unix:"+path+"; }",
		"	}",
		"}")
	d := c.start(exec.Command(nginx, "-e", "stderr", "-p", prefix, "-c", config))
	c.answers(d, network, addr)
}

// callThrough makes one call by plain grpc-go.
func (c *cell) callThrough(target string, opts ...grpc.DialOption) error {
	c.Helper()
	conn, err := grpc.NewClient(target, append(opts, grpc.WithTransportCredentials(insecure.NewCredentials()))...)
	if err != nil {
		c.Fatalf("%v", err)
	}
	defer conn.Close()
	_, err = testgrpc.NewTestServiceClient(conn).EmptyCall(soon(c), &testgrpc.Empty{})
	return err
}

// limitsBody shows that nginx takes all requests of a stream together for one body, and that it
// can be told not to mind its size.
func limitsBody(c *cell) {
	path := socketPath(c)
	c.serveForNginx(path)
	for _, step := range []struct {
		directives []string
		passes     bool
	}{
		{nil, false},
		{[]string{"client_max_body_size 0;"}, true},
	} {
		addr := freePort(c)
		c.startNginx(addr, path, "tcp", addr, step.directives...)
		size, err := c.upload("dns:///"+addr, 8, 256<<10)
		c.check((err == nil) == step.passes, "with %q the stream ends with %v", step.directives, err)
		c.check(!step.passes || size == 8*256<<10, "the server has got %d bytes", size)
	}
	c.say("needs `client_max_body_size 0`")
}

// upload sends a stream of requests by plain grpc-go and returns how much the server says it got.
func (c *cell) upload(target string, requests, size int) (int, error) {
	c.Helper()
	conn, err := grpc.NewClient(target, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		c.Fatalf("%v", err)
	}
	defer conn.Close()
	stream, err := testgrpc.NewTestServiceClient(conn).StreamingInputCall(soon(c))
	if err != nil {
		return 0, err
	}
	request := &testgrpc.StreamingInputCallRequest{Payload: &testgrpc.Payload{Body: make([]byte, size)}}
	for range requests {
		if stream.Send(request) != nil {
			break // CloseAndRecv says why
		}
	}
	reply, err := stream.CloseAndRecv()
	return int(reply.GetAggregatedPayloadSize()), err
}

// keepsNginxOut has the three steps that an administrator goes through: nginx cannot connect,
// then it can and may not call, then it may.
func keepsNginxOut(c *cell) {
	c.need("nginx", "nginx")
	uid, gid, another := c.nginxUser()
	if !another {
		c.remark = "without root nginx serves as this very user"
		c.Skip(c.remark)
	}
	group := []runtime.ServerOption{runtime.SocketMode(0o660), runtime.SocketOwner(-1, gid)}
	for _, step := range []struct {
		opts []runtime.ServerOption
		mode fs.FileMode
		want codes.Code
	}{
		{nil, 0o600, codes.Unavailable},
		{group, 0o660, codes.PermissionDenied},
		{append(group, runtime.Authorize(runtime.AllowUID(uid))), 0o660, codes.OK},
	} {
		path := socketPath(c)
		c.serve(path, step.opts...)
		info, err := os.Stat(path)
		if err != nil {
			c.Fatalf("%v", err)
		}
		c.check(info.Mode().Perm() == step.mode, "the socket has mode %v, want %v", info.Mode(), step.mode)
		addr := freePort(c)
		c.startNginx(addr, path, "tcp", addr)
		err = c.callThrough("dns:///" + addr)
		c.check(status.Code(err) == step.want, "with mode %v the call ends with %v, want %v", step.mode, err, step.want)
	}
	c.say("0600: Unavailable; 0660 and its group: PermissionDenied; with `Authorize(AllowUID(…))`: OK")
}

// refusesPathAsAuthority shows why this project's client sends localhost.
func refusesPathAsAuthority(c *cell) {
	path, front := socketPath(c), socketPath(c)
	c.serveForNginx(path)
	c.startNginx("unix:"+front, path, "unix", front)
	err := c.callThrough("unix://" + front)
	c.check(err == nil, "with localhost as :authority the call ends with %v", err)
	err = c.callThrough("unix://"+front, grpc.WithAuthority(front))
	c.check(err != nil, "nginx accepts a path as :authority")
	c.say("refused: " + status.Code(err).String())
}
