package direct

import (
	"math"
	"net"
	"sync/atomic"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
)

const (
	// copyLimit is up to which size a message is copied behind its frame's header, which is cheaper
	// than to hand the kernel two pieces.
	copyLimit = 16 << 10

	// keepWrite is how large a write buffer a connection keeps.
	keepWrite = 4 << 10

	defaultMaxRecv = 4 << 20 // grpc's
	defaultMaxSend = math.MaxInt32
)

// conn is one end of a connection.
type conn struct {
	*net.UnixConn
	rd   reader
	out  []byte // for frames that are about to be written
	peer peer.Peer
	used bool // of a pool: since the last sweep

	onClose func() // nil for nothing
	closed  atomic.Bool
}

func newConn(c *net.UnixConn, info credentials.AuthInfo) *conn {
	n := &conn{UnixConn: c, peer: peer.Peer{Addr: c.RemoteAddr(), LocalAddr: c.LocalAddr(), AuthInfo: info}}
	n.rd = reader{src: c, buf: make([]byte, readBuffer)}
	return n
}

// Close closes the connection; again does nothing.
func (c *conn) Close() error {
	if c.closed.Swap(true) {
		return nil
	}
	err := c.UnixConn.Close()
	if c.onClose != nil {
		c.onClose()
	}
	return err
}

// frames returns an empty buffer for write.
func (c *conn) frames() []byte { return c.out[:0] }

// write sends frames at once.
func (c *conn) write(b []byte) (int, error) {
	n, err := c.UnixConn.Write(b)
	c.keep(b)
	return n, err
}

// writeMessage sends frames, a message frame, and the frames after it, at once.
func (c *conn) writeMessage(b []byte, data mem.BufferSlice, after []byte) (int, error) {
	n := data.Len()
	b = appendFrameHeader(b, kindMessage, n)
	if n <= copyLimit {
		for _, d := range data {
			b = append(b, d.ReadOnlyData()...)
		}
		return c.write(append(b, after...))
	}
	pieces := make(net.Buffers, 0, len(data)+2)
	pieces = append(pieces, b)
	for _, d := range data {
		pieces = append(pieces, d.ReadOnlyData())
	}
	if len(after) > 0 {
		pieces = append(pieces, after)
	}
	written, err := pieces.WriteTo(c.UnixConn)
	c.keep(b)
	return int(written), err
}

func (c *conn) keep(b []byte) {
	if cap(b) <= keepWrite {
		c.out = b
	}
}

// codec is the one that programs have registered for protobuf, or grpc's own. As in grpc, one of
// the older kind comes first.
func codec() encoding.CodecV2 {
	if old := encoding.GetCodec(proto.Name); old != nil {
		return oldCodec{old}
	}
	return encoding.GetCodecV2(proto.Name)
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
func marshal(c encoding.CodecV2, m any, limit int) (mem.BufferSlice, error) {
	if m == nil {
		return nil, nil
	}
	data, err := c.Marshal(m)
	if err != nil {
		return nil, status.Errorf(codes.Internal, "grpc: error while marshaling: %v", err.Error())
	}
	if n := data.Len(); n > limit {
		data.Free()
		return nil, status.Errorf(codes.ResourceExhausted, "trying to send message larger than max (%d vs. %d)", n, limit)
	}
	return data, nil
}

// tooLarge is the error for a message of n bytes that is not read.
func tooLarge(n, limit int) error {
	return status.Errorf(codes.ResourceExhausted, "grpc: received message larger than max (%d vs. %d)", n, limit)
}

// unmarshal decodes a message, and frees the buffer.
func unmarshal(c encoding.CodecV2, b mem.Buffer, m any) error {
	data := mem.BufferSlice{b}
	defer data.Free()
	if err := c.Unmarshal(data, m); err != nil {
		return status.Errorf(codes.Internal, "grpc: failed to unmarshal the received message: %v", err)
	}
	return nil
}
