package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/reflection"
	reflectionv1alpha "google.golang.org/grpc/reflection/grpc_reflection_v1alpha"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/protoadapt"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/types/descriptorpb"

	greeterv1 "github.com/udsgrpc/udsgrpc/examples/greeter/gen/greeter/v1"
	"github.com/udsgrpc/udsgrpc/runtime"
)

const greeterProto = "../../examples/greeter/proto/greeter/v1/greeter.proto"

// greeter is a service that also fails: with the code that is asked for by name.
type greeter struct {
	greeterv1.UnimplementedGreeterServer
}

func (greeter) Greet(ctx context.Context, req *greeterv1.GreetRequest) (*greeterv1.GreetResponse, error) {
	md, _ := metadata.FromIncomingContext(ctx)
	grpc.SetHeader(ctx, metadata.Pairs("seen", strings.Join(md["token"], "+")+strings.Join(md["raw-bin"], "+"), "header-bin", "\x00\x01"))
	grpc.SetTrailer(ctx, metadata.Pairs("end", "near"))
	if req.GetName() == "wait" {
		<-ctx.Done()
		return nil, status.FromContextError(ctx.Err()).Err()
	}
	for c := codes.Canceled; c <= codes.Unauthenticated; c++ {
		if req.GetName() == c.String() {
			s, err := status.New(c, "as asked\x1b[2J").WithDetails(protoadapt.MessageV1Of(&errdetails.ErrorInfo{Reason: "asked\u009b"}))
			if err != nil {
				return nil, err
			}
			return nil, s.Err()
		}
	}
	return &greeterv1.GreetResponse{Greeting: "Hello, " + req.GetName() + "!", ServerPid: int64(os.Getpid())}, nil
}

func (greeter) Countdown(req *greeterv1.CountdownRequest, stream grpc.ServerStreamingServer[greeterv1.CountdownResponse]) error {
	for n := req.GetFrom(); n >= 0; n-- {
		if err := stream.Send(&greeterv1.CountdownResponse{Number: n}); err != nil {
			return err
		}
	}
	return nil
}

func (greeter) Gather(stream grpc.ClientStreamingServer[greeterv1.GatherRequest, greeterv1.GatherResponse]) error {
	var names []string
	for {
		req, err := stream.Recv()
		if err == io.EOF {
			return stream.SendAndClose(&greeterv1.GatherResponse{Greeting: strings.Join(names, " and ")})
		}
		if err != nil {
			return err
		}
		names = append(names, req.GetName())
	}
}

func (greeter) Chat(stream grpc.BidiStreamingServer[greeterv1.ChatRequest, greeterv1.ChatResponse]) error {
	for {
		req, err := stream.Recv()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if err := stream.Send(&greeterv1.ChatResponse{Line: "you said " + req.GetLine()}); err != nil {
			return err
		}
	}
}

// greeters runs a greeter of each kind, and returns their paths by how their calls are carried.
func greeters(t *testing.T) map[string]string {
	t.Helper()
	dir := socketDir(t)
	own, plain := filepath.Join(dir, "own"), filepath.Join(dir, "plain")
	serveWith(t, own, func(srv grpc.ServiceRegistrar) { greeterv1.RegisterGreeterServer(srv, greeter{}) }, runtime.Reflection())
	servePlain(t, plain, func(srv *grpc.Server) {
		greeterv1.RegisterGreeterServer(srv, greeter{})
		// As servers of long ago, which have only this.
		reflectionv1alpha.RegisterServerReflectionServer(srv, reflection.NewServer(reflection.ServerOptions{Services: srv}))
	})
	if !hasDirect {
		return map[string]string{"http2": plain}
	}
	return map[string]string{"direct": own, "http2": plain}
}

func TestCallPrintsResponsesLineByLine(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "data.json")
	if err := os.WriteFile(data, []byte("{\"name\": \"Ada\"}\n{\"name\":\n\"Grace\"}{\"name\": \"\u009b\"}"), 0o600); err != nil {
		t.Fatal(err)
	}
	for transport, path := range greeters(t) {
		for name, c := range map[string]struct {
			stdin string
			args  []string
			want  string
		}{
			"unary":           {"", []string{"greeter.v1.Greeter/Greet", "-d", `{"name": "Ada"}`}, fmt.Sprintf(`{"greeting":"Hello, Ada!","serverPid":"%d"}`+"\n", os.Getpid())},
			"without data":    {"", []string{"greeter.v1.Greeter/Countdown"}, "{}\n"},
			"empty message":   {"", []string{"/greeter.v1.Greeter/Countdown", "-d", `{"from": 2}`}, `{"number":2}` + "\n" + `{"number":1}` + "\n{}\n"},
			"from a file":     {"", []string{"greeter.v1.Greeter/Gather", "-d", "@" + data}, `{"greeting":"Ada and Grace and \u009b"}` + "\n"},
			"no messages":     {"", []string{"greeter.v1.Greeter/Gather"}, "{}\n"},
			"from stdin":      {`{"line":"a"} {"line":"b"}`, []string{"greeter.v1.Greeter/Chat", "-d", "-"}, `{"line":"you said a"}` + "\n" + `{"line":"you said b"}` + "\n"},
			"unary from file": {`{"name":"x"}`, []string{"greeter.v1.Greeter/Greet", "-d", "-", "--deadline", "1m"}, fmt.Sprintf(`{"greeting":"Hello, x!","serverPid":"%d"}`+"\n", os.Getpid())},
		} {
			r := callWith(t, c.stdin, append([]string{"call", path}, c.args...)...)
			if r.status != 0 || r.stdout != c.want || r.stderr != "" {
				t.Errorf("%s, %s: %+v, want %q", transport, name, r, c.want)
			}
		}
	}
}

// Both directions are open at once: an answer comes before the next question is asked.
func TestCallTalks(t *testing.T) {
	t.Parallel()
	for transport, path := range greeters(t) {
		stdin, questions := io.Pipe()
		answers, stdout := io.Pipe()
		ended := make(chan int, 1)
		go func() {
			ended <- run(t.Context(), []string{"call", path, "greeter.v1.Greeter/Chat", "--data=-"}, stdin, stdout, t.Output())
			stdout.Close()
		}()
		decoder := json.NewDecoder(answers)
		for _, line := range []string{"one", "two"} {
			fmt.Fprintf(questions, "{\"line\": %q}\n", line)
			var answer struct{ Line string }
			if err := decoder.Decode(&answer); err != nil || answer.Line != "you said "+line {
				t.Errorf("%s: the answer to %s is %+v, %v", transport, line, answer, err)
			}
		}
		questions.Close()
		if status := <-ended; status != 0 {
			t.Errorf("%s: the status is %d", transport, status)
		}
	}
}

func TestEveryCodeHasAStatusAndItsDetailsAreTold(t *testing.T) {
	t.Parallel()
	for _, path := range greeters(t) {
		for c := codes.Canceled; c <= codes.Unauthenticated; c++ {
			r := call(t, "call", path, "greeter.v1.Greeter/Greet", "-d", `{"name": "`+c.String()+`"}`)
			want := c.String() + `: as asked\x1b[2J` + "\n\t" + `{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"asked\u009b"}` + "\n"
			if r.status != 64+int(c) || r.stdout != "" || r.stderr != want {
				t.Errorf("%v: %+v, want %q", c, r, want)
			}
		}
		call(t, "call", path, "greeter.v1.Greeter/Greet", "-d", `{"name": "wait"}`, "--deadline", "50ms").want(t, 68, "DeadlineExceeded: ")
	}
	call(t, "call", filepath.Join(socketDir(t), "none"), "a.B/C").want(t, 78, "Unavailable: ", "no such file")
}

func TestCallTellsItsEndInJSON(t *testing.T) {
	t.Parallel()
	for transport, path := range greeters(t) {
		for name, status := range map[string]int{"Ada": 0, "NotFound": 69} {
			r := call(t, "call", "--json", "unix:"+path, "greeter.v1.Greeter/Greet", "-d", `{"name": "`+name+`"}`, "-H", "Token: a b", "-H", "token:c", "-H", "raw-bin: aGk=")
			r.want(t, status)
			lines := strings.Split(strings.TrimSpace(r.stdout), "\n")
			var verdict callVerdict
			if err := json.Unmarshal([]byte(lines[len(lines)-1]), &verdict); err != nil || r.stderr != "" {
				t.Fatalf("%v: %+v", err, r)
			}
			if verdict.Path != path || verdict.Method != "greeter.v1.Greeter/Greet" || verdict.Transport != transport || verdict.Status != status ||
				!slices.Equal(verdict.Header["seen"], []string{"a b+chi"}) || !slices.Equal(verdict.Header["header-bin"], []string{"AAE="}) ||
				!slices.Equal(verdict.Trailer["end"], []string{"near"}) || (verdict.Code == "OK") != (status == 0) || len(verdict.Details) != min(status, 1) {
				t.Errorf("%s, %s: the verdict is %+v", transport, name, verdict)
			}
			if status == 0 && (len(lines) != 2 || !strings.HasPrefix(lines[0], `{"response":{"greeting":"Hello, Ada!"`)) {
				t.Errorf("the lines are %q", lines)
			}
		}
	}
}

func TestCallTakesTypesFromFiles(t *testing.T) {
	t.Parallel()
	path := filepath.Join(socketDir(t), "silent")
	servePlain(t, path, func(srv *grpc.Server) { greeterv1.RegisterGreeterServer(srv, greeter{}) })
	call(t, "call", path, "greeter.v1.Greeter/Greet").want(t, 76, "no reflection", "--proto")

	set, err := proto.Marshal(&descriptorpb.FileDescriptorSet{File: []*descriptorpb.FileDescriptorProto{protodesc.ToFileDescriptorProto(greeterv1.File_greeter_v1_greeter_proto)}})
	if err != nil {
		t.Fatal(err)
	}
	descriptors := filepath.Join(t.TempDir(), "set.binpb")
	if err := os.WriteFile(descriptors, set, 0o600); err != nil {
		t.Fatal(err)
	}
	absolute, err := filepath.Abs(greeterProto)
	if err != nil {
		t.Fatal(err)
	}
	for _, flags := range [][]string{
		{"--proto", greeterProto},
		{"--proto", absolute},
		{"--proto", greeterProto, "-I", "../../examples/greeter/proto"},
		{"--descriptor-set", descriptors},
	} {
		r := call(t, append([]string{"call", path, "greeter.v1.Greeter/Greet", "-d", `{"name": "Ada"}`}, flags...)...)
		r.want(t, 0, `"greeting":"Hello, Ada!"`)
		r = call(t, append([]string{"call", path, "greeter.v1.Greter/Greet"}, flags...)...)
		r.want(t, statusUsage, "the nearest is greeter.v1.Greeter")
	}
	for want, flags := range map[string][]string{
		"no such file":                {"--proto", "none.proto"},
		"below none of":               {"--proto", greeterProto, "-I", "internal"},
		"--proto-path needs":          {"-I", "internal"},
		"is no FileDescriptorSet":     {"--descriptor-set", greeterProto},
		"none of the others can be":   {"--descriptor-set", descriptors, "--proto", greeterProto},
		"syntax error":                {"--proto", "call_test.go"},
		"no descriptors in the files": {"--descriptor-set", os.DevNull},
	} {
		call(t, append([]string{"call", path, "greeter.v1.Greeter/Greet"}, flags...)...).want(t, statusUsage, want)
	}
}

func TestWrongNamesAreToldWithTheNearest(t *testing.T) {
	t.Parallel()
	for _, path := range greeters(t) {
		for _, c := range []struct{ method, data, want string }{
			{"greeter.v1.Greter/Greet", "", `no service "greeter.v1.Greter"; the nearest is greeter.v1.Greeter`},
			{"greeter/Greet", "", "the nearest is greeter.v1.Greeter"},
			{"wholly.different.Thing/Greet", "", "there are greeter.v1.Greeter"},
			{"greeter.v1.GreetRequest/Greet", "", "no service"},
			{"no service/x", "", "no service"},
			{"greeter.v1.Greeter/greet", "", `no method "greet"; the nearest is Greet`},
			{"greeter.v1.Greeter/Contdwn", "", "the nearest is Countdown"},
			{"greeter.v1.Greeter", "", "say which method of greeter.v1.Greeter: Greet, Countdown, Gather, Chat"},
			{"greeter.v1.Greeter/Greet", `{"nmae": "x"}`, `greeter.v1.GreetRequest has no field "nmae"; the nearest is name`},
			{"greeter.v1.Greeter/Chat", `{"line": "x"} {"lin": "y"}`, `greeter.v1.ChatRequest has no field "lin"; the nearest is line`},
			{"greeter.v1.Greeter/Greet", `{"name": 7}`, "request 1 is no greeter.v1.GreetRequest"},
			{"greeter.v1.Greeter/Greet", `{"name"`, "request 1 is not JSON"},
			{"greeter.v1.Greeter/Greet", `[]`, "request 1 is no greeter.v1.GreetRequest"},
			{"greeter.v1.Greeter/Greet", " ", "no request in the data"},
			{"greeter.v1.Greeter/Greet", "{} {}", "more than one request"},
			{"greeter.v1.Greeter/Greet", "@none.json", "no such file"},
		} {
			r := call(t, "call", path, c.method, "-d", c.data)
			r.want(t, statusUsage, c.want, "udsgrpc call PATH")
		}
	}
}

func TestCallRefusesWrongFlags(t *testing.T) {
	t.Parallel()
	for want, flags := range map[string][]string{
		"not of the form":     {"-H", "novalue"},
		"one of gRPC's own":   {"-H", "grpc-timeout: 1S"},
		"is not base64":       {"-H", "a-bin: !"},
		"is no user":          {"--server-user", "-1"},
		"negative":            {"--deadline", "-1s"},
		"which socket and":    {"more"},
		"no-such-user-at-all": {"--server-user", "no-such-user-at-all"},
	} {
		call(t, append([]string{"call", "/none", "a.B/C"}, flags...)...).want(t, statusUsage, want)
	}
}

func TestMethodsAreCompleted(t *testing.T) {
	t.Parallel()
	for _, path := range greeters(t) {
		call(t, "__complete", "call", path, "").want(t, 0, "greeter.v1.Greeter/Greet\n", "greeter.v1.Greeter/Chat\n")
	}
	call(t, "__complete", "call", "/none", "").want(t, 0, ":4\n")
}
