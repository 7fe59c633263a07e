package capture_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/udsgrpc/udsgrpc/cmd/udsgrpc/internal/capture"
	inspectv1 "github.com/udsgrpc/udsgrpc/proto/udsgrpc/inspect/v1"
)

// calls differ in length, so that each padding is there.
func calls() (all []*inspectv1.Call) {
	for _, name := range []string{"", "/a", "/ab", "/abc", "/abcd\x00é"} {
		all = append(all, &inspectv1.Call{
			Time: timestamppb.New(time.Unix(1700000000, 5)), Duration: durationpb.New(time.Second), Method: name,
			Caller: &inspectv1.Caller{Uid: new(uint32(0)), Pid: new(int64(7)), Program: "p"}, Requests: 1, RequestBytes: 1 << 40, Code: 5,
			Contents: &inspectv1.Contents{Messages: []*inspectv1.Message{{Response: true, Json: "{}"}}},
		})
	}
	return all
}

// file is one with those calls, of which two are missing before the third, and three at the end.
func file(t testing.TB) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := capture.NewWriter(&b, "test", "/run/a b.sock")
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range calls() {
		if i == 2 {
			w.Dropped(2)
		}
		if err := w.Call(c); err != nil {
			t.Fatal(err)
		}
	}
	w.Dropped(3)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// read returns what is in a file, with the error at its end.
func read(b []byte) (all []*inspectv1.Call, dropped []uint64, err error) {
	r := capture.NewReader(bytes.NewReader(b))
	for {
		call, n, err := r.Next()
		dropped = append(dropped, n)
		if err != nil {
			return all, dropped, err
		}
		all = append(all, call)
	}
}

func TestWhatIsWrittenIsRead(t *testing.T) {
	t.Parallel()
	got, dropped, err := read(file(t))
	if !errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("the file ends with %v", err)
	}
	want := calls()
	if len(got) != len(want) {
		t.Fatalf("%d calls are read of %d", len(got), len(want))
	}
	for i := range want {
		if !proto.Equal(got[i], want[i]) {
			t.Errorf("it is %v, want %v", got[i], want[i])
		}
	}
	if dropped[2] != 2 || dropped[5] != 3 || dropped[0]+dropped[1]+dropped[3]+dropped[4] != 0 {
		t.Errorf("missing are %v", dropped)
	}
	// Sections may follow one another, as in files that were put together.
	if twice, _, err := read(append(file(t), file(t)...)); len(twice) != 2*len(want) || !errors.Is(err, io.EOF) {
		t.Errorf("of two files, %d are read, and %v", len(twice), err)
	}
}

// A file may be cut anywhere, when a disk is full.
func TestCutFilesGiveWhatIsWhole(t *testing.T) {
	t.Parallel()
	whole := file(t)
	ends, shown := 0, 0
	for n := range len(whole) {
		got, _, err := read(whole[:n])
		switch {
		case errors.Is(err, io.ErrUnexpectedEOF):
		case errors.Is(err, io.EOF):
			ends++
		default:
			t.Fatalf("of %d bytes, the error is %v", n, err)
		}
		if len(got) < shown {
			t.Fatalf("of %d bytes, %d calls are read, and of fewer %d", n, len(got), shown)
		}
		shown = len(got)
	}
	if blocks := 2 + len(calls()); ends != blocks || shown != len(calls()) { // after each but the last
		t.Errorf("%d places are between blocks, want %d; %d calls are shown", ends, blocks, shown)
	}
}

// other returns a file of another byte order, with blocks and interfaces that are not ours.
func other(t *testing.T, link uint16, data []byte) []byte {
	t.Helper()
	order := binary.BigEndian
	block := func(kind uint32, body []byte) []byte {
		for len(body)%4 != 0 {
			body = append(body, 0)
		}
		b := order.AppendUint32(nil, kind)
		b = order.AppendUint32(b, uint32(len(body)+12))
		return order.AppendUint32(append(b, body...), uint32(len(body)+12))
	}
	packet := order.AppendUint32(make([]byte, 12, 64), uint32(len(data)))
	packet = append(order.AppendUint32(packet, uint32(len(data))), data...)
	packet[3] = 1 // of the second interface
	return bytes.Join([][]byte{
		block(0x0A0D0D0A, append(order.AppendUint32(nil, 0x1A2B3C4D), make([]byte, 12)...)),
		block(0x0BAD, nil), block(0x0BAD, []byte("anything")),
		block(1, make([]byte, 8)), block(1, append(order.AppendUint16(nil, link), make([]byte, 6)...)),
		block(6, packet),
	}, nil)
}

func TestFilesOfOtherProgramsAreRead(t *testing.T) {
	t.Parallel()
	data, err := proto.Marshal(calls()[3])
	if err != nil {
		t.Fatal(err)
	}
	if got, _, err := read(other(t, 147, data)); len(got) != 1 || !proto.Equal(got[0], calls()[3]) || !errors.Is(err, io.EOF) {
		t.Errorf("%v is read, and %v", got, err)
	}
	if got, _, err := read(other(t, 1, data)); len(got) != 0 || !errors.Is(err, io.EOF) {
		t.Errorf("of packets that are not ours, %v is read, and %v", got, err)
	}
}

func TestOtherFilesAreRefused(t *testing.T) {
	t.Parallel()
	broken := func(at int, b byte) []byte {
		f := file(t)
		f[at] = b
		return f
	}
	for name, f := range map[string][]byte{
		"text":                     []byte("TIME  VIA  CLIENT  USER"),
		"no byte order":            broken(8, 0),
		"a length of no block":     broken(4, 3),
		"a huge length":            broken(7, 0x70),
		"an end of another length": broken(len(file(t))-4, 0),
		"no call":                  other(t, 147, []byte("\xff\xff")),
	} {
		if _, _, err := read(f); !errors.Is(err, capture.ErrFormat) {
			t.Errorf("of %s the error is %v", name, err)
		}
	}
}

func FuzzReader(f *testing.F) {
	f.Add(file(f))
	f.Add(file(f)[:100])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		got, _, err := read(b)
		if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, capture.ErrFormat) {
			t.Errorf("the error is %v", err)
		}
		if len(got) > len(b)/32 {
			t.Errorf("%d calls are read of %d bytes", len(got), len(b))
		}
	})
}
