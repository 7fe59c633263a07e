package filewalk_test

import (
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/dynamicpb"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/udsgrpc/udsgrpc/internal/openfile"
	udsgrpcv1 "github.com/udsgrpc/udsgrpc/proto/udsgrpc/v1"
	"github.com/udsgrpc/udsgrpc/runtime/internal/filewalk"
	filetestv1 "github.com/udsgrpc/udsgrpc/runtime/internal/fixture/gen/filetest/v1"
)

func TestTypeTellsWhetherThereMayBeFiles(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		message any
		want    bool
	}{
		{&udsgrpcv1.File{}, true},
		{&filetestv1.Shapes{}, true},
		{&filetestv1.Nested{}, true},
		{&filetestv1.Ping{}, true}, // by way of Pong, which is by way of Ping
		{&filetestv1.Pong{}, true},
		{&filetestv1.Plain{}, false}, // refers to itself, an Any, and has an extension
		{&structpb.Struct{}, false},
		{dynamicpb.NewMessage((*filetestv1.Plain)(nil).ProtoReflect().Descriptor()), false},
		{dynamicpb.NewMessage((*filetestv1.Nested)(nil).ProtoReflect().Descriptor()), true}, // of the same Go type
		{(*filetestv1.Shapes)(nil), false},
		{nil, false},
		{"text", false},
	} {
		for range 2 { // the second answer is known from the first
			if got := filewalk.MayHold(test.message); got != test.want {
				t.Errorf("%T: got %t, want %t", test.message, got, test.want)
			}
		}
	}
}

func TestExtensionsAndAnyCarryNone(t *testing.T) {
	t.Parallel()
	f := open(t)
	plain := new(filetestv1.Plain)
	proto.SetExtension(plain, filetestv1.E_Attached, hold(1, openfile.Share(f)))
	inAny, err := anypb.New(&filetestv1.Nested{File: hold(2, openfile.Share(f))})
	if err != nil {
		t.Fatal(err)
	}
	plain.Any = inAny
	if files, err := filewalk.ForSending(&filetestv1.Shapes{Plain: plain}); files != nil || err != nil {
		t.Errorf("got %v and the error %v, want no files", files.IDs(), err)
	}
}

// A dynamic message has no Go struct that a file could hang on.
func TestDynamicMessageHoldsNone(t *testing.T) {
	t.Parallel()
	message := dynamicpb.NewMessage((*filetestv1.Nested)(nil).ProtoReflect().Descriptor())
	if files, err := filewalk.ForSending(message); files != nil || err != nil {
		t.Errorf("without a field: got %v and the error %v, want no files", files.IDs(), err)
	}
	encoded, err := proto.Marshal(&filetestv1.Nested{File: hold(1, openfile.Share(open(t)))})
	if err != nil {
		t.Fatal(err)
	}
	if err := proto.Unmarshal(encoded, message); err != nil {
		t.Fatal(err)
	}
	const want = "filetest.v1.Nested.file cannot be sent: it holds no open file: it is a copy, or was not made by ShareFile or GiveFile"
	if _, err := filewalk.ForSending(message); status.Code(err) != codes.InvalidArgument || status.Convert(err).Message() != want {
		t.Errorf("got the error %v, want %q", err, want)
	}
}

func TestTypeWithoutFilesCostsNoAllocation(t *testing.T) {
	message := &filetestv1.Plain{Text: "text"}
	if n := testing.AllocsPerRun(100, func() {
		if files, err := filewalk.ForSending(message); files != nil || err != nil {
			t.Error("there are files")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkTypeWithoutFiles(b *testing.B) {
	message := &filetestv1.Plain{Text: "text"}
	b.ReportAllocs()
	for b.Loop() {
		filewalk.ForSending(message)
	}
}

func BenchmarkFieldsNotSet(b *testing.B) {
	message := &filetestv1.Shapes{Text: "text"}
	b.ReportAllocs()
	for b.Loop() {
		filewalk.ForSending(message)
	}
}

func BenchmarkOneFile(b *testing.B) {
	message := &filetestv1.Nested{File: hold(1, openfile.Share(open(b)))}
	b.ReportAllocs()
	for b.Loop() {
		files, err := filewalk.ForSending(message)
		if err != nil {
			b.Fatal(err)
		}
		files.Descriptors(func([]int) error { return nil })
		files.Done()
	}
}
