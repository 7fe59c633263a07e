package direct

import (
	"bytes"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"unsafe"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/udsgrpc/udsgrpc/runtime/internal/direct/wire"
)

// testSource is a source whose bytes a test provides.
type testSource struct {
	rd  *wire.Reader
	in  []byte
	cut int // how much comes at once; 0 for all
}

func (s *testSource) Read(b []byte) (int, error) {
	if len(s.in) == 0 {
		return 0, io.EOF
	}
	if s.cut > 0 {
		b = b[:min(len(b), s.cut)]
	}
	n := copy(b, s.in)
	s.in = s.in[n:]
	return n, nil
}

func (s *testSource) Fill() error {
	n, err := s.Read(s.rd.Space())
	s.rd.Filled(n)
	if err != nil {
		s.rd.FreeBuffer()
	}
	return err
}

// Copying is slow between places of different alignment, and the fields of a decoded message begin a page.
func TestFirstFieldOfALargeMessageBeginsACacheLine(t *testing.T) {
	p := &wire.Buffers{}
	c := newCodec(p)
	const cacheLine = 64
	for _, n := range []int{64 << 10, 1 << 20, 2<<20 - 1} {
		content := bytes.Repeat([]byte{'x'}, n)
		for range 2 { // a new buffer, and one that is used again
			message, err := c.marshal(&wrapperspb.BytesValue{Value: content}, defaultMaxSend, nil)
			if err != nil {
				t.Fatal(err)
			}
			encoded := message.Slices[0].ReadOnlyData()
			first := &encoded[len(encoded)-n]
			if at := uintptr(unsafe.Pointer(first)) % cacheLine; at != 0 {
				t.Errorf("%d bytes begin at byte %d of a cache line", n, at)
			}
			message.Free()
		}
	}
}

// Buffers are not cleared, so the old content of a buffer must not come out as part of a message that is
// read into it or written from it.
func TestDirtyBuffersDoNotShow(t *testing.T) {
	p := &wire.Buffers{}
	dirty := bytes.Repeat([]byte{0xdd}, 1<<21)
	dirt := func() {
		var held []*[]byte
		for size := range 22 {
			b := p.Get(1 << size)
			copy(*b, dirty)
			held = append(held, b)
		}
		for _, b := range held {
			p.Put(b)
		}
	}
	random := rand.New(rand.NewPCG(1, 2))
	c := newCodec(p)
	var scratch []byte
	for range 100 {
		dirt()
		content := bytes.Repeat([]byte{byte(random.IntN(100))}, random.IntN(1<<random.IntN(20)))
		want := &wrapperspb.BytesValue{Value: content}
		out, err := c.marshal(want, defaultMaxSend, scratch[:0])
		if err != nil {
			t.Fatal(err)
		}
		if out.Slices == nil {
			scratch = out.Bytes
		}
		encoded := out.AppendTo(nil)
		if plain, _ := proto.Marshal(want); !bytes.Equal(encoded, plain) {
			t.Fatalf("a message of %d bytes is encoded wrongly", len(content))
		}
		out.Free()

		dirt()
		stream := append(wire.AppendFrameHeader(nil, wire.KindMessage, len(encoded)), encoded...)
		var f wire.Reader
		f.Init(&testSource{&f, stream, 1 + random.IntN(len(stream))}, p)
		_, n, err := f.Next()
		if err != nil {
			t.Fatal(err)
		}
		in, err := f.Message(n)
		if err != nil {
			t.Fatal(err)
		}
		got := &wrapperspb.BytesValue{}
		if err := c.unmarshal(in, got); err != nil {
			t.Fatal(err)
		}
		dirt() // in the buffer from which the message was read
		if !bytes.Equal(got.Value, content) {
			t.Fatalf("a message of %d bytes comes out as one of %d, or other bytes", len(content), len(got.Value))
		}
	}
}

// A decoded message belongs to the caller, and does not change when its buffer is used again.
func TestDecodedMessagesOwnTheirBytes(t *testing.T) {
	c := newCodec(&wire.Buffers{})
	for _, n := range []int{10, wire.ReadBuffer} {
		b, err := proto.Marshal(&wrapperspb.StringValue{Value: strings.Repeat("x", n)})
		if err != nil {
			t.Fatal(err)
		}
		got := &wrapperspb.StringValue{}
		if err := c.unmarshal(wire.Payload{Bytes: b}, got); err != nil {
			t.Fatal(err)
		}
		clear(b)
		if got.Value != strings.Repeat("x", n) {
			t.Error("the message has changed with the buffer")
		}
	}
}
