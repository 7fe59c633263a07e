package udstest

import (
	"errors"
	goruntime "runtime"
	"testing"

	"github.com/udsgrpc/udsgrpc/runtime"
)

// Serve runs a server for impl and returns a client that is connected to it. Both end with the
// test.
//
//	client := udstest.Serve(t, greeterv1.NewGreeterUDSServer, greeterv1.DialGreeterUDS, greeter{})
//
// It is [For] and then [Service.Serve], and fails as that does. The implementation has no type of its
// own here, as Go does not infer the interface S from what implements it. One that does not implement
// S fails the test at once, and is told which method it lacks; with For the compiler finds out.
func Serve[S, C any](
	tb testing.TB,
	newServer func(path string, srv S, opts ...runtime.ServerOption) (*runtime.Server, error),
	dial func(path string, opts ...runtime.DialOption) (C, *runtime.ClientConn, error),
	impl any,
	opts ...runtime.ServerOption,
) C {
	tb.Helper()
	srv, err := as[S](impl)
	if err != nil {
		tb.Fatalf("udstest: the server cannot start: %v", err)
	}
	return For(newServer, dial).Serve(tb, srv, opts...)
}

// as is a type assertion that says which method is missing, which only the panicking form knows.
func as[S any](impl any) (srv S, err error) {
	defer func() {
		if lacking, ok := recover().(*goruntime.TypeAssertionError); ok {
			err = errors.New(lacking.Error())
		}
	}()
	return impl.(S), nil
}
