package direct

import (
	"context"
	"errors"
	"io"
	"math"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"

	"github.com/udsgrpc/udsgrpc/runtime/internal/direct/wire"
)

// clientBytes are what clients send after the handshake, right and wrong.
func clientBytes() [][]byte {
	md := metadata.MD{"k": {"v"}, "k-bin": {"\x00"}}
	up := concat(callFrame(upMethod, md), messageFrame("a"), messageFrame("b"), endFrame)
	seeds := [][]byte{
		nil,
		unaryCall("x"),
		concat(unaryCall("x"), unaryCall("y"), up, up),
		concat(callFrame(bothMethod, nil), messageFrame("a"), messageFrame("b")),
		concat(callFrame(downMethod, nil), messageFrame("a"), endFrame),
		concat(callFrame(downMethod, nil), endFrame),
		concat(callFrame(unaryMethod, nil), messageFrame("a"), messageFrame("b"), endFrame),
		concat(callFrame("/t.T/None", nil), messageFrame("x"), endFrame),
		concat(callFrame("no method", nil), endFrame),
		concat(frame(wire.KindCall, wire.AppendCallHeader(nil, time.Hour, bothMethod, md)...), messageFrame("x"), endFrame),
		concat(frame(wire.KindCall, wire.AppendCallHeader(nil, 1, bothMethod, md)...), messageFrame("x"), endFrame),
		concat(callFrame(bothMethod, nil), messageFrame(string(make([]byte, 2*wire.ReadBuffer))), endFrame, unaryCall("x")),
		concat(callFrame(bothMethod, nil), frame(wire.KindMessage, 0xff), endFrame),
		concat(callFrame(bothMethod, nil), announce(wire.KindMessage, math.MaxUint32)),
		concat(callFrame(unaryMethod, nil), wire.AppendFilesFrame(nil, []uint64{1}), messageFrame("x"), endFrame, unaryCall("y")),
		concat(callFrame(bothMethod, nil), messageFrame("x"), wire.AppendFilesFrame(nil, []uint64{1, 1}), messageFrame("x"), endFrame),
		concat(callFrame(unaryMethod, nil), wire.AppendFilesFrame(nil, []uint64{1}), endFrame),
		announce(wire.KindCall, wire.MaxControl),
		announce(wire.KindCall, wire.MaxControl+1),
	}
	for _, k := range []wire.Kind{wire.KindIntro, wire.KindCall, wire.KindMessage, wire.KindEnd, wire.KindHeader, wire.KindStatus, wire.KindGoAway, wire.KindFiles, wire.KindRing, 'x'} {
		seeds = append(seeds, frame(k), frame(k, 0), concat(callFrame(bothMethod, nil), frame(k, 0)), concat(callFrame(unaryMethod, nil), frame(k, 0)))
	}
	return seeds
}

// FuzzServer: whatever a client sends, the server does not panic, hang, or use the connection after its
// end. Its handlers see only calls of their methods, and its answers are valid.
func FuzzServer(f *testing.F) {
	for _, b := range clientBytes() {
		f.Add(b)
	}
	known := map[string]bool{unaryMethod: true, upMethod: true, downMethod: true, bothMethod: true}
	check := func(ctx context.Context) {
		if method, ok := grpc.Method(ctx); !ok || !known[method] {
			panic("a handler is called for " + method)
		}
		if md, ok := metadata.FromIncomingContext(ctx); !ok {
			panic("a handler has no metadata")
		} else if _, ok := ctx.Deadline(); ok && ctx.Err() == nil && md.Len() > wire.MaxControl {
			panic("more metadata than the limit allows")
		}
	}
	h := newHost(f, service{
		unary: func(ctx context.Context, m *blob) (*blob, error) { check(ctx); return m, nil },
		stream: func(ss grpc.ServerStream) error {
			check(ss.Context())
			return echo(ss)
		},
	}, ServerConfig{MaxRecv: 64 << 10, MaxFiles: 16, FilesFrom: func(credentials.AuthInfo, []string) (int, bool) { return 0, true }})
	h.files.takers = []string{unaryMethod} // as if its messages had files
	f.Fuzz(func(t *testing.T, sent []byte) {
		client, server := pair(t)
		h := &host{Server: h.Server, t: t, errs: make(chan error, 1)}
		h.accept(server)
		w := newRawConn(t, client)
		w.send(wire.Preface{Lowest: wire.Version, Highest: wire.Version}.Append(nil), frame(wire.KindIntro, 0))
		go func() {
			client.Write(sent) // fails if the server has hung up
			client.CloseWrite()
		}()
		if _, err := io.CopyN(io.Discard, w.in, int64(wire.AnswerLen)); err != nil {
			t.Fatal(err)
		}
		for statuses := 0; ; {
			k, b, err := w.next()
			if err != nil {
				break
			}
			switch k {
			case wire.KindStatus:
				statuses++
				if h, err := wire.ParseStatus(b); err != nil {
					t.Errorf("status %q: %v", b, err)
				} else if h.Last {
					w.wantClosed()
				}
			case wire.KindHeader:
				if _, err := wire.ParseMetadata(b); err != nil {
					t.Errorf("header %q: %v", b, err)
				}
			case wire.KindMessage, wire.KindGoAway:
			default:
				t.Errorf("the server sends a frame of kind %q", k)
			}
		}
		err := await(t, "Serve", h.errs)
		if v := wire.Violation(""); err != nil && !errors.As(err, &v) {
			t.Errorf("Serve comes to %v", err)
		}
		h.runs.Wait()
	})
}
