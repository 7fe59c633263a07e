package files_test

import (
	"context"
	"sync"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/stats"

	udsgrpcv1 "github.com/udsgrpc/udsgrpc/proto/udsgrpc/v1"
	"github.com/udsgrpc/udsgrpc/runtime"
	"github.com/udsgrpc/udsgrpc/runtime/internal/direct/wire"
	"github.com/udsgrpc/udsgrpc/runtime/internal/fixture"
	filetestv1 "github.com/udsgrpc/udsgrpc/runtime/internal/fixture/gen/filetest/v1"
)

// A client that wants to know the trailer reads on to it, past messages that nobody gets. Their files are
// closed too.
func TestFilesOfSkippedMessagesAreClosed(t *testing.T) {
	l, path := listen(t)
	answered := make(chan struct{})
	client := dial(t, path, runtime.WithStatsHandler(awaitAnswer{answered}))
	before := fixture.OpenFiles(t)
	var server sync.WaitGroup
	server.Go(func() {
		r, _ := acceptRaw(t, l, wire.Answer{TakesFiles: true, SendsFiles: true})
		defer r.end()
		r.want(wire.KindCall)
		r.want(wire.KindMessage)
		r.want(wire.KindEnd)
		for range 10 {
			r.send(concat(files(1), message(&filetestv1.Shapes{Text: "larger than allowed", File: &udsgrpcv1.File{Id: 1}})), 0)
		}
		status := (&wire.Status{Last: true}).Append(nil)
		r.send(concat(wire.AppendFrameHeader(nil, wire.KindStatus, len(status)), status))
		close(answered)
	})
	var trailer metadata.MD
	_, err := client.Swap(t.Context(), &filetestv1.Shapes{}, grpc.MaxCallRecvMsgSize(10), grpc.Trailer(&trailer))
	wantStatus(t, err, codes.ResourceExhausted, "")
	server.Wait()
	fixture.Eventually(t, "the descriptors to be as before", func() bool { return fixture.OpenFiles(t) <= before })
}

// awaitAnswer makes a call wait, when it has sent its request, until the whole answer was sent: a client that
// skips the rest hangs up.
type awaitAnswer struct{ answered chan struct{} }

func (awaitAnswer) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context   { return ctx }
func (awaitAnswer) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }
func (awaitAnswer) HandleConn(context.Context, stats.ConnStats)                       {}

func (a awaitAnswer) HandleRPC(_ context.Context, s stats.RPCStats) {
	if _, sent := s.(*stats.OutPayload); sent {
		<-a.answered
	}
}

// lateContext has ended already when the goroutine that receives asks, and says so to nobody else yet: a
// message can arrive at this moment.
type lateContext struct {
	context.Context
	ended chan struct{}
}

func (c lateContext) Err() error {
	select {
	case <-c.ended:
		return context.Canceled
	default:
		return nil
	}
}

func TestFilesThatArriveWithTheEndOfTheContextAreClosed(t *testing.T) {
	// If the answer is there before Recv looks, Recv need not wait, and returns it.
	for range 50 {
		if arriveWithTheEnd(t) {
			return
		}
	}
	t.Error("no Recv has waited for its message")
}

// arriveWithTheEnd reports whether Recv did not return the message, because the context had ended.
func arriveWithTheEnd(t *testing.T) (ended bool) {
	l, path := listen(t)
	client := dial(t, path)
	before := fixture.OpenFiles(t)
	base, cancel := context.WithCancel(t.Context())
	defer cancel()
	ctx := lateContext{base, make(chan struct{})}
	var server sync.WaitGroup
	server.Go(func() {
		r, _ := acceptRaw(t, l, wire.Answer{TakesFiles: true, SendsFiles: true})
		defer r.end()
		r.want(wire.KindCall)
		r.want(wire.KindFiles)
		r.want(wire.KindMessage)
		close(ctx.ended)
		r.send(concat(files(1), message(&filetestv1.Shapes{File: &udsgrpcv1.File{Id: 1}})), 0)
		r.wantClosed()
	})
	stream, err := client.Chat(ctx)
	if err != nil {
		t.Fatal(err)
	}
	given := make(chan error, 1)
	go func() { given <- stream.Send(&filetestv1.Shapes{File: runtime.GiveFile(newFile("x"))}) }()
	got, err := stream.Recv()
	if ended = err != nil; ended {
		wantStatus(t, err, codes.Canceled, "")
	}
	got.GetFile().Close()
	cancel()
	<-given
	server.Wait()
	fixture.Eventually(t, "the descriptors to be as before", func() bool { return fixture.OpenFiles(t) <= before })
	return ended
}
