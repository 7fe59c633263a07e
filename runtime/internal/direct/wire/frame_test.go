package wire

import (
	"bytes"
	"errors"
	"io"
	"math"
	"slices"
	"testing"

	"github.com/udsgrpc/udsgrpc/runtime/internal/fixture"
)

// pieces is a source that returns its bytes in pieces.
type pieces struct {
	*Reader
	rest []byte
	cut  func(left int) int // how much comes next
}

func (p *pieces) Fill() error {
	n, err := p.Read(p.Space())
	p.Filled(n)
	if err != nil {
		p.FreeBuffer()
	}
	return err
}

func (p *pieces) Read(b []byte) (int, error) {
	if len(p.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(b[:min(len(b), max(p.cut(len(p.rest)), 1))], p.rest)
	p.rest = p.rest[n:]
	return n, nil
}

type parsed struct {
	kind    Kind
	content []byte
}

// parse reads all frames of a stream, and the error after them.
func parse(stream []byte, cut func(int) int) (frames []parsed, err error) {
	var f Reader
	f.Init(&pieces{&f, stream, cut}, &Buffers{})
	for {
		k, n, err := f.Next()
		if err != nil {
			return frames, err
		}
		var content []byte
		if k == KindMessage {
			p, err := f.Message(n)
			if err != nil {
				return frames, err
			}
			content = p.AppendTo(nil)
			p.Free()
		} else {
			b, err := f.Control(n)
			if err != nil {
				return frames, err
			}
			content = slices.Clone(b)
		}
		frames = append(frames, parsed{k, content})
	}
}

func whole(left int) int { return left }

// FuzzReader: however a stream is cut, the same frames are read, and no memory is allocated for bytes that
// were only announced.
func FuzzReader(f *testing.F) {
	var all []byte
	for _, k := range []Kind{KindIntro, KindCall, KindMessage, KindEnd, KindHeader, KindStatus, KindGoAway, 0, 'x'} {
		one := append(AppendFrameHeader(nil, k, 3), "abc"...)
		all = append(all, one...)
		f.Add(one, uint64(1))
	}
	f.Add(all, uint64(7))
	f.Add(append(append(AppendFrameHeader(nil, KindMessage, ReadBuffer+1), make([]byte, ReadBuffer+1)...), all...), uint64(3))
	f.Add(append(append(AppendFrameHeader(nil, KindCall, smallFirst+1), make([]byte, smallFirst+1)...), all...), uint64(4))
	f.Add(AppendFrameHeader(nil, KindMessage, MaxFrame), uint64(0))
	f.Add(announce(KindMessage, MaxFrame+1), uint64(0))
	f.Add(announce(KindCall, math.MaxUint32), uint64(0))
	f.Add(AppendFrameHeader(nil, KindCall, MaxControl), uint64(0))
	f.Fuzz(func(t *testing.T, stream []byte, seed uint64) {
		want, wantErr := parse(stream, whole)
		// A random generator that is good enough for cutting.
		random := func(left int) int {
			seed = seed*6364136223846793005 + 1442695040888963407
			return 1 + int((seed>>33)%min(uint64(left), 1+(seed>>20)%(2*ReadBuffer)))
		}
		var got []parsed
		var gotErr error
		// What grows is copied, so all of it together is a little more than the last buffer. The test
		// copies too.
		bound := 4*(ReadBuffer+smallFirst) + (2*growth+100)*len(stream)
		size := leastAllocated(bound, func() { got, gotErr = parse(stream, random) })
		if !slices.EqualFunc(got, want, func(a, b parsed) bool { return a.kind == b.kind && bytes.Equal(a.content, b.content) }) {
			t.Errorf("cut, %d frames come out, and whole %d", len(got), len(want))
		}
		if gotErr.Error() != wantErr.Error() {
			t.Errorf("cut, the end is %v, and whole %v", gotErr, wantErr)
		}
		if size > bound {
			t.Errorf("%d bytes are allocated for a stream of %d; %d are allowed", size, len(stream), bound)
		}
	})
}

// A peer that announces much and sends little costs little.
func TestAnnouncedContentIsNotAllocated(t *testing.T) {
	for name, tc := range map[string]struct {
		kind Kind
		n    uint32 // announced
		sent int
		want error
	}{
		"2 GiB message, nothing sent": {KindMessage, MaxFrame, 0, io.ErrUnexpectedEOF},
		"2 GiB message, 1 KiB sent":   {KindMessage, MaxFrame, 1 << 10, io.ErrUnexpectedEOF},
		"2 GiB message, 64 KiB sent":  {KindMessage, MaxFrame, smallFirst, io.ErrUnexpectedEOF},
		"message over the limit":      {KindMessage, MaxFrame + 1, 0, Violation("a frame of 2147483648 bytes, and 2147483647 is the limit")},
		"4 GiB message":               {KindMessage, math.MaxUint32, 0, Violation("a frame of 4294967295 bytes, and 2147483647 is the limit")},
		"1 MiB call, nothing sent":    {KindCall, MaxControl, 0, io.ErrUnexpectedEOF},
		"1 MiB call, 1 KiB sent":      {KindCall, MaxControl, 1 << 10, io.ErrUnexpectedEOF},
		"call over the limit":         {KindCall, MaxControl + 1, 0, Violationf("a frame of %d bytes, and %d is the limit", MaxControl+1, MaxControl)},
		"4 GiB status":                {KindStatus, math.MaxUint32, 0, Violation("a frame of 4294967295 bytes, and 2147483647 is the limit")},
	} {
		t.Run(name, func(t *testing.T) {
			stream := append(announce(tc.kind, tc.n), make([]byte, tc.sent)...)
			var err error
			got := fixture.Allocated(func() { _, err = parse(stream, whole) })
			if !errors.Is(err, tc.want) {
				t.Errorf("the error is %v, want %v", err, tc.want)
			}
			// A large buffer has an eighth more.
			if bound := 2*(ReadBuffer+smallFirst) + growth*tc.sent*9/8; got > bound {
				t.Errorf("%d bytes are allocated; %d are allowed", got, bound)
			}
		})
	}
}

// The next allocation is never more than was announced, always fits an int on 32-bit systems, and is
// always more than what has arrived.
func TestBuffersGrowWithinTheAnnouncedLength(t *testing.T) {
	for _, n := range []int{smallFirst + 1, growth*smallFirst - 1, growth * smallFirst, MaxFrame / growth, 1 << 28, MaxFrame - 1, MaxFrame} {
		for have := smallFirst; have < n; {
			next := grown(have, n)
			if next <= have || next > n || next < n && next/growth != have {
				t.Fatalf("after %d bytes of %d there is room for %d", have, n, next)
			}
			have = next
		}
	}
}

// There is a buffer only while it holds something: most connections are idle.
func TestReaderWithoutBytesHasNoBuffer(t *testing.T) {
	var f Reader
	src := &pieces{&f, concatFrames(3), whole}
	f.Init(src, &Buffers{})
	for range 3 {
		if _, _, err := f.Next(); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := f.Next(); err != io.EOF {
		t.Fatal(err)
	}
	if f.buf != nil {
		t.Error("there is a buffer at the end")
	}
}

func concatFrames(n int) (b []byte) {
	for range n {
		b = AppendFrameHeader(b, KindEnd, 0)
	}
	return b
}

// An end within a frame is distinguished from an end between frames.
func TestEndsBetweenAndWithinFrames(t *testing.T) {
	stream := append(AppendFrameHeader(nil, KindMessage, 3), "abc"...)
	for n := range len(stream) + 1 {
		want := io.ErrUnexpectedEOF
		if n == 0 || n == len(stream) {
			want = io.EOF
		}
		if _, err := parse(stream[:n], whole); err != want {
			t.Errorf("after %d bytes the error is %v, want %v", n, err, want)
		}
	}
}
