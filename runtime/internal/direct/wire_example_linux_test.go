package direct

import (
	"bytes"
	"context"
	"encoding/hex"
	"io"
	"net"
	"os"
	"regexp"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/udsgrpc/udsgrpc/runtime/internal/direct/wire"
)

var exampleLine = regexp.MustCompile(`(?m)^([CS])  ((?:[0-9a-f]{2} ?)+)(?:  .*)?$`)

// example returns the turns of the call in the documentation: what the client sends first, what the server
// answers, the call, and its answer.
func example(t *testing.T) (turns [4][]byte) {
	doc, err := os.ReadFile("../../../docs/direct-wire.md")
	if err != nil {
		t.Fatal(err)
	}
	turn, who := -1, ""
	for _, line := range exampleLine.FindAllStringSubmatch(string(doc), -1) {
		b, err := hex.DecodeString(strings.ReplaceAll(line[2], " ", ""))
		if err != nil {
			t.Fatal(err)
		}
		if line[1] != who {
			who = line[1]
			turn++
		}
		turns[turn] = append(turns[turn], b...)
	}
	return turns
}

const greetMethod = "/greeter.v1.Greeter/Greet"

// greeter says hello. Its messages have the same bytes as those of the example.
var greeter = grpc.ServiceDesc{ServiceName: "greeter.v1.Greeter", Methods: []grpc.MethodDesc{{
	MethodName: "Greet",
	Handler: func(_ any, _ context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
		name := &wrapperspb.StringValue{}
		err := decode(name)
		return wrapperspb.String("Hello, " + name.Value), err
	},
}}}

// The documentation has the bytes that the code sends.
func TestDocumentedBytesAreWhatIsSent(t *testing.T) {
	turns := example(t)

	t.Run("beginning", func(t *testing.T) {
		want, start := wire.OpenFrame(wire.Preface{Lowest: wire.Version, Highest: wire.Version}.Append(nil), wire.KindIntro)
		want = wire.AppendMetadata(want, metadata.MD{":authority": {wire.Authority}})
		wire.CloseFrame(want, start)
		if !bytes.Equal(turns[0], want) {
			t.Errorf("the client begins with\n% x\nthe documentation says\n% x", want, turns[0])
		}
	})

	t.Run("server", func(t *testing.T) {
		h := newHost(t, service{}, ServerConfig{})
		h.Register(&greeter, nil)
		client, server := pair(t)
		h.accept(server)
		w := newRawConn(t, client)
		for turn := 0; turn < len(turns); turn += 2 {
			w.send(turns[turn])
			got := make([]byte, len(turns[turn+1]))
			if _, err := io.ReadFull(w.in, got); err != nil || !bytes.Equal(got, turns[turn+1]) {
				t.Errorf("the server answers\n% x (%v), the documentation says\n% x", got, err, turns[turn+1])
			}
		}
	})

	t.Run("client", func(t *testing.T) {
		c, _ := newClient(t, func(conn *net.UnixConn) {
			go func() {
				defer conn.Close()
				w := newRawConn(t, conn)
				io.CopyN(io.Discard, w.in, int64(PrefaceLen))
				w.next()
				w.Write(turns[1])
				got := make([]byte, len(turns[2]))
				if _, err := io.ReadFull(w.in, got); err != nil || !bytes.Equal(got, turns[2]) {
					t.Errorf("the client sends\n% x (%v), the documentation says\n% x", got, err, turns[2])
				}
				w.Write(turns[3])
				w.next()
			}()
		})
		ctx := metadata.AppendToOutgoingContext(t.Context(), "k", "v")
		reply := &wrapperspb.StringValue{}
		if err := c.Invoke(ctx, greetMethod, wrapperspb.String("Ada"), reply, nil); err != nil || reply.Value != "Hello, Ada" {
			t.Errorf("the reply is %q, %v", reply.Value, err)
		}
	})
}
