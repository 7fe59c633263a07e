package wire

import (
	"encoding/binary"
	"math"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/udsgrpc/udsgrpc/runtime/internal/fixture"
)

// leastAllocated is fixture.Allocated for a fuzz target, whose engine allocates at the same time: it runs
// f again if that was more than bound.
func leastAllocated(bound int, f func()) (n int) {
	for range 5 {
		if n = fixture.Allocated(f); n <= bound {
			break
		}
	}
	return n
}

// A control frame that is not exactly right is a violation, with a reason.
func TestMalformedControlFramesAreRefused(t *testing.T) {
	md := metadata.MD{"key": {"value"}}
	whole := map[string]struct {
		b     []byte
		parse func([]byte) error
	}{
		"call":     {AppendCallHeader(nil, time.Second, "/t.T/M", md), func(b []byte) error { _, err := ParseCallHeader(b); return err }},
		"status":   {(&Status{Code: 5, Message: "no", Trailer: md}).Append(nil), func(b []byte) error { _, err := ParseStatus(b); return err }},
		"metadata": {AppendMetadata(nil, md), func(b []byte) error { _, err := ParseMetadata(b); return err }},
	}
	for name, content := range whole {
		t.Run(name, func(t *testing.T) {
			if err := content.parse(content.b); err != nil {
				t.Fatal(err)
			}
			for n := range content.b {
				if err := content.parse(content.b[:n]); !isViolation(err, "ends within a field") {
					t.Errorf("%d of %d bytes: %v", n, len(content.b), err)
				}
			}
			if err := content.parse(append(content.b, 0, 0)); !isViolation(err, "2 bytes too many") {
				t.Errorf("two bytes more: %v", err)
			}
		})
	}
}

// A count or length that exceeds what was received is refused before anything is allocated for it.
func TestHugeCountsInControlFramesCostNothing(t *testing.T) {
	for _, n := range []uint64{3, 1 << 20, math.MaxUint32, math.MaxInt64, math.MaxUint64} {
		b := append(binary.AppendUvarint(nil, n), "abc"...)
		for name, parse := range map[string]func() error{
			"pairs":  func() error { _, err := ParseMetadata(b); return err },
			"key":    func() error { _, err := ParseMetadata(append([]byte{1}, b...)); return err },
			"method": func() error { _, err := ParseCallHeader(append([]byte{0}, b...)); return err },
		} {
			var err error
			got := fixture.Allocated(func() { err = parse() })
			if name == "method" && n == 3 {
				continue // it is there
			}
			if err == nil {
				t.Errorf("%s: %d pass", name, n)
			}
			if got > 64<<10 {
				t.Errorf("%s: %d bytes are allocated for a length of %d", name, got, n)
			}
		}
	}
}

// The largest control frame allocates a bounded multiple of its size, however it is made.
func TestLargestControlFramesAllocateABoundedMultiple(t *testing.T) {
	for name, pair := range map[string]func(i int) []byte{
		"empty pairs": func(int) []byte { return []byte{0, 0} },
		"short keys":  func(i int) []byte { return []byte{3, byte(i), byte(i >> 8), byte(i >> 16), 0} },
		"long keys":   func(i int) []byte { return append([]byte{100, byte(i), byte(i >> 8)}, make([]byte, 99)...) },
	} {
		t.Run(name, func(t *testing.T) {
			var pairs []byte
			n := 0
			for ; len(pairs) < MaxControl-200; n++ {
				pairs = append(pairs, pair(n)...)
			}
			b := append(binary.AppendUvarint(nil, uint64(n)), pairs...)
			var err error
			got := fixture.Allocated(func() { _, err = ParseMetadata(b) })
			if err != nil {
				t.Fatal(err)
			}
			if got > allocationFactor*len(b) {
				t.Errorf("%d bytes are allocated for %d", got, len(b))
			}
		})
	}
}

// A timeout that Go cannot express becomes the longest possible one, not a deadline in the past.
func TestTimeoutsBeyondAllBounds(t *testing.T) {
	for _, n := range []uint64{math.MaxInt64, math.MaxInt64 + 1, math.MaxUint64} {
		b := append(binary.AppendUvarint(nil, n), 0, 0)
		h, err := ParseCallHeader(b)
		if err != nil || h.Timeout != math.MaxInt64 {
			t.Errorf("%d is %v, %v", n, h.Timeout, err)
		}
	}
}

// A number that is not a code of gRPC must not become one, and above all not OK.
func TestCodesBeyondAllBoundsAreErrors(t *testing.T) {
	for _, code := range []uint64{math.MaxInt32 + 1, math.MaxUint32, 1 << 32, 1<<32 + 5, math.MaxUint64} {
		b := append(binary.AppendUvarint([]byte{0}, code), 0, 0)
		h, err := ParseStatus(b)
		if err == nil && status.Code(h.Err()) != codes.Unknown {
			t.Errorf("%d is %v", code, h.Err())
		}
	}
}
