package direct

import (
	"math"
	"reflect"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding"
	grpcproto "google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

const (
	defaultMaxRecv = 4 << 20 // grpc's
	defaultMaxSend = math.MaxInt32
)

// codec turns messages into bytes and back.
type codec struct {
	encoding.CodecV2
	plain bool // it is grpc's own, which does what package proto does
	pool  *buffers
}

// newCodec returns the codec that programs have registered for protobuf, or grpc's own. As in grpc,
// one of the older kind comes first.
func newCodec(pool *buffers) codec {
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

// marshal encodes a message for sending. The errors are grpc's.
func (c *codec) marshal(m any, limit int) (mem.BufferSlice, error) {
	if m == nil {
		return nil, nil
	}
	data, err := c.encode(m)
	if err != nil {
		return nil, status.Errorf(codes.Internal, "grpc: error while marshaling: %v", err.Error())
	}
	if n := data.Len(); n > limit {
		data.Free()
		return nil, status.Errorf(codes.ResourceExhausted, "trying to send message larger than max (%d vs. %d)", n, limit)
	}
	return data, nil
}

// encode does for large messages what grpc's codec does, with buffers that are not cleared.
func (c *codec) encode(m any) (mem.BufferSlice, error) {
	if pm, ok := m.(proto.Message); ok && c.plain {
		if n := proto.Size(pm); n > smallFirst {
			b := c.pool.Get(n)
			out, err := proto.MarshalOptions{UseCachedSize: true}.MarshalAppend((*b)[:0], pm)
			if err != nil {
				c.pool.Put(b)
				return nil, err
			}
			*b = out
			return mem.BufferSlice{mem.NewBuffer(b, c.pool)}, nil
		}
	}
	return c.Marshal(m)
}

// tooLarge is the error for a message of n bytes that is not read.
func tooLarge(n, limit int) error {
	return status.Errorf(codes.ResourceExhausted, "grpc: received message larger than max (%d vs. %d)", n, limit)
}

// unmarshal decodes a message, and frees the buffer.
func (c *codec) unmarshal(b mem.Buffer, m any) error {
	data := mem.BufferSlice{b}
	defer data.Free()
	if err := c.Unmarshal(data, m); err != nil {
		return status.Errorf(codes.Internal, "grpc: failed to unmarshal the received message: %v", err)
	}
	return nil
}
