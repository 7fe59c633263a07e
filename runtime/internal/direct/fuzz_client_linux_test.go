package direct

import (
	"context"
	"errors"
	"io"
	"math"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/udsgrpc/udsgrpc/runtime/internal/direct/wire"
	"github.com/udsgrpc/udsgrpc/runtime/internal/fixture"
)

// serverBytes are what servers answer, right and wrong.
func serverBytes() [][]byte {
	header := frame(wire.KindHeader, wire.AppendMetadata(nil, metadata.MD{"k": {"v"}})...)
	failed := statusFrame(wire.Status{Last: true, Code: 5, Message: "no", Trailer: metadata.MD{"k": {"v"}, wire.DetailsKey: {"\x08\x05"}}})
	seeds := [][]byte{
		nil,
		concat(messageFrame("x"), okFrame),
		concat(header, messageFrame("x"), okFrame),
		concat(header, messageFrame("x"), messageFrame("y"), okFrame),
		concat(header, failed),
		failed,
		okFrame,
		concat(messageFrame("x"), okFrame, okFrame),
		concat(messageFrame("x"), okFrame[:3]),
		concat(header, header),
		concat(messageFrame("x"), header),
		frame(wire.KindGoAway),
		concat(header, frame(wire.KindGoAway)),
		frame(wire.KindMessage, 0xff),
		concat(wire.AppendFilesFrame(nil, []uint64{1}), messageFrame("x"), okFrame),
		concat(wire.AppendFilesFrame(nil, []uint64{1}), okFrame),
		messageFrame(string(make([]byte, 2*wire.ReadBuffer))),
		announce(wire.KindMessage, math.MaxUint32),
		announce(wire.KindHeader, wire.MaxControl),
		announce(wire.KindStatus, wire.MaxControl+1),
	}
	for _, k := range []wire.Kind{wire.KindIntro, wire.KindCall, wire.KindMessage, wire.KindEnd, wire.KindHeader, wire.KindStatus, wire.KindGoAway, wire.KindFiles, wire.KindRing, 'x'} {
		seeds = append(seeds, frame(k), frame(k, 0), concat(header, frame(k, 0)))
	}
	return seeds
}

// FuzzClient: whatever a server answers, the call ends with a status, and the connection is used again
// only if the answer was valid.
func FuzzClient(f *testing.F) {
	for _, b := range serverBytes() {
		f.Add(b, false)
		f.Add(b, true)
	}
	f.Fuzz(func(t *testing.T, answer []byte, stream bool) {
		s := &site{t: t, accept: fake(t, func(w *rawConn) {
			if w.skipCall() {
				w.Write(answer)
				w.CloseWrite()
				w.skipCall()
			}
		})}
		c := NewClient(ClientConfig{Dial: s.dial, MaxConns: 3, MaxRecv: 64 << 10, MaxFiles: 16})
		t.Cleanup(c.Close)
		var err error
		if stream {
			err = streamThrough(t, c)
		} else {
			_, err = invoke(t, c, "x")
		}
		st, ok := status.FromError(err)
		if !ok || st.Code() == codes.DeadlineExceeded && !strings.Contains(string(answer), string(wire.KindStatus)) {
			t.Errorf("the call comes to %v", err)
		}
		// The fake has sent everything; the client may not have received it yet.
		conn := c.pool.get()
		if conn == nil {
			return
		}
		defer c.pool.drop(conn)
		if strings.Contains(st.Message(), "direct transport: ") && st.Code() == codes.Internal {
			t.Errorf("after %v the connection is used again", err)
		}
		if !conn.rd.Empty() {
			t.Error("the connection is used again, and bytes were left in it")
		}
	})
}

// streamThrough makes a call with streams, up to its end, and returns the result; nil for io.EOF.
func streamThrough(t *testing.T, c *Client) error {
	ctx, cancel := context.WithTimeout(t.Context(), fixture.Guard)
	defer cancel()
	s, err := c.NewStream(ctx, &bothDesc, bothMethod, nil)
	if err != nil {
		return err
	}
	if err := s.SendMsg(&blob{Value: []byte("x")}); err != nil && err != io.EOF {
		return err
	}
	s.CloseSend()
	s.Header()
	for {
		if err := s.RecvMsg(&blob{}); err != nil {
			s.Trailer()
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
	}
}
