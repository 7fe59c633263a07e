package direct

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"
	"unsafe"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// A buffer has the requested length, and a new one has room for no more than twice as much.
func TestBuffersSizes(t *testing.T) {
	for _, n := range []int{0, 1, 2, 3, 1023, 1024, 1025, smallFirst - 1, smallFirst, smallFirst + 1, 1 << 20, largestLarge, largestLarge + 1} {
		p := &buffers{}
		for range 3 {
			b, other := p.Get(n), p.Get(n)
			if len(*b) != n || cap(*b) > max(2*n, 1) {
				t.Errorf("a buffer of %d bytes has %d, and room for %d", n, len(*b), cap(*b))
			}
			if n > 0 && &(*b)[0] == &(*other)[0] {
				t.Errorf("two have the same buffer of %d bytes", n)
			}
			p.Put(b)
			p.Put(other)
		}
	}
}

// Copying is slow between places of different alignment, and the fields of a decoded message begin a page.
func TestFirstFieldOfALargeMessageBeginsACacheLine(t *testing.T) {
	p := &buffers{}
	c := newCodec(p)
	for _, n := range []int{1 << largestSmall, 1 << 20, 2<<20 - 1} {
		content := bytes.Repeat([]byte{'x'}, n)
		for range 2 { // a new buffer, and one that is used again
			message, err := c.marshal(&wrapperspb.BytesValue{Value: content}, defaultMaxSend, nil)
			if err != nil {
				t.Fatal(err)
			}
			encoded := message.slices[0].ReadOnlyData()
			first := &encoded[len(encoded)-n]
			if at := uintptr(unsafe.Pointer(first)) % cacheLine; at != 0 {
				t.Errorf("%d bytes begin at byte %d of a cache line", n, at)
			}
			message.free()
		}
	}
}

// Only a few large buffers are kept, and only those that messages of the usual limit need.
func TestFewLargeBuffersAreKept(t *testing.T) {
	p := &buffers{}
	for n := 1 << largestSmall; n < 2*largestLarge; n += 100 << 10 {
		b := make([]byte, n)
		p.Put(&b)
	}
	if len(p.large) > keepLarge {
		t.Errorf("%d are kept", len(p.large))
	}
	largest := 0
	for _, b := range p.large {
		largest = max(largest, cap(*b))
	}
	if largest > largestLarge || largest < largestLarge-200<<10 {
		t.Errorf("the largest that is kept is of %d bytes", largest)
	}
	if b := p.takeLarge(largestLarge + 1); b != nil {
		t.Errorf("one of %d bytes is taken for a larger one", cap(*b))
	}
}

// A buffer that did not come from the pool, or was cut, must not come out of it as a larger one.
func TestBuffersOfOthersAreNotKept(t *testing.T) {
	p := &buffers{}
	odd := [][]byte{nil, make([]byte, 0, 3), make([]byte, 5, 1000), make([]byte, 0, largestLarge+1), make([]byte, 1<<largestSmall+1), make([]byte, 10)[2:]}
	for _, b := range odd {
		p.Put(&b)
		if got := p.Get(cap(b)); len(*got) != cap(b) {
			t.Errorf("after a buffer of %d bytes was put there, one of %d comes out", cap(b), len(*got))
		}
	}
}

// Buffers are not cleared, so the old content of a buffer must not come out as part of a message that is
// read into it or written from it.
func TestDirtyBuffersDoNotShow(t *testing.T) {
	p := &buffers{}
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
		if out.slices == nil {
			scratch = out.b
		}
		encoded := out.appendTo(nil)
		if plain, _ := proto.Marshal(want); !bytes.Equal(encoded, plain) {
			t.Fatalf("a message of %d bytes is encoded wrongly", len(content))
		}
		out.free()

		dirt()
		stream := append(appendFrameHeader(nil, kindMessage, len(encoded)), encoded...)
		var f reader
		f.init(&pieces{&f, stream, func(left int) int { return 1 + random.IntN(left) }}, p)
		_, n, err := f.header()
		if err != nil {
			t.Fatal(err)
		}
		in, err := f.message(n)
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
	c := newCodec(&buffers{})
	for _, n := range []int{10, readBuffer} {
		b, err := proto.Marshal(&wrapperspb.StringValue{Value: strings.Repeat("x", n)})
		if err != nil {
			t.Fatal(err)
		}
		got := &wrapperspb.StringValue{}
		if err := c.unmarshal(payload{b: b}, got); err != nil {
			t.Fatal(err)
		}
		clear(b)
		if got.Value != strings.Repeat("x", n) {
			t.Error("the message has changed with the buffer")
		}
	}
}
