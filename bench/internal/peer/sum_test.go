package peer

import (
	"bytes"
	"encoding/binary"
	"testing"
)

func TestSum(t *testing.T) {
	for _, words := range []int{0, 1, 2, 3, 7, 8, 31, 32, 33, 63, 64, 65, 1000} {
		data := make([]byte, 0, 8*words+3)
		var want uint64
		for i := range words {
			w := uint64(i+1) * 0x9e3779b97f4a7c15 // so large that sums overflow
			want += w
			data = binary.LittleEndian.AppendUint64(data, w)
		}
		if got := Sum(append(data, 1, 2, 3)); got != want {
			t.Errorf("the sum of %d words is %#x, want %#x", words, got, want)
		}
	}
}

func TestPayload(t *testing.T) {
	for _, size := range []int{0, 1, 64, 250, 251, 252, 502, 503, 1 << 20} {
		want := make([]byte, size)
		for i := range want {
			want[i] = byte(i % 251)
		}
		if got := Payload(size); !bytes.Equal(got, want) {
			t.Errorf("the payload of %d bytes is wrong", size)
		}
	}
}
