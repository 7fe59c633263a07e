package viewers_test

import (
	"context"
	"errors"
	"fmt"

	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	greeterv1 "github.com/udsgrpc/udsgrpc/examples/greeter/gen/greeter/v1"
	"github.com/udsgrpc/udsgrpc/internal/inspectwire"
	"github.com/udsgrpc/udsgrpc/internal/testproc"
	inspectv1 "github.com/udsgrpc/udsgrpc/proto/udsgrpc/inspect/v1"
	"github.com/udsgrpc/udsgrpc/runtime"
	"github.com/udsgrpc/udsgrpc/runtime/internal/greetertest"
)

// programs are the processes that tests start.
var programs = map[string]testproc.Program{
	"look":                       lookOnce,
	"call":                       callOnce,
	"keep looking":               keepLooking,
	"greet everyone":             greetEveryone,
	greetertest.SuccessorProgram: greetertest.TakeOverAndServe,
	"greeter":                    greetertest.Program,
}

// lookOnce is a program: it prints what comes of asking for a snapshot.
func lookOnce(args []string) error {
	conn, err := ask(args[0])
	var denied *inspectwire.DeniedError
	if errors.As(err, &denied) {
		fmt.Println(denied.Answer, denied.Text)
		return nil
	}
	if err != nil {
		return err
	}
	conn.Close()
	client, err := dial(args[0])
	if err != nil {
		return err
	}
	defer client.Close()
	stream, err := inspectv1.NewInspectServiceClient(client).Snapshots(context.Background(), &inspectv1.SnapshotsRequest{})
	if err == nil {
		_, err = stream.Recv()
	}
	fmt.Println(status.Code(err))
	return nil
}

// keepLooking is a program: a viewer that says when it has a snapshot, and goes on.
func keepLooking(args []string) error {
	client, err := dial(args[0])
	if err != nil {
		return err
	}
	defer client.Close()
	stream, err := inspectv1.NewInspectServiceClient(client).Snapshots(context.Background(), &inspectv1.SnapshotsRequest{Interval: durationpb.New(interval)})
	for err == nil {
		if _, err = stream.Recv(); err == nil {
			fmt.Println("looks")
		}
	}
	return err
}

// callOnce is a program: it calls and stays.
func callOnce(args []string) error {
	client, conn, err := greeterv1.DialGreeterUDS(args[0])
	if err != nil {
		return err
	}
	defer conn.Close()
	_, err = client.Greet(context.Background(), &greeterv1.GreetRequest{})
	fmt.Println(status.Code(err))
	return testproc.WaitForKill()
}

// greetEveryone is a program: a greeter that everybody may call.
func greetEveryone(args []string) error {
	return greetertest.ServeUntilTerminated(args[0], runtime.SocketMode(0o666), runtime.Authorize(runtime.Anyone()))
}
