package direct

import (
	"context"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/udsgrpc/udsgrpc/runtime/internal/direct/wire"
)

// Metadata up to the limit is carried. If the frame would be longer, the call goes over HTTP/2. The server
// never takes such metadata for a violation.
func TestCallsWithMetadataAboutTheLimit(t *testing.T) {
	h := newHost(t, service{}, ServerConfig{})
	c, _ := newClient(t, h.accept)
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	carried := 0
	for n := wire.MaxControl - 128; n <= wire.MaxControl; n++ {
		ctx := metadata.AppendToOutgoingContext(ctx, "k", strings.Repeat("x", n))
		switch err := c.Invoke(ctx, unaryMethod, &blob{}, &blob{}, nil); err {
		case nil:
			carried++
		case ErrHTTP2:
		default:
			t.Errorf("a call with %d bytes less than the limit comes to %v", wire.MaxControl-n, err)
		}
	}
	if carried == 0 || carried > 128 {
		t.Errorf("%d calls are carried", carried)
	}
}

// The same holds for a handler's answer: it arrives, or the call has a status that says that it is too
// large.
func TestAnswersWithMetadataAboutTheLimit(t *testing.T) {
	for name, answer := range map[string]func(grpc.ServerStream, string) error{
		"header":  func(ss grpc.ServerStream, v string) error { return ss.SendHeader(metadata.Pairs("k", v)) },
		"trailer": func(ss grpc.ServerStream, v string) error { ss.SetTrailer(metadata.Pairs("k", v)); return nil },
		"message": func(_ grpc.ServerStream, v string) error { return status.Error(codes.NotFound, v) },
	} {
		t.Run(name, func(t *testing.T) {
			n := 0
			h := newHost(t, service{stream: func(ss grpc.ServerStream) error { return answer(ss, strings.Repeat("x", n)) }}, ServerConfig{})
			c, _ := newClient(t, h.accept)
			arrived := 0
			for n = wire.MaxControl - 128; n <= wire.MaxControl+1; n++ {
				s := open(t, c, &bothDesc)
				s.CloseSend()
				err := s.RecvMsg(&blob{})
				st := status.Convert(err)
				md, _ := s.Header()
				switch tooLarge := "transport: trying to send header list size larger than the limit set by peer"; {
				case len(st.Message()) == n, md.Len() == 2 && len(md["k"][0]) == n, s.Trailer().Len() == 2 && len(s.Trailer()["k"][0]) == n:
					arrived++
				case st.Code() != codes.Internal || st.Message() != tooLarge:
					t.Errorf("an answer with %d bytes less than the limit comes to %v", wire.MaxControl-n, err)
				}
			}
			if arrived == 0 || arrived > 128 {
				t.Errorf("%d arrive", arrived)
			}
		})
	}
}
