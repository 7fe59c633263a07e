package main

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/udsgrpc/udsgrpc/cmd/udsgrpc/internal/schema"
	"github.com/udsgrpc/udsgrpc/runtime"
	"github.com/udsgrpc/udsgrpc/runtime/socket"
)

func newCall() *cobra.Command {
	var c callFlags
	verb := &cobra.Command{
		Use:   "call PATH SERVICE/METHOD",
		Short: "Call a method, with requests and responses in JSON",
		Long: `It calls a method of a server as the user who runs it, by the direct transport where the server speaks
it. Each response is a line of JSON on standard output, as it comes. Types come from the server's
reflection, from .proto files, or from files with descriptors.

A request is a JSON object, {} without --data. A method that takes a stream gets each object of the data
as soon as it can be read, so that with "-d -" one can talk to it; without --data it gets none.

A call that fails prints its status and the details of that on standard error. With --json a response is
{"response": …}, and the last line has the status, headers and trailers.

As for every client of udsgrpc, the server has to be of the same user or of root. --server-user lets it
be of another one.

Exit status:

	 0  OK
	 2  the command was not told what to do: there is no such method or field, too

and for calls that fail 64 and the status code:

` + codeTable(),
		Example: `  udsgrpc call /run/app/app.sock app.v1.Store/Get -d '{"id": 7}'
  udsgrpc call /run/app/app.sock app.v1.Store/Watch --deadline 1m | jq .event
  udsgrpc call /run/app/app.sock app.v1.Store/Put -d @items.json -H 'authorization: Bearer secret'
  udsgrpc call /run/csi.sock csi.v1.Identity/Probe --proto csi.proto`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 2 {
				return errors.New("say which socket and which method")
			}
			return nil
		},
		RunE: func(verb *cobra.Command, args []string) error {
			return runCall(verb, args[0], args[1], &c)
		},
		ValidArgsFunction: completeMethods,
	}
	c.add(verb)
	addJSON(verb, "response and each call")
	return verb
}

// exchange is one call.
type exchange struct {
	method  protoreflect.MethodDescriptor
	types   schema.Types
	out     *output
	in      *requests
	peer    peer.Peer
	header  metadata.MD
	trailer metadata.MD
}

func runCall(verb *cobra.Command, path, name string, c *callFlags) error {
	ctx := verb.Context()
	if c.deadline < 0 {
		return errors.New("--deadline is negative")
	}
	if c.deadline > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.deadline)
		defer cancel()
	}
	header, err := readHeaders(c.headers)
	if err != nil {
		return err
	}
	policy, err := serverPolicy(c.serverUsers)
	if err != nil {
		return err
	}
	address, err := socket.ParseAddress(path)
	if err != nil {
		return err
	}
	conn, err := runtime.Dial(path, runtime.WithServerPolicy(policy), runtime.WithMaxRecvMsgSize(maxResponse))
	if err != nil {
		return err
	}
	defer conn.Close()
	types, done, err := c.schema(ctx, conn)
	if err != nil {
		return err
	}
	defer done()
	e := &exchange{out: outputOf(verb), types: types.Types}
	verdict := callVerdict{Path: address.String(), Method: name}
	if e.method, err = types.Method(name); errors.Is(err, schema.ErrUnknown) {
		return err
	} else if err != nil {
		return e.end(verb, verdict, explainReflection(err))
	}
	verdict.Method = string(e.method.Parent().FullName()) + "/" + string(e.method.Name())
	in, closeInput, err := openRequests(c.data, verb.InOrStdin(), e.method, e.types)
	if err != nil {
		return err
	}
	defer closeInput()
	e.in = in
	start := time.Now()
	err = e.run(metadata.NewOutgoingContext(ctx, header), conn)
	var wrong *requestError
	if errors.As(err, &wrong) {
		return wrong.err
	}
	if unwritten(err) { // a response, on standard output
		return err
	}
	verdict.Seconds = time.Since(start).Seconds()
	return e.end(verb, verdict, err)
}

// run makes the call. The error is a *requestError, or has the status of the call.
func (e *exchange) run(ctx context.Context, conn grpc.ClientConnInterface) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var first *dynamicpb.Message
	if !e.method.IsStreamingClient() {
		var err error
		if first, err = e.in.only(); err != nil {
			return err
		}
	}
	stream, err := conn.NewStream(ctx, &grpc.StreamDesc{ClientStreams: e.method.IsStreamingClient(), ServerStreams: e.method.IsStreamingServer()},
		"/"+string(e.method.Parent().FullName())+"/"+string(e.method.Name()),
		grpc.Peer(&e.peer), grpc.Header(&e.header), grpc.Trailer(&e.trailer))
	if err != nil {
		return err
	}
	if first != nil {
		if err := sendOnly(stream, first); err != nil {
			return err
		}
	} else {
		// It ends with the stream, or with the program if it waits for standard input, which nothing interrupts.
		go func() {
			if err := e.in.sendAll(stream); err != nil {
				cancel(err)
			}
		}()
	}
	for {
		response := dynamicpb.NewMessage(e.method.Output())
		err := stream.RecvMsg(response)
		var wrong *requestError
		if errors.As(context.Cause(ctx), &wrong) {
			return wrong
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := e.print(response); err != nil {
			return err
		}
		if !e.method.IsStreamingServer() {
			return nil
		}
	}
}

// sendOnly sends the request of a method that takes one. Why the stream ended, if it did, RecvMsg tells.
func sendOnly(stream grpc.ClientStream, request *dynamicpb.Message) error {
	if err := stream.SendMsg(request); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	return stream.CloseSend()
}

// explainReflection adds to the error of a server's reflection what else helps.
func explainReflection(err error) error {
	s := status.Convert(err)
	if s.Code() == codes.Unimplemented {
		return status.Error(s.Code(), "the server has no reflection: give --proto or --descriptor-set: "+s.Message())
	}
	return err
}

// completeMethods lets the shell complete the name of a method by the server's reflection.
func completeMethods(verb *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	switch len(args) {
	case 0:
		return nil, cobra.ShellCompDirectiveDefault
	case 1:
		ctx, cancel := context.WithTimeout(verb.Context(), time.Second)
		defer cancel()
		conn, err := runtime.Dial(args[0])
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		defer conn.Close()
		types, done := schema.ByReflection(ctx, conn)
		defer done()
		methods, err := types.Methods()
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return methods, cobra.ShellCompDirectiveNoFileComp
	default:
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
}
