package files_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/udsgrpc/udsgrpc/internal/testproc"
	udsgrpcv1 "github.com/udsgrpc/udsgrpc/proto/udsgrpc/v1"
	"github.com/udsgrpc/udsgrpc/runtime"
	"github.com/udsgrpc/udsgrpc/runtime/internal/fixture"
	filetestv1 "github.com/udsgrpc/udsgrpc/runtime/internal/fixture/gen/filetest/v1"
)

// programs are the processes that tests start.
var programs = map[string]testproc.Program{
	"serve":        func(args []string) error { return serveFiles(args[0]) },
	"serve 253":    func(args []string) error { return serveFiles(args[0], runtime.MaxFiles(253)) },
	"serve none":   func(args []string) error { return serveFiles(args[0], runtime.MaxFiles(0)) },
	"serve HTTP/2": func(args []string) error { return serveFiles(args[0], runtime.HTTP2Only()) },
	"serve root": func(args []string) error {
		return serveFiles(args[0], runtime.SocketMode(0o666), runtime.Authorize(runtime.Root()),
			runtime.AuthorizeMethod("/filetest.v1.Files/Echo", runtime.Anyone()),
			runtime.AuthorizeMethod("/filetest.v1.Files/Open", runtime.Anyone()))
	},
	"take over":     takeOverFiles,
	"send too many": sendTooMany,
	"serve few":     serveFew,
	"send as":       sendAs,
	"hostile":       hostile,
}

// serveFiles serves until SIGTERM, and says "serving" when clients can connect.
func serveFiles(path string, opts ...runtime.ServerOption) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	srv, err := filetestv1.NewFilesUDSServer(path, &service{}, append(opts, runtime.UnaryInterceptor(survivePanics), runtime.ShutdownTimeout(time.Second))...)
	if err != nil {
		return err
	}
	fmt.Println("serving")
	return srv.Serve(ctx)
}

// survivePanics is what programs have that go on after a handler's panic.
func survivePanics(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (reply any, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = status.Errorf(codes.Internal, "panic: %v", r)
		}
	}()
	return handler(ctx, req)
}

// service does with the files that it gets what the text of the message says.
type service struct {
	filetestv1.UnimplementedFilesServer
}

func (s *service) Swap(ctx context.Context, in *filetestv1.Shapes) (*filetestv1.Shapes, error) {
	switch what, _, _ := strings.Cut(in.GetText(), " "); what {
	case "return": // what was received is passed on
		return in, nil
	case "read":
		contents, err := readAll(in)
		return &filetestv1.Shapes{Text: contents}, err
	case "ignore":
		return &filetestv1.Shapes{}, nil
	case "fail":
		return &filetestv1.Shapes{File: runtime.GiveFile(newFile("never"))}, status.Error(codes.DataLoss, "failed as told")
	case "panic":
		panic("as told")
	case "wait":
		<-ctx.Done()
		return nil, status.FromContextError(ctx.Err()).Err()
	case "give", "share":
		n, err := strconv.Atoi(strings.TrimPrefix(in.GetText(), what+" "))
		if err != nil {
			return nil, err
		}
		reply := &filetestv1.Shapes{}
		for i := range n {
			f := newFile(strconv.Itoa(i))
			if what == "share" {
				defer f.Close()
				reply.Files = append(reply.Files, runtime.ShareFile(f))
			} else {
				reply.Files = append(reply.Files, runtime.GiveFile(f))
			}
		}
		return reply, nil
	case "twice": // a handler that takes, and takes again
		first, err := in.GetFile().Take()
		if err != nil {
			return nil, err
		}
		defer first.Close()
		_, err = in.GetFile().Take()
		return &filetestv1.Shapes{Text: fmt.Sprint(err)}, nil
	}
	return nil, status.Errorf(codes.Unimplemented, "no handler for %q", in.GetText())
}

// Collect answers with all that is in the files; after "ignore" it takes none.
func (s *service) Collect(stream filetestv1.Files_CollectServer) error {
	var contents []string
	for {
		in, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return stream.SendAndClose(&filetestv1.Plain{Text: strings.Join(contents, " ")})
		}
		if err != nil {
			return err
		}
		if in.GetText() == "ignore" {
			continue
		}
		some, err := readAll(in)
		if err != nil {
			return err
		}
		contents = append(contents, in.GetText()+some)
	}
}

// Watch sends as many messages with a file as the text says, and others of so many bytes in between.
func (s *service) Watch(in *filetestv1.Plain, stream filetestv1.Files_WatchServer) error {
	var n, size int
	if _, err := fmt.Sscan(in.GetText(), &n, &size); err != nil {
		return err
	}
	for i := range n {
		f := newFile(strconv.Itoa(i))
		err := errors.Join(
			stream.Send(&filetestv1.Shapes{Text: strings.Repeat("x", size)}),
			stream.Send(&filetestv1.Shapes{File: runtime.ShareFile(f)}),
			f.Close(), // the stream has a duplicate if it needs one
		)
		if err != nil {
			return err
		}
	}
	return nil
}

// Chat sends each message back.
func (s *service) Chat(stream filetestv1.Files_ChatServer) error {
	for {
		in, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = stream.Send(in)
		}
		if err != nil {
			return err
		}
	}
}

func (s *service) Open(_ context.Context, in *filetestv1.Plain) (*udsgrpcv1.File, error) {
	return runtime.GiveFile(newFile(in.GetText())), nil
}

// Echo answers "descriptors" with how many the server's process has, and others with what it was sent. After "leave"
// the process can open only a few more.
func (s *service) Echo(_ context.Context, in *filetestv1.Plain) (*filetestv1.Plain, error) {
	if in.GetText() != "descriptors" && in.GetText() != "leave" {
		return in, nil
	}
	n, err := fixture.CountFiles()
	if err == nil && in.GetText() == "leave" {
		err = limitDescriptors(uint64(n) + 8)
	}
	return &filetestv1.Plain{Text: strconv.Itoa(n)}, err
}

func limitDescriptors(n uint64) error {
	return syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: n, Max: n})
}

// newFile returns an open file that nobody else can find.
func newFile(content string) *os.File {
	f, err := os.CreateTemp("", "udsgrpc-files")
	if err == nil {
		err = errors.Join(os.Remove(f.Name()), write(f, content))
	}
	if err != nil {
		panic(err)
	}
	return f
}

func write(f *os.File, content string) error {
	if _, err := f.WriteString(content); err != nil {
		return err
	}
	_, err := f.Seek(0, io.SeekStart)
	return err
}

// readAll takes, reads and closes all files in a message, in the order of the fields.
func readAll(m *filetestv1.Shapes) (string, error) {
	var contents []string
	for _, file := range filesIn(m.ProtoReflect()) {
		content, err := read(file)
		if err != nil {
			return "", err
		}
		contents = append(contents, content)
	}
	return strings.Join(contents, " "), nil
}

// read takes, reads and closes a file, from its beginning.
func read(file *udsgrpcv1.File) (string, error) {
	f, err := file.Take()
	if err != nil {
		return "", status.Error(codes.NotFound, err.Error())
	}
	defer f.Close()
	content, err := io.ReadAll(io.NewSectionReader(f, 0, 1<<20))
	return string(content), err
}

// filesIn returns all files in a message: fields by number, lists by index, maps by key.
func filesIn(m protoreflect.Message) (files []*udsgrpcv1.File) {
	if file, ok := m.Interface().(*udsgrpcv1.File); ok {
		return []*udsgrpcv1.File{file}
	}
	fields := m.Descriptor().Fields()
	for _, field := range byNumber(fields) {
		switch v := m.Get(field); {
		case !m.Has(field) || field.Message() == nil:
		case field.IsMap() && field.MapValue().Message() != nil:
			for _, key := range sortedKeys(v.Map()) {
				files = append(files, filesIn(v.Map().Get(key).Message())...)
			}
		case field.IsList():
			for i := range v.List().Len() {
				files = append(files, filesIn(v.List().Get(i).Message())...)
			}
		case !field.IsMap():
			files = append(files, filesIn(v.Message())...)
		}
	}
	return files
}

func byNumber(fields protoreflect.FieldDescriptors) (sorted []protoreflect.FieldDescriptor) {
	for i := range fields.Len() {
		sorted = append(sorted, fields.Get(i))
	}
	slices.SortFunc(sorted, func(a, b protoreflect.FieldDescriptor) int { return int(a.Number() - b.Number()) })
	return sorted
}

func sortedKeys(m protoreflect.Map) (keys []protoreflect.MapKey) {
	m.Range(func(key protoreflect.MapKey, _ protoreflect.Value) bool {
		keys = append(keys, key)
		return true
	})
	slices.SortFunc(keys, func(a, b protoreflect.MapKey) int { return strings.Compare(a.String(), b.String()) })
	return keys
}
