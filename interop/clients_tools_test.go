package interop

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// toolClients are what one uses by hand, in scripts and as a probe.
func toolClients() []row {
	return []row{
		{name: "grpcurl -unix /path", run: func(c *cell) {
			c.grpcurl(func(path string) []string { return []string{"-unix", path} })
		}},
		{name: "grpcurl unix:///path", run: func(c *cell) {
			c.grpcurl(func(path string) []string { return []string{"unix://" + path} })
		}},
		{name: "grpc-health-probe", run: healthProbe},
		{name: "ghz", slow: true, run: ghz},
		{name: "buf curl", slow: true, run: bufCurl},
		{name: "curl", run: curl},
	}
}

// failing is a request for an error; 9 is FailedPrecondition.
const failing = `{"response_status": {"code": 9, "message": "not now ☺"}}`

// squeeze is for JSON, in which spaces mean nothing.
func squeeze(printed string) string { return strings.Join(strings.Fields(printed), "") }

// exitCode is that of a command that may fail, and -1 for one that could not be run.
func exitCode(cmd *exec.Cmd) int {
	if cmd.ProcessState == nil {
		return -1
	}
	return cmd.ProcessState.ExitCode()
}

func (c *cell) grpcurl(address func(path string) []string) {
	program := c.goTool("tools/grpcurl.mod", "grpcurl", "github.com/fullstorydev/grpcurl")
	path := socketPath(c)
	seen := c.serve(path)
	run := func(flags []string, method ...string) (string, int) {
		args := append([]string{"-plaintext"}, flags...)
		cmd := exec.CommandContext(soon(c), program, append(append(args, address(path)...), method...)...)
		out, _ := cmd.CombinedOutput()
		return string(out), exitCode(cmd)
	}

	out, _ := run(nil, "list")
	c.contains(out, "grpc.testing.TestService\n", "grpc.health.v1.Health\n")

	out, _ = run([]string{"-v", "-H", "x-grpc-test-echo-initial: there and back", "-d", `{"response_size": 5}`}, "grpc.testing.TestService/UnaryCall")
	c.contains(out, "\nx-grpc-test-echo-initial: there and back\n")
	c.contains(squeeze(out), `{"payload":{"body":"AAAAAAA="}}`)

	out, code := run([]string{"-d", failing}, "grpc.testing.TestService/UnaryCall")
	c.contains(out, "Code: FailedPrecondition\n", "Message: not now ☺\n")
	c.check(code == 64+9, "grpcurl ends with status %d, want 64 and the code, 9", code)

	two := `{"response_parameters": [{"size": 1}]} {"response_parameters": [{"size": 2}]}`
	out, _ = run([]string{"-d", two}, "grpc.testing.TestService/FullDuplexCall")
	c.check(squeeze(out) == `{"payload":{"body":"AA=="}}{"payload":{"body":"AAA="}}`, "the stream has brought %s", out)
	c.sends(seen)
}

func healthProbe(c *cell) {
	program := c.goTool("tools/grpc-health-probe.mod", "grpc-health-probe", "github.com/grpc-ecosystem/grpc-health-probe")
	path := socketPath(c)
	seen := c.serve(path)
	for _, r := range []struct {
		service, want string
		code          int
	}{
		{"", "status: SERVING", 0},
		{"grpc.testing.TestService", "status: SERVING", 0},
		{"no.such.Service", "code = NotFound", 3},
	} {
		cmd := exec.CommandContext(soon(c), program, "-addr=unix://"+path, "-service="+r.service)
		out, _ := cmd.CombinedOutput()
		c.contains(string(out), r.want)
		c.check(exitCode(cmd) == r.code, "for service %q it ends with status %d, want %d", r.service, exitCode(cmd), r.code)
	}
	c.sends(seen)
}

func ghz(c *cell) {
	program := c.goTool("tools/ghz.mod", "ghz", "github.com/bojand/ghz")
	path := socketPath(c)
	seen := c.serve(path)
	out := c.output(exec.CommandContext(soon(c), program, "--insecure", "--total=500", "--concurrency=10", "--format=json",
		"--call=grpc.testing.TestService/UnaryCall", `--data={"response_size": 5}`, "unix://"+path))
	var report struct {
		StatusCodeDistribution map[string]int
		ErrorDistribution      map[string]int
	}
	if err := json.Unmarshal([]byte(out), &report); err != nil {
		c.Fatalf("%v", err)
	}
	c.check(report.StatusCodeDistribution["OK"] == 500, "of 500 calls ended %v, %v", report.StatusCodeDistribution, report.ErrorDistribution)
	c.sends(seen)
}

func bufCurl(c *cell) {
	program := c.goTool("../tools/buf.mod", "buf", "github.com/bufbuild/buf")
	path := socketPath(c)
	seen := c.serve(path)
	run := func(data, method string) (string, int) {
		cmd := exec.CommandContext(soon(c), program, "curl", "--protocol=grpc", "--http2-prior-knowledge",
			"--unix-socket="+path, "--data="+data, "http://localhost/grpc.testing.TestService/"+method)
		out, _ := cmd.CombinedOutput()
		return squeeze(string(out)), exitCode(cmd)
	}
	out, _ := run(`{"response_size": 5}`, "UnaryCall")
	c.check(out == `{"payload":{"body":"AAAAAAA="}}`, "the reply is %s", out)
	out, code := run(failing, "UnaryCall")
	c.contains(out, `"code":"failed_precondition"`, `"message":"notnow☺"`)
	c.check(code == 8*9, "buf ends with status %d, want 8 times the code, 9", code)
	out, _ = run(`{"response_parameters": [{"size": 1}, {"size": 2}]}`, "StreamingOutputCall")
	c.check(out == `{"payload":{"body":"AA=="}}{"payload":{"body":"AAA="}}`, "the stream has brought %s", out)
	c.sends(seen)
}

// curl knows nothing of gRPC: it sends the five bytes of an empty message, and the reply's
// trailer tells the status.
func curl(c *cell) {
	program := c.need("curl", "curl")
	c.version = strings.Fields(c.firstLine(program, "--version"))[1]
	path := socketPath(c)
	seen := c.serve(path)
	files := dir(c)
	message := filepath.Join(files, "message")
	if err := os.WriteFile(message, make([]byte, 5), 0o644); err != nil {
		c.Fatalf("%v", err)
	}
	for method, status := range map[string]string{"EmptyCall": "\ngrpc-status: 0\r\n", "UnimplementedCall": "\ngrpc-status: 12\r\n"} {
		headers := filepath.Join(files, method)
		c.output(exec.CommandContext(soon(c), program, "--silent", "--show-error", "--http2-prior-knowledge",
			"--unix-socket", path, "--header", "content-type: application/grpc", "--header", "te: trailers",
			"--data-binary", "@"+message, "--dump-header", headers, "--output", headers+".reply",
			"http://localhost/grpc.testing.TestService/"+method))
		got, err := os.ReadFile(headers)
		if err != nil {
			c.Fatalf("%v", err)
		}
		c.contains(string(got), "HTTP/2 200", "\r\ncontent-type: application/grpc", status)
	}
	reply, err := os.ReadFile(filepath.Join(files, "EmptyCall.reply"))
	c.check(err == nil && string(reply) == "\x00\x00\x00\x00\x00", "the reply is %q, want that of an empty message: %v", reply, err)
	c.sends(seen)
}
