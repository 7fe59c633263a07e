package faults_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"math"
	"net"
	"net/http"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	greeterv1 "github.com/udsgrpc/udsgrpc/examples/greeter/gen/greeter/v1"
	"github.com/udsgrpc/udsgrpc/runtime"
	"github.com/udsgrpc/udsgrpc/runtime/internal/fixture"
	"github.com/udsgrpc/udsgrpc/runtime/internal/greetertest"
	"github.com/udsgrpc/udsgrpc/runtime/socket"
)

// A client that meets a limit of streams has its next one refused if it did not know the limit yet, and may send it
// again. .NET sends a stream of a client again without its messages, so that it is answered as if it were empty.
func TestNoLimitOfStreamsIsAnnounced(t *testing.T) {
	t.Parallel()
	const (
		settingsFrame        = 0x4
		maxConcurrentStreams = 0x3
	)
	const none = math.MaxUint32 // as good as none
	for name, c := range map[string]struct {
		opts []runtime.ServerOption
		want uint32
	}{
		"default":             {nil, none},
		"HTTP2Only":           {[]runtime.ServerOption{runtime.HTTP2Only()}, none},
		"one connection":      {[]runtime.ServerOption{runtime.MaxConnsPerUser(1)}, none},
		"the program's limit": {[]runtime.ServerOption{runtime.GRPCServerOptions(grpc.MaxConcurrentStreams(100))}, 100},
	} {
		path := fixture.FreePath(t)
		greetertest.Serve(t, path, greetertest.New(), c.opts...)
		p := newPinger(t, path)
		header := make([]byte, 9)
		if _, err := io.ReadFull(p, header); err != nil {
			t.Fatal(err)
		}
		settings := make([]byte, binary.BigEndian.Uint32(append([]byte{0}, header[:3]...)))
		if _, err := io.ReadFull(p, settings); err != nil {
			t.Fatal(err)
		}
		if header[3] != settingsFrame || len(settings) == 0 {
			t.Fatalf("%s: the server begins with a frame of kind %d and %d bytes", name, header[3], len(settings))
		}
		limit := uint32(none)
		for ; len(settings) > 0; settings = settings[6:] {
			if binary.BigEndian.Uint16(settings) == maxConcurrentStreams {
				limit = binary.BigEndian.Uint32(settings[2:])
			}
		}
		if limit != c.want {
			t.Errorf("%s: the server announces a limit of %d streams", name, limit)
		}
	}
}

// header is a service that sees the metadata of a call.
type header struct {
	greeterv1.UnimplementedGreeterServer
	seen chan metadata.MD
}

func (h header) Greet(ctx context.Context, _ *greeterv1.GreetRequest) (*greeterv1.GreetResponse, error) {
	md, _ := metadata.FromIncomingContext(ctx)
	h.seen <- md
	return &greeterv1.GreetResponse{}, nil
}

// gRPC's specification of HTTP/2 says that several values of a binary key may be joined by commas. grpc-go's
// transport takes them for one value, which it cannot read, and refuses the call before anything else sees it. When
// this test fails because it has learned it, docs/dotnet.md can be shorter.
func TestJoinedBinaryValuesAreRefusedByGRPC(t *testing.T) {
	t.Parallel()
	path := fixture.FreePath(t)
	h := header{seen: make(chan metadata.MD, 1)}
	greetertest.Serve(t, path, h)
	protocols := &http.Protocols{}
	protocols.SetUnencryptedHTTP2(true)
	transport := &http.Transport{Protocols: protocols, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&socket.Dialer{}).DialContext(ctx, path)
	}}
	defer transport.CloseIdleConnections()
	greet := func(values ...string) http.Header {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://localhost"+greeterv1.Greeter_Greet_FullMethodName, bytes.NewReader(make([]byte, 5)))
		if err != nil {
			t.Fatal(err)
		}
		req.Header = http.Header{"Content-Type": {"application/grpc"}, "Te": {"trailers"}, "Key-Bin": values}
		resp, err := transport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if _, err := io.Copy(io.Discard, resp.Body); err != nil {
			t.Fatal(err)
		}
		if resp.Header.Get("Grpc-Status") != "" {
			return resp.Header // an answer without a message
		}
		return resp.Trailer
	}
	if status := greet("AAEC", "AwQF"); status.Get("Grpc-Status") != "0" {
		t.Fatalf("two values in headers of their own: %v", status)
	}
	if got := (<-h.seen)["key-bin"]; len(got) != 2 || got[0] != "\x00\x01\x02" || got[1] != "\x03\x04\x05" {
		t.Errorf("the handler gets %q", got)
	}
	for _, joined := range []string{"AAEC, AwQF", "AAEC,AwQF"} {
		status := greet(joined)
		if status.Get("Grpc-Status") != "13" || !strings.Contains(status.Get("Grpc-Message"), "malformed binary metadata") {
			t.Errorf("%q: %v", joined, status)
		}
	}
}
