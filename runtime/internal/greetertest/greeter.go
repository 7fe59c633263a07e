// Package greetertest has what the tests over real processes share: a service, its server and its client, and the
// programs, users and logs that they need. What needs no gRPC is in packages fixture and testproc.
package greetertest

import (
	"context"
	"errors"
	"io"
	"os"
	"strings"

	"google.golang.org/grpc/status"

	greeterv1 "github.com/udsgrpc/udsgrpc/examples/greeter/gen/greeter/v1"
)

// Greeter is the service of these tests. A greeting to "wait" takes until the call is
// cancelled or Release is closed.
type Greeter struct {
	greeterv1.UnimplementedGreeterServer
	Entered chan struct{} // gets a value when a call waits, and when its stream has ended
	Release chan struct{} // lets waiting calls go when closed
}

// New returns a Greeter that nothing waits in.
func New() *Greeter {
	return &Greeter{Entered: make(chan struct{}, 100), Release: make(chan struct{})}
}

// Greet says hello, and which process does.
func (g *Greeter) Greet(ctx context.Context, req *greeterv1.GreetRequest) (*greeterv1.GreetResponse, error) {
	if req.GetName() == "wait" {
		g.Entered <- struct{}{}
		select {
		case <-g.Release:
		case <-ctx.Done():
			return nil, status.FromContextError(ctx.Err()).Err()
		}
	}
	return &greeterv1.GreetResponse{Greeting: "Hello, " + req.GetName(), ServerPid: int64(os.Getpid())}, nil
}

// Countdown from -1 never ends by itself.
func (g *Greeter) Countdown(req *greeterv1.CountdownRequest, stream greeterv1.Greeter_CountdownServer) error {
	for n := req.GetFrom(); n >= 0; n-- {
		if err := stream.Send(&greeterv1.CountdownResponse{Number: n}); err != nil {
			return err
		}
	}
	if req.GetFrom() < 0 {
		if err := stream.Send(&greeterv1.CountdownResponse{}); err != nil {
			return err
		}
		g.Entered <- struct{}{}
		<-stream.Context().Done()
		g.Entered <- struct{}{}
		return stream.Context().Err()
	}
	return nil
}

// Gather answers with all names.
func (*Greeter) Gather(stream greeterv1.Greeter_GatherServer) error {
	var names []string
	for {
		req, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return stream.SendAndClose(&greeterv1.GatherResponse{Greeting: strings.Join(names, " ")})
		}
		if err != nil {
			return err
		}
		names = append(names, req.GetName())
	}
}

// Chat answers each line with itself.
func (*Greeter) Chat(stream greeterv1.Greeter_ChatServer) error {
	for {
		req, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := stream.Send(&greeterv1.ChatResponse{Line: req.GetLine()}); err != nil {
			return err
		}
	}
}
