package load_test

import (
	"errors"
	"io/fs"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/udsgrpc/udsgrpc/runtime"
	"github.com/udsgrpc/udsgrpc/runtime/internal/fixture"
	"github.com/udsgrpc/udsgrpc/runtime/internal/greetertest"
)

// A Send that waits because the budget is used up is counted, at the end where it waits, and goes on when the
// other end reads.
func TestSendsThatWaitForTheBudgetAreCounted(t *testing.T) {
	t.Parallel()
	const messages, size, budget = 20, 100 << 10, 200 << 10
	receive := make(chan struct{})
	path := fixture.FreePath(t)
	srv, err := runtime.NewServer(path, runtime.SendBudget(budget))
	if err != nil {
		t.Fatal(err)
	}
	exchange := func(s interface {
		SendMsg(any) error
		RecvMsg(any) error
	}) error {
		sent := make(chan error, 1)
		go func() {
			var err error
			for i := 0; i < messages && err == nil; i++ {
				err = s.SendMsg(wrapperspb.Bytes(make([]byte, size)))
			}
			sent <- err
		}()
		<-receive
		var err error
		for i := 0; i < messages && err == nil; i++ {
			err = s.RecvMsg(&wrapperspb.BytesValue{})
		}
		return errors.Join(<-sent, err)
	}
	desc := grpc.StreamDesc{StreamName: "Both", ClientStreams: true, ServerStreams: true, Handler: func(_ any, s grpc.ServerStream) error {
		return exchange(s)
	}}
	srv.RegisterService(&grpc.ServiceDesc{ServiceName: "test.Budget", HandlerType: (*any)(nil), Streams: []grpc.StreamDesc{desc}}, struct{}{})
	greetertest.Run(t, srv)
	conn, err := runtime.Dial(path, runtime.WithSendBudget(budget))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	stream, err := conn.NewStream(t.Context(), &desc, "/test.Budget/Both")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- exchange(stream) }()
	fixture.Eventually(t, "both ends to wait", func() bool { return srv.Stats().SendWaits > 0 && conn.Stats().SendWaits > 0 })
	close(receive)
	if err := <-ended; err != nil {
		t.Errorf("the stream comes to %v", err)
	}
}

func TestBudgetOfNothingIsAnError(t *testing.T) {
	t.Parallel()
	path := fixture.FreePath(t)
	if _, err := runtime.NewServer(path, runtime.SendBudget(0)); !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("NewServer comes to %v", err)
	}
	if _, err := runtime.Dial(path, runtime.WithSendBudget(-1)); !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("Dial comes to %v", err)
	}
}
