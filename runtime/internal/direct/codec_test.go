package direct

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/udsgrpc/udsgrpc/runtime/internal/direct/wire"
)

// keeper is a codec of a program, for []byte, that keeps what it is given.
type keeper struct{}

func (k *keeper) Name() string { return "proto" }

func (k *keeper) Marshal(v any) (mem.BufferSlice, error) {
	if b, ok := v.([]byte); ok {
		return mem.BufferSlice{mem.SliceBuffer(b)}, nil
	}
	return nil, errors.New("no bytes")
}

func (k *keeper) Unmarshal(data mem.BufferSlice, v any) error {
	data.Ref() // a codec that keeps data must do so
	var b []byte
	if len(data) > 0 {
		b = data[0].ReadOnlyData()
	}
	*v.(*[]byte) = b
	return nil
}

// oldKeeper is the same as an older kind of codec, which is given bytes without a reference count.
type oldKeeper struct{}

func (k *oldKeeper) Name() string { return "proto" }

func (k *oldKeeper) Marshal(v any) ([]byte, error) {
	if b, ok := v.([]byte); ok {
		return b, nil
	}
	return nil, errors.New("no bytes")
}

func (k *oldKeeper) Unmarshal(data []byte, v any) error {
	*v.(*[]byte) = data
	return nil
}

// A codec of the program may keep what it is given, small or large, while the connection is read further.
func TestCodecsOfProgramsMayKeepWhatTheyGet(t *testing.T) {
	for name, cc := range map[string]encoding.CodecV2{"new": &keeper{}, "old": oldCodec{&oldKeeper{}}} {
		t.Run(name, func(t *testing.T) {
			pool := &wire.Buffers{}
			c := codec{cc, false, pool}
			var stream []byte
			var sent, got [][]byte
			for i, n := range []int{0, 1, 10, 1000, copyLimit, copyLimit + 1, 200 << 10, 10, 200 << 10} {
				b := bytes.Repeat([]byte{byte(i + 1)}, n)
				sent = append(sent, b)
				p, err := c.marshal(b, defaultMaxSend, nil)
				if err != nil {
					t.Fatal(err)
				}
				stream = p.AppendTo(wire.AppendFrameHeader(stream, wire.KindMessage, p.Len()))
				p.Free()
			}
			var f wire.Reader
			f.Init(&testSource{&f, stream, 1000}, pool)
			for {
				_, n, err := f.Next()
				if err == io.EOF {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
				p, err := f.Message(n)
				if err != nil {
					t.Fatal(err)
				}
				var b []byte
				if err := c.unmarshal(p, &b); err != nil {
					t.Fatal(err)
				}
				got = append(got, b)
			}
			if !slices.EqualFunc(got, sent, bytes.Equal) {
				t.Error("what the codec has kept has changed")
			}
		})
	}
}

// The errors for messages that cannot be sent or read are those of grpc.
func TestCodecErrors(t *testing.T) {
	c := newCodec(&wire.Buffers{})
	small := &wrapperspb.BytesValue{Value: make([]byte, 8)}
	for name, tc := range map[string]struct {
		do   func() error
		code codes.Code
	}{
		"no message":     {func() error { _, err := c.marshal("text", 100, nil); return err }, codes.Internal},
		"over the limit": {func() error { _, err := c.marshal(small, 9, nil); return err }, codes.ResourceExhausted},
		"at the limit":   {func() error { _, err := c.marshal(small, 10, nil); return err }, codes.OK},
		"invalid UTF-8":  {func() error { _, err := c.marshal(wrapperspb.String("\xff"), 100, nil); return err }, codes.Internal},
		"large, invalid UTF-8": {func() error {
			_, err := c.marshal(wrapperspb.String(string(bytes.Repeat([]byte{0xff}, 100<<10))), defaultMaxSend, nil)
			return err
		}, codes.Internal},
		"no protobuf":       {func() error { return c.unmarshal(wire.Payload{Bytes: []byte{0xff}}, &wrapperspb.BytesValue{}) }, codes.Internal},
		"into no message":   {func() error { return c.unmarshal(wire.Payload{}, "text") }, codes.Internal},
		"nil is no message": {func() error { p, err := c.marshal(nil, 0, nil); _ = p.Len(); return err }, codes.OK},
	} {
		t.Run(name, func(t *testing.T) {
			if err := tc.do(); status.Code(err) != tc.code {
				t.Errorf("the error is %v, want %v", err, tc.code)
			}
		})
	}
}

// grpc's own codec is recognized. Otherwise every call would take the slow path.
func TestOwnCodecIsKnown(t *testing.T) {
	if c := newCodec(&wire.Buffers{}); !c.plain {
		t.Errorf("%T is not taken for grpc's", c.CodecV2)
	}
}
