package direct

import (
	"encoding/binary"
	"math"
	"time"

	"google.golang.org/grpc/metadata"
)

// callHead is the content of a call frame:
//
//	uvarint  nanoseconds until the deadline; 0 if there is none
//	bytes    full method name
//	metadata
//
// where bytes are an uvarint length and that many bytes, and metadata an uvarint count and so many
// pairs of bytes, key and value.
type callHead struct {
	timeout time.Duration // 0 for none
	method  []byte
	md      metadata.MD // nil if empty
}

func appendCall(b []byte, timeout time.Duration, method string, md metadata.MD) []byte {
	b = binary.AppendUvarint(b, uint64(timeout))
	b = binary.AppendUvarint(b, uint64(len(method)))
	b = append(b, method...)
	return appendMetadata(b, md)
}

// parseCall reads what appendCall wrote; the method is a part of b.
func parseCall(b []byte) (h callHead, err error) {
	c := cursor{rest: b}
	h.timeout = time.Duration(c.uvarint())
	if h.timeout < 0 {
		h.timeout = 1<<63 - 1
	}
	h.method = c.bytes()
	h.md = c.metadata()
	return h, c.end()
}

// statusHead is the content of a status frame:
//
//	uvarint  1 if the server takes no more calls on this connection, else 0
//	uvarint  code
//	bytes    message
//	metadata the trailer, with the details as in HTTP/2
type statusHead struct {
	last    bool
	code    uint32
	message string
	md      metadata.MD // nil if empty
}

func (h *statusHead) append(b []byte) []byte {
	last := uint64(0)
	if h.last {
		last = 1
	}
	b = binary.AppendUvarint(b, last)
	b = binary.AppendUvarint(b, uint64(h.code))
	b = binary.AppendUvarint(b, uint64(len(h.message)))
	b = append(b, h.message...)
	return appendMetadata(b, h.md)
}

func parseStatus(b []byte) (h statusHead, err error) {
	c := cursor{rest: b}
	h.last = c.uvarint() != 0
	code := c.uvarint()
	if code > math.MaxUint32 {
		return h, violationf("status code %d", code)
	}
	h.code = uint32(code)
	h.message = string(c.bytes())
	h.md = c.metadata()
	return h, c.end()
}

func appendMetadata(b []byte, md metadata.MD) []byte {
	n := 0
	for _, values := range md {
		n += len(values)
	}
	b = binary.AppendUvarint(b, uint64(n))
	for key, values := range md {
		for _, value := range values {
			b = binary.AppendUvarint(b, uint64(len(key)))
			b = append(b, key...)
			b = binary.AppendUvarint(b, uint64(len(value)))
			b = append(b, value...)
		}
	}
	return b
}

// parseMetadata reads the content of an intro or header frame, which is metadata alone.
func parseMetadata(b []byte) (metadata.MD, error) {
	c := cursor{rest: b}
	md := c.metadata()
	return md, c.end()
}

// cursor reads fields. After the first that does not fit it returns only zeros, and end returns the error.
type cursor struct {
	rest   []byte
	broken bool
}

func (c *cursor) uvarint() uint64 {
	v, n := binary.Uvarint(c.rest)
	if n <= 0 {
		c.rest, c.broken = nil, true
		return 0
	}
	c.rest = c.rest[n:]
	return v
}

func (c *cursor) bytes() []byte {
	n := c.uvarint()
	if n > uint64(len(c.rest)) {
		c.rest, c.broken = nil, true
		return nil
	}
	b := c.rest[:n:n]
	c.rest = c.rest[n:]
	return b
}

func (c *cursor) metadata() metadata.MD {
	n := c.uvarint()
	if n == 0 {
		return nil
	}
	// A pair takes two bytes at least.
	if n > uint64(len(c.rest)/2) {
		c.rest, c.broken = nil, true
		return nil
	}
	md := metadata.MD{}
	for range n {
		if c.broken {
			return nil
		}
		key := string(c.bytes())
		md[key] = append(md[key], string(c.bytes()))
	}
	return md
}

func (c *cursor) end() error {
	switch {
	case c.broken:
		return violation("a frame ends within a field")
	case len(c.rest) > 0:
		return violationf("a frame has %d bytes too many", len(c.rest))
	}
	return nil
}
