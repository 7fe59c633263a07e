package direct

import (
	"bytes"
	"math"
	"reflect"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding"
	grpcproto "google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/udsgrpc/udsgrpc/runtime/internal/direct/wire"
)

const (
	defaultMaxRecv = 4 << 20 // grpc's
	defaultMaxSend = math.MaxInt32
)

// codec turns messages into bytes and back.
type codec struct {
	encoding.CodecV2
	plain bool // it is grpc's own, which does what package proto does
	pool  *wire.Buffers
}

// newCodec returns the codec that the program registered for protobuf, or grpc's own. As in grpc, a codec
// of the older kind has priority.
func newCodec(pool *wire.Buffers) codec {
	if old := encoding.GetCodec(grpcproto.Name); old != nil {
		return codec{oldCodec{old}, false, pool}
	}
	c := encoding.GetCodecV2(grpcproto.Name)
	t := reflect.TypeOf(c)
	return codec{c, t.Kind() == reflect.Pointer && t.Elem().PkgPath() == "google.golang.org/grpc/encoding/proto", pool}
}

type oldCodec struct{ encoding.Codec }

func (c oldCodec) Marshal(v any) (mem.BufferSlice, error) {
	b, err := c.Codec.Marshal(v)
	if err != nil {
		return nil, err
	}
	return mem.BufferSlice{mem.SliceBuffer(b)}, nil
}

func (c oldCodec) Unmarshal(data mem.BufferSlice, v any) error {
	return c.Codec.Unmarshal(data.Materialize(), v)
}

// marshal encodes a message for sending. A small one is appended to scratch. The errors are grpc's.
func (c *codec) marshal(m any, limit int, scratch []byte) (wire.Payload, error) {
	if m == nil {
		return wire.Payload{}, nil
	}
	p, err := c.encode(m, scratch)
	if err != nil {
		return wire.Payload{}, status.Errorf(codes.Internal, "grpc: error while marshaling: %v", err.Error())
	}
	if n := p.Len(); n > min(limit, wire.MaxFrame) {
		p.Free()
		return wire.Payload{}, status.Errorf(codes.ResourceExhausted, "trying to send message larger than max (%d vs. %d)", n, min(limit, wire.MaxFrame))
	}
	return p, nil
}

// encode does what grpc's codec does, but gives a small message no buffer of its own, and a large one a
// buffer that was not cleared.
func (c *codec) encode(m any, scratch []byte) (wire.Payload, error) {
	pm, ok := m.(proto.Message)
	if !ok || !c.plain {
		slices, err := c.Marshal(m)
		return wire.Payload{Slices: slices}, err
	}
	n := proto.Size(pm)
	options := proto.MarshalOptions{UseCachedSize: true}
	if n <= copyLimit {
		if cap(scratch) == 0 {
			scratch = make([]byte, 0, n)
		}
		b, err := options.MarshalAppend(scratch, pm)
		return wire.Payload{Bytes: b}, err
	}
	held := c.pool.Get(n)
	b, err := options.MarshalAppend((*held)[:0], pm)
	if err != nil {
		c.pool.Put(held)
		return wire.Payload{}, err
	}
	*held = b
	return wire.Payload{Slices: mem.BufferSlice{mem.NewBuffer(held, c.pool)}}, nil
}

// tooLarge returns the error for a message of n bytes that is not read.
func tooLarge(n, limit int) error {
	return status.Errorf(codes.ResourceExhausted, "grpc: received message larger than max (%d vs. %d)", n, limit)
}

// unmarshal decodes a message, and frees p.
func (c *codec) unmarshal(p wire.Payload, m any) error {
	if err := c.decode(p, m); err != nil {
		return status.Errorf(codes.Internal, "grpc: failed to unmarshal the received message: %v", err)
	}
	return nil
}

func (c *codec) decode(p wire.Payload, m any) error {
	if p.Slices == nil {
		if pm, ok := m.(proto.Message); ok && c.plain {
			return proto.Unmarshal(p.Bytes, pm)
		}
		// A codec of the program may keep what it is given.
		p.Slices = mem.BufferSlice{mem.SliceBuffer(bytes.Clone(p.Bytes))}
	}
	defer p.Slices.Free()
	return c.Unmarshal(p.Slices, m)
}
