package main

import (
	"encoding/json"
	"path/filepath"
	goruntime "runtime"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/udsgrpc/udsgrpc/runtime"
)

func TestHealthTellsWhatTheServerSays(t *testing.T) {
	t.Parallel()
	dir := socketDir(t)
	own, plain, without := filepath.Join(dir, "own"), filepath.Join(dir, "plain"), filepath.Join(dir, "without")
	mute, web, refusing := filepath.Join(dir, "mute"), filepath.Join(dir, "web"), filepath.Join(dir, "refusing")
	serve(t, own, runtime.Health())
	serve(t, without)
	serve(t, refusing, runtime.Health(), runtime.Authorize(runtime.AllowUID(123456)), runtime.SocketMode(0o666))
	servePlain(t, plain, func(srv *grpc.Server) {
		h := health.NewServer()
		h.SetServingStatus("down", healthpb.HealthCheckResponse_NOT_SERVING)
		healthpb.RegisterHealthServer(srv, h)
	})
	serveRaw(t, mute, hang)
	serveRaw(t, web, answerHTTP1)
	for name, c := range map[string]struct {
		args   []string
		status int
		want   []string
	}{
		"serving":         {[]string{own}, 0, []string{own + ": SERVING\n"}},
		"plain grpc-go":   {[]string{plain}, 0, []string{plain + ": SERVING\n"}},
		"a service":       {[]string{plain, "down"}, 3, []string{plain + ": NOT_SERVING\n"}},
		"no such service": {[]string{plain, "other"}, 69, []string{plain + ": NotFound\n"}},
		"no health":       {[]string{without}, 76, []string{": Unimplemented\n", "no health service"}},
		"no server":       {[]string{filepath.Join(dir, "none")}, 78, []string{": Unavailable\n", "no such file"}},
		"hangs":           {[]string{mute, "--timeout", "50ms"}, 68, []string{": DeadlineExceeded\n"}},
		"no gRPC":         {[]string{web}, 78, []string{": Unavailable\n"}},
		"not for us":      {[]string{refusing}, 71, []string{": PermissionDenied\n"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			call(t, append([]string{"health"}, c.args...)...).want(t, c.status, c.want...)

			r := call(t, append([]string{"health", "--json"}, c.args...)...)
			r.want(t, c.status)
			var got healthObject
			if err := json.Unmarshal([]byte(r.stdout), &got); err != nil || r.stderr != "" {
				t.Fatalf("%v: %+v", err, r)
			}
			if got.Path != c.args[0] || got.Status != c.status || (got.Health == "") != (c.status > statusCode) || (got.Message == "") != (got.Health != "") {
				t.Errorf("in JSON it is %+v", got)
			}
		})
	}
}

func TestHealthTellsHowTheCallWasCarried(t *testing.T) {
	t.Parallel()
	if goruntime.GOOS != "linux" {
		t.Skip("only Linux has the direct transport")
	}
	dir := socketDir(t)
	for name, opts := range map[string][]runtime.ServerOption{"direct": nil, "http2": {runtime.HTTP2Only()}} {
		path := filepath.Join(dir, name)
		serve(t, path, append(opts, runtime.Health())...)
		call(t, "health", "--json", path).want(t, 0, `"transport":"`+name+`"`)
	}
}
