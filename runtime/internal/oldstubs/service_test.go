package oldstubs_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	testpb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/protobuf/types/descriptorpb"

	"github.com/udsgrpc/udsgrpc/runtime/internal/oldstubs"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A nil implementation would panic if one of its methods were called.
func TestServicesAreDescribedAsTheStubsDoWithoutCallingThem(t *testing.T) {
	t.Parallel()
	got, err := oldstubs.Describe(func(s *grpc.Server) {
		testpb.RegisterTestServiceServer(s, nil)
		healthv1.RegisterHealthServer(s, nil)
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []*grpc.ServiceDesc{&healthv1.Health_ServiceDesc, &testpb.TestService_ServiceDesc}
	diff := cmp.Diff(want, got,
		cmpopts.IgnoreFields(grpc.ServiceDesc{}, "HandlerType"),
		cmpopts.IgnoreFields(grpc.MethodDesc{}, "Handler"),
		cmpopts.IgnoreFields(grpc.StreamDesc{}, "Handler"),
		cmpopts.SortSlices(func(a, b grpc.MethodDesc) bool { return a.MethodName < b.MethodName }),
		cmpopts.SortSlices(func(a, b grpc.StreamDesc) bool { return a.StreamName < b.StreamName }))
	if diff != "" {
		t.Errorf("what the stubs say (-) and what was found (+):\n%s", diff)
	}
}

// required is a service whose request has required fields.
var required = grpc.ServiceDesc{
	ServiceName: "old.Required",
	HandlerType: (*any)(nil),
	Methods: []grpc.MethodDesc{{
		MethodName: "Call",
		Handler: func(srv any, ctx context.Context, decode func(any) error, interceptor grpc.UnaryServerInterceptor) (any, error) {
			in := new(descriptorpb.UninterpretedOption_NamePart)
			if err := decode(in); err != nil {
				return nil, err
			}
			handler := func(context.Context, any) (any, error) { return srv, nil }
			return interceptor(ctx, in, &grpc.UnaryServerInfo{Server: srv, FullMethod: "/old.Required/Call"}, handler)
		},
	}},
}

func TestHandlerOfAUnaryMethodDecodesIntoItsTypeAndReturnsWhatTheStubsReturn(t *testing.T) {
	t.Parallel()
	descs, err := oldstubs.Describe(func(s *grpc.Server) { s.RegisterService(&required, "the reply") })
	if err != nil {
		t.Fatal(err)
	}
	handle := descs[0].Methods[0].Handler
	var decoded any
	decode := func(request any) error { decoded = request; return nil }
	for range 2 {
		reply, err := handle("another server", t.Context(), decode, nil)
		if reply != "the reply" || err != nil {
			t.Errorf("got %v, %v", reply, err)
		}
		if _, ok := decoded.(*descriptorpb.UninterpretedOption_NamePart); !ok {
			t.Errorf("decoded into %T", decoded)
		}
	}
	broken := errors.New("broken")
	if _, err := handle(nil, t.Context(), func(any) error { return broken }, nil); err != broken {
		t.Errorf("a request that cannot be decoded: got %v, want %v", err, broken)
	}
}

func TestStubsThatCallNoInterceptorAreAnError(t *testing.T) {
	t.Parallel()
	odd := required
	odd.Methods = []grpc.MethodDesc{{
		MethodName: "Call",
		Handler: func(any, context.Context, func(any) error, grpc.UnaryServerInterceptor) (any, error) {
			return nil, errors.New("no idea")
		},
	}}
	_, err := oldstubs.Describe(func(s *grpc.Server) { s.RegisterService(&odd, 1) })
	if err == nil || !strings.Contains(err.Error(), "/old.Required/Call") || !strings.Contains(err.Error(), "no idea") {
		t.Errorf("got %v, want an error that names the method and says how the call ended", err)
	}
}
