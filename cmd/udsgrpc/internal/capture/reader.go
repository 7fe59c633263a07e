package capture

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"google.golang.org/protobuf/proto"

	inspectv1 "github.com/udsgrpc/udsgrpc/proto/udsgrpc/inspect/v1"
)

// ErrFormat means that a file is none with calls, or is damaged. A file that was cut short, as by a full disk,
// ends with [io.ErrUnexpectedEOF].
var ErrFormat = errors.New("not a pcapng file of calls")

// Reader reads calls.
type Reader struct {
	r     *bufio.Reader
	order binary.ByteOrder // nil before the first section
	links []uint16         // of the section's interfaces
	drops uint64           // that were read of the section
	block []byte
}

// NewReader returns a reader of a file.
func NewReader(r io.Reader) *Reader { return &Reader{r: bufio.NewReader(r)} }

// Next returns the next call, and how many are missing before it. At the end, it returns io.EOF, and how many are
// missing before that.
func (c *Reader) Next() (call *inspectv1.Call, dropped uint64, err error) {
	for {
		block, body, err := c.next()
		if err != nil {
			return nil, dropped, err
		}
		switch block {
		case blockSection:
			c.links, c.drops = nil, 0
		case blockInterface:
			if len(body) < 8 {
				return nil, dropped, fmt.Errorf("%w: an interface of %d bytes", ErrFormat, len(body))
			}
			c.links = append(c.links, c.order.Uint16(body))
		case blockStatistics:
			if len(body) < 12 {
				return nil, dropped, fmt.Errorf("%w: statistics of %d bytes", ErrFormat, len(body))
			}
			if all := c.numberIn(body[12:], optionAllDrops); all > c.drops {
				dropped += all - c.drops
				c.drops = all
			}
		case blockPacket:
			data, drops, err := c.packet(body)
			if err != nil {
				return nil, dropped, err
			}
			c.drops += drops
			dropped += drops
			if data == nil {
				continue
			}
			call := new(inspectv1.Call)
			if err := proto.Unmarshal(data, call); err != nil {
				return nil, dropped, fmt.Errorf("%w: a packet is no call: %w", ErrFormat, err)
			}
			return call, dropped, nil
		}
	}
}

// packet returns what is in a packet; nil if it is of an interface of others.
func (c *Reader) packet(body []byte) (data []byte, drops uint64, err error) {
	if len(body) < 20 {
		return nil, 0, fmt.Errorf("%w: a packet of %d bytes", ErrFormat, len(body))
	}
	link, length := c.order.Uint32(body), c.order.Uint32(body[12:])
	body = body[20:]
	switch {
	case uint64(link) >= uint64(len(c.links)):
		return nil, 0, fmt.Errorf("%w: a packet of interface %d, of %d", ErrFormat, link, len(c.links))
	case uint64(length) > uint64(len(body)):
		return nil, 0, fmt.Errorf("%w: a packet of %d bytes in %d", ErrFormat, length, len(body))
	case c.links[link] != linkTypeUser0:
		return nil, 0, nil
	}
	return body[:length:length], c.numberIn(body[min(padded(int(length)), len(body)):], optionPacketDrops), nil
}

// numberIn returns the number that an option has, or 0 if it is not there.
func (c *Reader) numberIn(options []byte, code uint16) uint64 {
	for len(options) >= 4 {
		found, length := c.order.Uint16(options), int(c.order.Uint16(options[2:]))
		options = options[4:]
		if found == optionEnd || length > len(options) {
			return 0
		}
		if found == code && length == 8 {
			return c.order.Uint64(options)
		}
		options = options[min(padded(length), len(options)):]
	}
	return 0
}

// next returns the next block, and what is in it, until it is called again.
func (c *Reader) next() (block uint32, body []byte, err error) {
	var head [12]byte
	if n, err := io.ReadFull(c.r, head[:]); err != nil {
		if n > 0 || c.order == nil {
			err = c.cut(err)
		}
		return 0, nil, err
	}
	if binary.LittleEndian.Uint32(head[:]) == blockSection { // the same in either order
		switch uint32(byteOrderMagic) {
		case binary.LittleEndian.Uint32(head[8:]):
			c.order = binary.LittleEndian
		case binary.BigEndian.Uint32(head[8:]):
			c.order = binary.BigEndian
		default:
			return 0, nil, fmt.Errorf("%w: a section of no byte order", ErrFormat)
		}
	}
	if c.order == nil {
		return 0, nil, fmt.Errorf("%w: it begins with %q", ErrFormat, head[:4])
	}
	block = c.order.Uint32(head[:])
	length := c.order.Uint32(head[4:])
	if length < 12 || length%4 != 0 || length > maxBlock {
		return 0, nil, fmt.Errorf("%w: a block of %d bytes", ErrFormat, length)
	}
	if length == 12 { // an empty block, which ends where the head does
		return block, nil, c.checkEnd(head[8:], length)
	}
	c.block = append(c.block[:0], head[8:]...)
	// It grows with what there is, not with what the length promises.
	for rest := int(length) - 12; rest > 0; {
		n := min(rest, 64<<10)
		start := len(c.block)
		c.block = append(c.block, make([]byte, n)...)
		if _, err := io.ReadFull(c.r, c.block[start:]); err != nil {
			return 0, nil, c.cut(err)
		}
		rest -= n
	}
	body = c.block[:len(c.block)-4]
	return block, body, c.checkEnd(c.block[len(body):], length)
}

func (c *Reader) checkEnd(again []byte, length uint32) error {
	if got := c.order.Uint32(again); got != length {
		return fmt.Errorf("%w: a block of %d bytes ends as one of %d", ErrFormat, length, got)
	}
	return nil
}

// cut returns the error of a file that ends in the middle.
func (c *Reader) cut(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("the file is cut short: %w", io.ErrUnexpectedEOF)
	}
	return err
}
