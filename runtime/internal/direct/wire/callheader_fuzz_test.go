package wire

import (
	"bytes"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/metadata"
)

// contents are seeds for the content of control frames: valid ones, and some with one mistake.
func contents() [][]byte {
	md := metadata.MD{"k": {"v", ""}, "k-bin": {"\x00\xff"}}
	full := Status{Last: true, Code: 5, Message: "no", Trailer: md}
	return [][]byte{
		nil,
		{0},
		AppendCallHeader(nil, 0, "/t.T/M", nil),
		AppendCallHeader(nil, time.Second, "/t.T/M", md),
		AppendCallHeader(nil, -1, "", md),
		full.Append(nil),
		(&Status{}).Append(nil),
		AppendMetadata(nil, md),
		append(AppendMetadata(nil, md), 0),                 // one byte too many
		AppendMetadata(nil, md)[:5],                        // ends within a field
		{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},   // a count beyond everything
		bytes.Repeat([]byte{0x80}, 11),                     // a number that does not end
		{2, 0, 0, 0, 0},                                    // empty keys
		{1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, 'k'}, // a key beyond everything
	}
}

// allocationFactor is how many bytes may be allocated for one byte of a control frame: a pair takes at
// least two bytes, and a value in a map of slices about a hundred.
const allocationFactor = 200

// FuzzCall, FuzzStatus and FuzzMetadata: what a peer sends is parsed or refused, never causes a panic, and
// does not change its meaning when it is sent on.
func FuzzCall(f *testing.F) {
	for _, b := range contents() {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := ParseCallHeader(b)
		if err != nil {
			return
		}
		again, err := ParseCallHeader(AppendCallHeader(nil, h.Timeout, string(h.Method), h.Metadata))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(h, again, cmp.AllowUnexported(CallHeader{})); diff != "" {
			t.Error(diff)
		}
		if h.Timeout < 0 {
			t.Errorf("timeout is %v", h.Timeout)
		}
	})
}

func FuzzStatus(f *testing.F) {
	for _, b := range contents() {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := ParseStatus(b)
		if err != nil {
			return
		}
		_ = h.Err() // does not panic, whatever the details are
		again, err := ParseStatus(h.Append(nil))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(h, again, cmp.AllowUnexported(Status{})); diff != "" {
			t.Error(diff)
		}
	})
}

func FuzzMetadata(f *testing.F) {
	for _, b := range contents() {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var md metadata.MD
		var err error
		bound := 4096 + allocationFactor*len(b)
		if got := leastAllocated(bound, func() { md, err = ParseMetadata(b) }); got > bound {
			t.Errorf("%d bytes are allocated for %d", got, len(b))
		}
		if err != nil {
			return
		}
		again, err := ParseMetadata(AppendMetadata(nil, md))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(md, again); diff != "" {
			t.Error(diff)
		}
	})
}
