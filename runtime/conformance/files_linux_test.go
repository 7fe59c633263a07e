package conformance_test

import (
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	udsgrpcv1 "github.com/udsgrpc/udsgrpc/proto/udsgrpc/v1"
	"github.com/udsgrpc/udsgrpc/runtime"
	filetestv1 "github.com/udsgrpc/udsgrpc/runtime/internal/fixture/gen/filetest/v1"
)

// Messages in these cases have an open file over the direct transport, and none over HTTP/2, which carries
// no files. Everything else of the calls is the same.

const inFile = "what is in the file"

func (b *rig) carriesFiles() bool { return b.transport.carrier == "direct" }

// with returns a message with a text and a file.
func (b *rig) with(text string) *filetestv1.Shapes {
	m := &filetestv1.Shapes{Text: text}
	if !b.carriesFiles() {
		return m
	}
	f, err := os.CreateTemp("", "conformance")
	if err == nil {
		_, err = f.WriteString(inFile)
		err = errors.Join(err, os.Remove(f.Name()))
	}
	if err != nil {
		b.Errorf("no file to send: %v", err)
		return m
	}
	m.File = runtime.GiveFile(f)
	return m
}

// textWith returns the text of a message, and checks the file.
func (b *rig) textWith(m *filetestv1.Shapes) string {
	f, err := m.GetFile().Take()
	switch {
	case !b.carriesFiles() && err == nil:
		b.Errorf("a file came over HTTP/2")
	case !b.carriesFiles():
	case err != nil:
		b.Errorf("%q came without its file: %v", m.GetText(), err)
	default:
		if got, err := io.ReadAll(io.NewSectionReader(f, 0, 100)); string(got) != inFile {
			b.Errorf("the file has %q, %v", got, err)
		}
		f.Close()
	}
	return m.GetText()
}

// fileService does what the text of the first message says.
type fileService struct {
	filetestv1.UnimplementedFilesServer
	b     *rig
	waits chan string // says when a handler that waits has begun to, and when it has ended
}

// do answers with metadata, fails, or waits for the end of the context.
func (s fileService) do(ctx context.Context, text string) error {
	err := errors.Join(grpc.SetHeader(ctx, metadata.Pairs("header", text)), grpc.SetTrailer(ctx, metadata.Pairs("trailer", text)))
	switch text {
	case "fail":
		st, detailsErr := status.New(codes.DataLoss, "failed as told").WithDetails(durationpb.New(time.Second))
		return errors.Join(err, detailsErr, st.Err())
	case "wait":
		s.waits <- "begun"
		<-ctx.Done()
		s.waits <- "ended"
		return status.FromContextError(ctx.Err()).Err()
	}
	return err
}

func (s fileService) Swap(ctx context.Context, in *filetestv1.Shapes) (*filetestv1.Shapes, error) {
	text := s.b.textWith(in)
	if err := s.do(ctx, text); err != nil {
		return s.b.with("never sent"), status.Convert(errorOf(err)).Err()
	}
	return s.b.with(text), nil
}

func (s fileService) Collect(stream filetestv1.Files_CollectServer) error {
	var texts []string
	for {
		in, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return stream.SendAndClose(&filetestv1.Plain{Text: strings.Join(texts, " ")})
		}
		if err != nil {
			return err
		}
		texts = append(texts, s.b.textWith(in))
		if err := s.do(stream.Context(), texts[0]); err != nil {
			return errorOf(err)
		}
	}
}

func (s fileService) Watch(in *filetestv1.Plain, stream filetestv1.Files_WatchServer) error {
	if err := stream.SendHeader(metadata.Pairs("early", "yes")); err != nil {
		return err
	}
	for range 3 {
		if err := stream.Send(s.b.with(in.GetText())); err != nil {
			return err
		}
	}
	stream.SetTrailer(metadata.Pairs("trailer", in.GetText()))
	switch in.GetText() {
	case "fail":
		return status.Error(codes.DataLoss, "failed as told")
	case "wait":
		<-stream.Context().Done()
		return status.FromContextError(stream.Context().Err()).Err()
	}
	return nil
}

func (s fileService) Chat(stream filetestv1.Files_ChatServer) error {
	for {
		in, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		text := s.b.textWith(in)
		if text == "fail" || text == "wait" {
			return errorOf(s.do(stream.Context(), text))
		}
		if err := stream.Send(s.b.with(text)); err != nil {
			return err
		}
	}
}

// errorOf returns the status among joined errors.
func errorOf(err error) error {
	var s interface {
		error
		GRPCStatus() *status.Status
	}
	if errors.As(err, &s) {
		return s
	}
	return err
}

// files returns a client of a service with files, and what handlers say that wait.
func (b *rig) files() (filetestv1.FilesClient, <-chan string) {
	b.Helper()
	srv, err := runtime.NewServer(b.path, append(b.transport.server[:len(b.transport.server):len(b.transport.server)],
		runtime.UnaryInterceptor(b.aroundUnary), runtime.StreamInterceptor(b.aroundStream))...)
	if err != nil {
		b.Fatal(err)
	}
	waits := make(chan string, 2)
	filetestv1.RegisterFilesServer(srv, fileService{b: b, waits: waits})
	b.run(srv)
	_, conn := b.dial()
	b.ready(conn)
	return filetestv1.NewFilesClient(conn), waits
}

func TestConformanceOfCallsWithFiles(t *testing.T) {
	conform(t, cases{
		"unary calls answer and fail": func(b *rig) {
			client, _ := b.files()
			for text, code := range map[string]codes.Code{"fine": codes.OK, "fail": codes.DataLoss} {
				lane := b.track(text)
				var header, trailer metadata.MD
				reply, err := client.Swap(b.ctx, b.with(text), grpc.Header(&header), grpc.Trailer(&trailer))
				lane.saw("outcome", b.outcome(err))
				lane.is("code", status.Code(err), code)
				if err == nil {
					lane.is("reply", b.textWith(reply), text)
				}
				lane.is("header", only(header, "header"), metadata.MD{"header": {text}})
				lane.is("trailer", only(trailer, "trailer"), metadata.MD{"trailer": {text}})
			}
		},
		"client streams answer and fail": func(b *rig) {
			client, _ := b.files()
			stream, err := client.Collect(b.ctx)
			b.client.succeeds("begin", err)
			for _, text := range []string{"a", "b", "c"} {
				b.client.succeeds("send", stream.Send(b.with(text)))
			}
			reply, err := stream.CloseAndRecv()
			b.client.succeeds("receive", err)
			b.client.is("reply", reply.GetText(), "a b c")
			b.client.is("trailer", only(stream.Trailer(), "trailer"), metadata.MD{"trailer": {"a", "a", "a"}})
			stream, err = client.Collect(b.ctx)
			b.client.succeeds("begin", err)
			b.client.succeeds("send", stream.Send(b.with("fail")))
			_, err = stream.CloseAndRecv()
			b.client.fails("receive", err, codes.DataLoss, "failed as told")
		},
		"server streams answer and fail": func(b *rig) {
			client, _ := b.files()
			for text, code := range map[string]codes.Code{"fine": codes.OK, "fail": codes.DataLoss} {
				lane := b.track(text)
				stream, err := client.Watch(b.ctx, &filetestv1.Plain{Text: text})
				lane.succeeds("begin", err)
				header, err := stream.Header()
				lane.succeeds("header", err)
				lane.is("early", only(header, "early"), metadata.MD{"early": {"yes"}})
				for range 3 {
					m, err := stream.Recv()
					lane.succeeds("receive", err)
					lane.is("message", b.textWith(m), text)
				}
				_, err = stream.Recv()
				lane.saw("end", b.outcome(err))
				if code == codes.OK {
					lane.ends("receive at the end", err)
				} else {
					lane.fails("receive at the end", err, code, "failed as told")
				}
				lane.is("trailer", only(stream.Trailer(), "trailer"), metadata.MD{"trailer": {text}})
			}
		},
		"both ends of a stream send": func(b *rig) {
			client, _ := b.files()
			stream, err := client.Chat(b.ctx)
			b.client.succeeds("begin", err)
			for _, text := range []string{"a", "b"} {
				b.client.succeeds("send", stream.Send(b.with(text)))
				m, err := stream.Recv()
				b.client.succeeds("receive", err)
				b.client.is("message", b.textWith(m), text)
			}
			b.client.succeeds("half-close", stream.CloseSend())
			_, err = stream.Recv()
			b.client.ends("receive at the end", err)
		},
		"calls are cancelled": func(b *rig) {
			client, waits := b.files()
			ctx, cancel := context.WithCancel(b.ctx)
			stream, err := client.Chat(ctx)
			b.client.succeeds("begin", err)
			b.client.succeeds("send", stream.Send(b.with("first")))
			_, err = stream.Recv()
			b.client.succeeds("receive", err)
			b.client.succeeds("send", stream.Send(b.with("wait")))
			b.server.is("handler", await(b, "the handler to wait", waits), "begun")
			cancel()
			_, err = stream.Recv()
			b.client.fails("receive", err, codes.Canceled, "context canceled")
			b.server.is("handler", await(b, "the handler's context to end", waits), "ended")
			ctx, cancel = context.WithCancel(b.ctx)
			cancel()
			_, err = client.Swap(ctx, b.with("fine"))
			b.client.fails("call", err, codes.Canceled, "context canceled")
		},
		"deadlines pass": func(b *rig) {
			client, _ := b.files()
			ctx, cancel := context.WithTimeout(b.ctx, 50*time.Millisecond)
			defer cancel()
			_, err := client.Swap(ctx, b.with("wait"))
			b.client.failsSomehow("call", err, codes.DeadlineExceeded)
			ctx, cancel = context.WithTimeout(b.ctx, 50*time.Millisecond)
			defer cancel()
			watch, err := client.Watch(ctx, &filetestv1.Plain{Text: "wait"})
			for err == nil {
				_, err = watch.Recv()
			}
			b.client.failsSomehow("receive", err, codes.DeadlineExceeded)
		},
		"a file over HTTP/2 is refused and the next call goes on": func(b *rig) {
			client, _ := b.files()
			if !b.carriesFiles() {
				_, err := client.Swap(b.ctx, &filetestv1.Shapes{File: runtime.ShareFile(os.Stdin)})
				if s := status.Convert(err); s.Code() != codes.FailedPrecondition || !strings.Contains(s.Message(), "nothing was sent") {
					b.Errorf("a request with a file comes to %v", err)
				}
				stream, err := client.Chat(b.ctx)
				if err == nil {
					err = stream.Send(&filetestv1.Shapes{Files: []*udsgrpcv1.File{runtime.ShareFile(os.Stdin)}})
				}
				if status.Code(err) != codes.FailedPrecondition {
					b.Errorf("a stream with a file comes to %v", err)
				}
			}
			reply, err := client.Swap(b.ctx, b.with("fine"))
			b.client.succeeds("call", err)
			b.client.is("reply", b.textWith(reply), "fine")
		},
	})
}
