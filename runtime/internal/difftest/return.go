package difftest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// Return is how a handler ends.
type Return struct {
	How     string // "status", "plain", "wrapped", "EOF", "context", "panic"
	Code    codes.Code
	Message string
	Details int
	Size    int // of a unary call's reply
}

func (r Return) String() string {
	return fmt.Sprintf("%s %v %s, %d details, reply of %d", r.How, r.Code, short(fmt.Sprintf("%q", r.Message)), r.Details, r.Size)
}

func randomReturn(rnd *rand.Rand) Return {
	r := Return{How: "status", Size: randomSize(rnd)}
	if rnd.IntN(2) == 0 {
		return r
	}
	r.How = pick(rnd, "status", "status", "status", "plain", "wrapped", "EOF", "context", "panic")
	r.Code = codes.Code(rnd.IntN(17))
	if rnd.IntN(20) == 0 {
		r.Code = codes.Code(17 + rnd.IntN(1000))
	}
	r.Message = pick(rnd, "", "no such thing", "größer\n\t100%", strings.Repeat("long ", 500), "%zz \x00 \x7f")
	r.Details = pick(rnd, 0, 0, 1, 2)
	return r
}

// err returns the error of a handler with a context; it panics if that is how the handler ends.
func (r Return) err(ctx context.Context) error {
	s := status.New(r.Code, r.Message)
	for i := range r.Details {
		if d, err := s.WithDetails(wrapperspb.String(fmt.Sprintf("detail %d", i))); err == nil { // OK has none
			s = d
		}
	}
	switch r.How {
	case "plain":
		return errors.New(r.Message)
	case "wrapped":
		if s.Err() == nil {
			return nil
		}
		return fmt.Errorf("wrapped: %w", s.Err())
	case "EOF":
		return io.EOF
	case "context":
		return ctx.Err()
	case "panic":
		panic(r.Message)
	default:
		return s.Err()
	}
}

// told is what the client is told, "" if that is not known or is success.
func (r Return) told() string {
	if r.How == "context" || r.How == "panic" {
		return ""
	}
	err := r.err(context.Background())
	if err == nil {
		return ""
	}
	return outcomeOf(status.Convert(err).Err()).String()
}

// The interceptors that turn a panic into a status, as programs have them.

func recoverUnary(ctx context.Context, req any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (resp any, err error) {
	defer recovered(&err)
	return next(ctx, req)
}

func recoverStream(srv any, ss grpc.ServerStream, _ *grpc.StreamServerInfo, next grpc.StreamHandler) (err error) {
	defer recovered(&err)
	return next(srv, ss)
}

func recovered(err *error) {
	if p := recover(); p != nil {
		*err = status.Errorf(codes.Internal, "panic: %v", p)
	}
}
