package faults_test

import (
	"context"
	"log/slog"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"

	greeterv1 "github.com/udsgrpc/udsgrpc/examples/greeter/gen/greeter/v1"
	"github.com/udsgrpc/udsgrpc/runtime"
	"github.com/udsgrpc/udsgrpc/runtime/internal/fixture"
	"github.com/udsgrpc/udsgrpc/runtime/internal/greetertest"
)

// failing answers each call with an error that is too large for a trailer, and sets a trailer of its own.
type failing struct {
	greeterv1.UnimplementedGreeterServer
	text, details int
}

func (f failing) fail() error {
	st, err := status.New(codes.Aborted, strings.Repeat("x", f.text)).WithDetails(wrapperspb.Bytes(make([]byte, f.details)))
	if err != nil {
		return err
	}
	return st.Err()
}

func (f failing) Greet(ctx context.Context, _ *greeterv1.GreetRequest) (*greeterv1.GreetResponse, error) {
	if err := grpc.SetTrailer(ctx, metadata.Pairs("request-id", strings.Repeat("y", 36))); err != nil {
		return nil, err
	}
	return nil, f.fail()
}

func (f failing) Countdown(_ *greeterv1.CountdownRequest, stream greeterv1.Greeter_CountdownServer) error {
	if err := stream.Send(&greeterv1.CountdownResponse{}); err != nil {
		return err
	}
	return f.fail()
}

// Java's clients take no more than 8 KiB of headers, and grpc-go's server then ends a call without its code.
func TestLargeErrorsFitClientsWithALimitOf8KiB(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]failing{
		"text":                  {text: 100_000},
		"text, small details":   {text: 100_000, details: 100},
		"text, large details":   {text: 100_000, details: 3500},
		"details":               {details: 5300},
		"text, huge details":    {text: 100_000, details: 100_000},
		"a short text, details": {text: 1000, details: 3500},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := fixture.FreePath(t)
			log := &greetertest.Buffer{}
			greetertest.Serve(t, path, f, runtime.EventLog(slog.New(slog.NewTextHandler(log, nil))))
			conn, err := grpc.NewClient("unix:"+path, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithMaxHeaderListSize(8<<10))
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			plain := greeterv1.NewGreeterClient(conn)
			direct, _ := greetertest.Dial(t, path)
			var got []string
			for _, client := range []greeterv1.GreeterClient{plain, direct} {
				_, err := client.Greet(t.Context(), &greeterv1.GreetRequest{})
				greetertest.CheckCode(t, err, codes.Aborted)
				got = append(got, status.Convert(err).Proto().String())
				stream, err := client.Countdown(t.Context(), &greeterv1.CountdownRequest{})
				if err == nil {
					_, err = stream.Recv()
				}
				if err != nil {
					t.Fatal(err)
				}
				_, err = stream.Recv()
				greetertest.CheckCode(t, err, codes.Aborted)
				got = append(got, status.Convert(err).Proto().String())
			}
			for _, s := range got {
				if s != got[0] {
					t.Errorf("the status depends on the transport: %.300s, %.300s", got[0], s)
				}
			}
			logged := 0
			for _, m := range greetertest.Messages(log.String()) {
				if m == "error cut" {
					logged++
				}
			}
			if want := strings.Contains(got[0], "[cut: ") || strings.Contains(got[0], "left out]"); (logged == 1) != want {
				t.Errorf("%d records, and the status is %.300s", logged, got[0])
			}
		})
	}
}
