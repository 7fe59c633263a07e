package capture

import (
	"io"
	"time"

	"google.golang.org/protobuf/proto"

	inspectv1 "github.com/udsgrpc/udsgrpc/proto/udsgrpc/inspect/v1"
)

// Writer writes calls. It makes one Write for each block, so that nothing is cut where that is whole.
type Writer struct {
	w       io.Writer
	b       []byte // the last block
	dropped uint64 // not written yet
	drops   uint64 // all
}

// NewWriter writes the beginning of a file. application is what writes it, and path is the server's.
func NewWriter(w io.Writer, application, path string) (*Writer, error) {
	c := &Writer{w: w}
	c.begin(blockSection)
	c.uint32(byteOrderMagic)
	c.uint32(1) // version 1.0
	c.uint64(1<<64 - 1)
	c.option(optionSectionApp, []byte(application))
	c.option(optionEnd, nil)
	if err := c.end(); err != nil {
		return nil, err
	}
	c.begin(blockInterface)
	c.uint32(linkTypeUser0)
	c.uint32(0) // packets of any length
	c.option(optionInterface, []byte(path))
	c.option(optionDescription, []byte("udsgrpc.inspect.v1.Call"))
	c.option(optionResolution, []byte{9})
	c.option(optionEnd, nil)
	return c, c.end()
}

// Dropped says that calls are missing here.
func (c *Writer) Dropped(n uint64) {
	c.dropped += n
	c.drops += n
}

// Call writes a call.
func (c *Writer) Call(call *inspectv1.Call) error {
	data, err := proto.Marshal(call)
	if err != nil {
		return err
	}
	ended := uint64(call.GetTime().AsTime().Add(call.GetDuration().AsDuration()).UnixNano())
	c.begin(blockPacket)
	c.uint32(0)
	c.uint32(uint32(ended >> 32))
	c.uint32(uint32(ended))
	c.uint32(uint32(len(data)))
	c.uint32(uint32(len(data)))
	c.bytes(data)
	if c.dropped > 0 {
		c.option(optionPacketDrops, nativeOrder.AppendUint64(nil, c.dropped))
		c.option(optionEnd, nil)
		c.dropped = 0
	}
	return c.end()
}

// Close writes the end, if there is more to say.
func (c *Writer) Close() error {
	if c.drops == 0 {
		return nil
	}
	now := uint64(time.Now().UnixNano())
	c.begin(blockStatistics)
	c.uint32(0)
	c.uint32(uint32(now >> 32))
	c.uint32(uint32(now))
	c.option(optionAllDrops, nativeOrder.AppendUint64(nil, c.drops))
	c.option(optionEnd, nil)
	return c.end()
}

// begin begins a block, whose length is not known yet.
func (c *Writer) begin(block uint32) {
	c.b = c.b[:0]
	c.uint32(block)
	c.uint32(0)
}

func (c *Writer) end() error {
	length := uint32(len(c.b) + 4)
	c.uint32(length)
	nativeOrder.PutUint32(c.b[4:], length)
	_, err := c.w.Write(c.b)
	return err
}

func (c *Writer) option(code int, value []byte) {
	c.b = nativeOrder.AppendUint16(c.b, uint16(code))
	value = value[:min(len(value), 1<<16-1)]
	c.b = nativeOrder.AppendUint16(c.b, uint16(len(value)))
	c.bytes(value)
}

func (c *Writer) bytes(value []byte) {
	c.b = append(c.b, value...)
	c.b = append(c.b, make([]byte, padded(len(value))-len(value))...)
}

func (c *Writer) uint32(v uint32) { c.b = nativeOrder.AppendUint32(c.b, v) }
func (c *Writer) uint64(v uint64) { c.b = nativeOrder.AppendUint64(c.b, v) }
