package wire

import (
	"encoding/binary"

	"google.golang.org/grpc/metadata"
)

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

func (c *cursor) uint64() uint64 {
	if len(c.rest) < 8 {
		c.rest, c.broken = nil, true
		return 0
	}
	v := binary.BigEndian.Uint64(c.rest)
	c.rest = c.rest[8:]
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
		return Violation("a frame ends within a field")
	case len(c.rest) > 0:
		return Violationf("a frame has %d bytes too many", len(c.rest))
	}
	return nil
}
