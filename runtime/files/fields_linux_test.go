package files_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/udsgrpc/udsgrpc/internal/testproc"
	udsgrpcv1 "github.com/udsgrpc/udsgrpc/proto/udsgrpc/v1"
	"github.com/udsgrpc/udsgrpc/runtime"
	"github.com/udsgrpc/udsgrpc/runtime/internal/fixture"
	filetestv1 "github.com/udsgrpc/udsgrpc/runtime/internal/fixture/gen/filetest/v1"
	"github.com/udsgrpc/udsgrpc/runtime/internal/greetertest"

	"google.golang.org/grpc"
)

// start starts a server in a process of its own, and returns its path.
func start(t testing.TB, program string, args ...string) (path string, server *testproc.Process) {
	t.Helper()
	path = fixture.FreePath(t)
	return path, startOn(t, path, program, args...)
}

func startOn(t testing.TB, path, program string, args ...string) *testproc.Process {
	t.Helper()
	server := testproc.Start(t, program, append([]string{path}, args...)...)
	if line := server.Line(); line != "serving" {
		t.Fatalf("the server says %q", line)
	}
	return server
}

// dial returns a client, which is closed at the end of the test.
func dial(t testing.TB, path string, opts ...runtime.DialOption) filetestv1.FilesClient {
	t.Helper()
	client, conn, err := filetestv1.DialFilesUDS(path, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return client
}

// shared returns a value for a field, of a file that is closed at the end of the test.
func shared(t testing.TB, content string) *udsgrpcv1.File {
	t.Helper()
	f := newFile(content)
	t.Cleanup(func() { f.Close() })
	return runtime.ShareFile(f)
}

// everyField returns a message with a file in fields of every kind, and what is in them, in order.
func everyField(t testing.TB) (m *filetestv1.Shapes, contents string) {
	file := func(content string) *udsgrpcv1.File { return shared(t, content) }
	m = &filetestv1.Shapes{
		File:      file("file"),
		Files:     []*udsgrpcv1.File{file("files0"), file("files1")},
		ByName:    map[string]*udsgrpcv1.File{"a": file("by_name.a"), "b": file("by_name.b")},
		ByNumber:  map[int32]*filetestv1.Nested{5: {File: file("by_number.5")}},
		Choice:    &filetestv1.Shapes_Chosen{Chosen: file("chosen")},
		Nested:    &filetestv1.Nested{Text: "nested", File: file("nested")},
		List:      []*filetestv1.Nested{{File: file("list0")}, {}, {File: file("list2")}},
		ByFlag:    map[bool]*udsgrpcv1.File{true: file("by_flag")},
		BySize:    map[uint64]*udsgrpcv1.File{1 << 63: file("by_size")},
		Again:     &filetestv1.Shapes{File: file("again")},
		Delimited: &filetestv1.Nested{File: file("delimited")},
		Ping:      &filetestv1.Ping{Pong: &filetestv1.Pong{Ping: &filetestv1.Ping{Pong: &filetestv1.Pong{File: file("pong")}}}},
	}
	return m, "file files0 files1 by_name.a by_name.b by_number.5 chosen nested list0 list2 by_flag by_size again delimited pong"
}

func check(t testing.TB, m *filetestv1.Shapes, want string) {
	t.Helper()
	if got, err := readAll(m); err != nil || got != want {
		t.Errorf("the files have %q, want %q, error %v", got, want, err)
	}
}

func TestFilesOfEveryFieldGoThereAndBack(t *testing.T) {
	t.Parallel()
	path, _ := start(t, "serve")
	client := dial(t, path)
	m, want := everyField(t)

	m.Text = "read"
	var p peer.Peer
	reply, err := client.Swap(t.Context(), m, grpc.Peer(&p))
	if err != nil || reply.GetText() != want {
		t.Errorf("the server reads %q, want %q, error %v", reply.GetText(), want, err)
	}
	if got := greetertest.TransportOf(&p); got != "direct" {
		t.Errorf("the call is carried by %s", got)
	}
	m.Text = "return"
	reply, err = client.Swap(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	if !proto.Equal(m, reply) {
		t.Errorf("got %v, want %v", reply, m)
	}
	check(t, reply, want)
}

func TestStreamsCarryFilesBothWays(t *testing.T) {
	t.Parallel()
	path, _ := start(t, "serve")
	client := dial(t, path)

	t.Run("to the server", func(t *testing.T) {
		stream, err := client.Collect(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var want []string
		for i := range 20 {
			f := newFile(strconv.Itoa(i))
			err := errors.Join(
				stream.Send(&filetestv1.Shapes{Text: "none"}),
				stream.Send(&filetestv1.Shapes{Text: "one", File: runtime.ShareFile(f)}),
				f.Close(), // Send has returned
			)
			if err != nil {
				t.Fatal(err)
			}
			want = append(want, "none", "one"+strconv.Itoa(i))
		}
		reply, err := stream.CloseAndRecv()
		if got, want := reply.GetText(), strings.Join(want, " "); err != nil || got != want {
			t.Errorf("the server reads %q, want %q, error %v", got, want, err)
		}
	})
	t.Run("to the client", func(t *testing.T) {
		stream, err := client.Watch(t.Context(), &filetestv1.Plain{Text: "20 3"})
		if err != nil {
			t.Fatal(err)
		}
		for i := range 20 {
			if m, err := stream.Recv(); err != nil || m.GetText() != "xxx" {
				t.Fatalf("got %v, %v", m, err)
			}
			m, err := stream.Recv()
			if err != nil {
				t.Fatal(err)
			}
			check(t, m, strconv.Itoa(i))
		}
		if _, err := stream.Recv(); err != io.EOF {
			t.Errorf("got %v at the end", err)
		}
	})
	t.Run("both", func(t *testing.T) {
		stream, err := client.Chat(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for range 4 { // a call can have 64 files that it has not taken
			m, want := everyField(t)
			if err := stream.Send(m); err != nil {
				t.Fatal(err)
			}
			reply, err := stream.Recv()
			if err != nil {
				t.Fatal(err)
			}
			check(t, reply, want)
		}
		if err := stream.CloseSend(); err != nil {
			t.Fatal(err)
		}
		if _, err := stream.Recv(); err != io.EOF {
			t.Errorf("got %v at the end", err)
		}
	})
}

func TestAnswerCanBeNothingButAFile(t *testing.T) {
	t.Parallel()
	path, _ := start(t, "serve")
	file, err := dial(t, path).Open(t.Context(), &filetestv1.Plain{Text: "content"})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := read(file); err != nil || got != "content" {
		t.Errorf("got %q, %v", got, err)
	}
}

// Each field gets a descriptor of its own, which can be closed without regard to the other.
func TestOneFileCanStandInSeveralFields(t *testing.T) {
	t.Parallel()
	path, _ := start(t, "serve")
	file := shared(t, "same")
	m := &filetestv1.Shapes{Text: "return", File: file, Files: []*udsgrpcv1.File{file, file}}
	reply, err := dial(t, path).Swap(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	check(t, reply, "same same same")
}

func TestCallsAtOnceCanSendOneMessage(t *testing.T) {
	t.Parallel()
	path, _ := start(t, "serve")
	client := dial(t, path)
	m, want := everyField(t)
	m.Text = "read"
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			for range 10 {
				if reply, err := client.Swap(t.Context(), m); err != nil || reply.GetText() != want {
					t.Errorf("the server reads %q, want %q, error %v", reply.GetText(), want, err)
				}
			}
		})
	}
	all.Wait()
}

func TestMessageThatHoldsNoFileIsNotSent(t *testing.T) {
	t.Parallel()
	path, _ := start(t, "serve")
	client := dial(t, path)
	const none = "cannot be sent: it holds no open file: "
	closed := newFile("")
	closed.Close()
	given := runtime.GiveFile(newFile("once"))
	if _, err := client.Swap(t.Context(), &filetestv1.Shapes{Text: "ignore", File: given}); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		m    *filetestv1.Shapes
		want string
	}{
		"invented id":     {&filetestv1.Shapes{File: &udsgrpcv1.File{Id: 7}}, "filetest.v1.Shapes.file " + none + "it is a copy, or was not made by ShareFile or GiveFile"},
		"copy":            {proto.Clone(&filetestv1.Shapes{Nested: &filetestv1.Nested{File: shared(t, "x")}}).(*filetestv1.Shapes), "filetest.v1.Shapes.nested.file " + none + "it is a copy, or was not made by ShareFile or GiveFile"},
		"closed":          {&filetestv1.Shapes{Files: []*udsgrpcv1.File{shared(t, "x"), runtime.ShareFile(closed)}}, "filetest.v1.Shapes.files[1] " + none + "the file is closed"},
		"empty file":      {&filetestv1.Shapes{File: runtime.GiveFile(&os.File{})}, "filetest.v1.Shapes.file " + none + "ShareFile or GiveFile was called with no open file: nil, or an empty os.File"},
		"given away once": {&filetestv1.Shapes{File: given}, "filetest.v1.Shapes.file " + none + "it was given away before, and what GiveFile made is sent once"},
	} {
		t.Run(name, func(t *testing.T) {
			want := func(err error) {
				t.Helper()
				if s := status.Convert(err); s.Code() != codes.InvalidArgument || s.Message() != c.want {
					t.Errorf("got %v, want %q", err, c.want)
				}
			}
			_, err := client.Swap(t.Context(), c.m)
			want(err)
			stream, err := client.Collect(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			want(stream.Send(c.m))
			_, err = stream.CloseAndRecv()
			want(err)
		})
	}
	if _, err := client.Swap(t.Context(), &filetestv1.Shapes{Text: "read", File: shared(t, "x")}); err != nil {
		t.Error(err)
	}
}

// A file, a pipe, a socket: what is the same open file at both ends.
func TestBothEndsHaveOneOpenFile(t *testing.T) {
	t.Parallel()
	path, _ := start(t, "serve")
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	reply, err := dial(t, path).Swap(t.Context(), &filetestv1.Shapes{Text: "return", File: runtime.GiveFile(w)})
	if err != nil {
		t.Fatal(err)
	}
	back, err := reply.GetFile().Take()
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(back, "through the server and back")
	back.Close()
	got, err := io.ReadAll(r) // ends, because nobody else has the other end
	if err != nil || string(got) != "through the server and back" {
		t.Errorf("got %q, %v", got, err)
	}
}
