package wire

import (
	"bytes"
	"encoding/binary"
	"slices"
	"testing"
)

// numbered returns n ids.
func numbered(n int) []uint64 {
	ids := make([]uint64, n)
	for i := range ids {
		ids[i] = uint64(i) << 56
	}
	return ids
}

func TestFilesFrameSaysWhatItWasGiven(t *testing.T) {
	for _, n := range []int{1, 2, 127, 128, MaxFiles} {
		b := AppendFilesFrame([]byte("kept"), numbered(n))
		frame, kept := bytes.CutPrefix(b, []byte("kept"))
		if !kept || len(frame) != FilesFrameLen(n) || Kind(frame[0]) != KindFiles {
			t.Fatalf("%d ids make a frame of %d bytes, want %d: %q", n, len(frame), FilesFrameLen(n), frame)
		}
		ids, err := ParseFiles(frame[FrameHeaderLen:])
		if err != nil || !slices.Equal(ids, numbered(n)) {
			t.Errorf("%d ids become %d, %v", n, ids, err)
		}
	}
}

func TestFilesFrameOfAnImpossibleNumberIsAViolation(t *testing.T) {
	for _, n := range []int{0, MaxFiles + 1, 1000} {
		content := AppendFilesFrame(nil, numbered(n))[FrameHeaderLen:]
		if ids, err := ParseFiles(content); !isViolation(err, "a message with") {
			t.Errorf("%d ids become %d, %v", n, ids, err)
		}
	}
}

// FuzzFiles: what a peer sends is parsed or refused, and does not change its meaning when it is sent on.
func FuzzFiles(f *testing.F) {
	for _, b := range contents() {
		f.Add(b)
	}
	for _, n := range []int{1, 2, MaxFiles, MaxFiles + 1} {
		f.Add(AppendFilesFrame(nil, numbered(n))[FrameHeaderLen:])
	}
	f.Add(append(AppendFilesFrame(nil, numbered(2))[FrameHeaderLen:], 0))
	f.Add(AppendFilesFrame(nil, numbered(2))[FrameHeaderLen:][:12])
	f.Add(binary.AppendUvarint(nil, 1<<63))
	f.Fuzz(func(t *testing.T, b []byte) {
		ids, err := ParseFiles(b)
		if err != nil {
			if ids != nil || !isViolation(err, "") {
				t.Errorf("got %d, %v", ids, err)
			}
			return
		}
		if n := len(ids); n < 1 || n > MaxFiles {
			t.Errorf("got %d ids", n)
		}
		again, err := ParseFiles(AppendFilesFrame(nil, ids)[FrameHeaderLen:])
		if err != nil || !slices.Equal(ids, again) {
			t.Errorf("%d is sent on as %d, %v", ids, again, err)
		}
	})
}
