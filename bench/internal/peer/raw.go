package peer

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

// raw is the limit: frames on a Unix socket, without any RPC around them. A frame is its length,
// its kind, and that many bytes.
type raw struct{}

const (
	rawHeader = 5 // length and kind

	rawEcho   byte = 'e' // answer with the same frame
	rawSend   byte = 's' // the client asks for messages: count and size, four bytes each
	rawItem   byte = 'i' // a message that is not answered
	rawFinish byte = 'f' // the client has sent all items; answer with count and bytes, eight each
)

func (raw) About() About {
	return About{
		Name: "raw",
		Settings: sentences(
			"the limit: length-prefixed frames on a Unix socket, no RPC.",
			"One goroutine serves each connection, and each caller has a connection of its own.",
			"Buffers are used again; streams are written through a buffer of 32 KiB; a deadline is one SetDeadline on the connection."),
		Lacks: map[string]string{
			"services":     "a socket has no services",
			FilesWorkload:  "its frames have bytes only",
			MemoryWorkload: "its frames have bytes only",
		},
	}
}

func (raw) Listen(path string, _ int) (*Server, error) {
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	context.AfterFunc(ctx, func() { l.Close() })
	serve := func() error {
		var conns sync.WaitGroup
		defer conns.Wait()
		for {
			conn, err := l.Accept()
			if err != nil {
				return err
			}
			conns.Go(func() {
				defer context.AfterFunc(ctx, func() { conn.Close() })()
				_ = serveRaw(conn)
			})
		}
	}
	return start(path, serve, stopping(cancel)), nil
}

// serveRaw serves one connection until the client closes it.
func serveRaw(conn net.Conn) error {
	defer conn.Close()
	c := newRawConn(conn)
	var messages, bytes uint64
	for {
		kind, data, err := c.read()
		if err != nil {
			return err
		}
		switch kind {
		case rawEcho:
			err = c.answer()
		case rawItem:
			messages++
			bytes += uint64(len(data))
		case rawFinish:
			sum := binary.LittleEndian.AppendUint64(nil, messages)
			err = c.write(rawEcho, binary.LittleEndian.AppendUint64(sum, bytes))
			messages, bytes = 0, 0
		case rawSend:
			err = c.writeItems(int(binary.LittleEndian.Uint32(data)), Payload(int(binary.LittleEndian.Uint32(data[4:]))))
		default:
			err = fmt.Errorf("frame of unknown kind %q", kind)
		}
		if err != nil {
			return err
		}
	}
}

func (raw) Dial(_ context.Context, addr string, _ int) (Client, error) {
	return &rawClient{path: addr}, nil
}

// rawClient keeps the connections that no caller uses at the moment.
type rawClient struct {
	path string

	mu   sync.Mutex
	idle []*rawConn
}

func (c *rawClient) take(ctx context.Context) (*rawConn, error) {
	c.mu.Lock()
	if n := len(c.idle); n > 0 {
		conn := c.idle[n-1]
		c.idle = c.idle[:n-1]
		c.mu.Unlock()
		return conn, nil
	}
	c.mu.Unlock()
	conn, err := dialUnix(ctx, c.path)
	if err != nil {
		return nil, err
	}
	return newRawConn(conn), nil
}

func (c *rawClient) put(conn *rawConn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.idle = append(c.idle, conn)
}

func (c *rawClient) Unary(ctx context.Context, data []byte) ([]byte, error) {
	conn, err := c.take(ctx)
	if err != nil {
		return nil, err
	}
	defer c.put(conn)
	if deadline, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(deadline); err != nil {
			return nil, err
		}
		defer conn.SetDeadline(time.Time{})
	}
	return conn.RoundTrip(data)
}

func (c *rawClient) PingPong(ctx context.Context) (Stream, error) {
	conn, err := dialUnix(ctx, c.path)
	if err != nil {
		return nil, err
	}
	return newRawConn(conn), nil
}

func (c *rawClient) ServerStream(ctx context.Context, count, size int, got func([]byte)) error {
	conn, err := c.take(ctx)
	if err != nil {
		return err
	}
	defer c.put(conn)
	req := binary.LittleEndian.AppendUint32(nil, uint32(count))
	if err := conn.write(rawSend, binary.LittleEndian.AppendUint32(req, uint32(size))); err != nil {
		return err
	}
	for range count {
		_, data, err := conn.read()
		if err != nil {
			return err
		}
		got(data)
	}
	return nil
}

func (c *rawClient) ClientStream(ctx context.Context, count int, data []byte) (messages, bytes uint64, err error) {
	conn, err := c.take(ctx)
	if err != nil {
		return 0, 0, err
	}
	defer c.put(conn)
	if err := conn.writeItems(count, data); err != nil {
		return 0, 0, err
	}
	if err := conn.write(rawFinish, nil); err != nil {
		return 0, 0, err
	}
	_, sum, err := conn.read()
	if err != nil {
		return 0, 0, err
	}
	return binary.LittleEndian.Uint64(sum), binary.LittleEndian.Uint64(sum[8:]), nil
}

func (c *rawClient) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	var errs []error
	for _, conn := range c.idle {
		errs = append(errs, conn.Close())
	}
	return errors.Join(errs...)
}

// rawConn reads and writes frames. What read returns is valid until the next read.
type rawConn struct {
	net.Conn
	r   *bufio.Reader
	in  []byte // the last frame read, with its header
	out []byte
}

func newRawConn(conn net.Conn) *rawConn { return &rawConn{Conn: conn, r: bufio.NewReader(conn)} }

func (c *rawConn) read() (byte, []byte, error) {
	c.in = grow(c.in, rawHeader)
	if _, err := io.ReadFull(c.r, c.in); err != nil {
		return 0, nil, err
	}
	c.in = grow(c.in, rawHeader+int(binary.LittleEndian.Uint32(c.in)))
	_, err := io.ReadFull(c.r, c.in[rawHeader:])
	return c.in[4], c.in[rawHeader:], err
}

// answer sends back the frame that read has returned, as it lies in the buffer.
func (c *rawConn) answer() error {
	_, err := c.Conn.Write(c.in)
	return err
}

func (c *rawConn) write(kind byte, data []byte) error {
	c.out = appendFrame(c.out[:0], kind, data)
	_, err := c.Conn.Write(c.out)
	return err
}

func (c *rawConn) writeItems(count int, data []byte) error {
	w := bufio.NewWriterSize(c.Conn, 32<<10)
	frame := appendFrame(nil, rawItem, data)
	for range count {
		if _, err := w.Write(frame); err != nil {
			return err
		}
	}
	return w.Flush()
}

func (c *rawConn) RoundTrip(data []byte) ([]byte, error) {
	if err := c.write(rawEcho, data); err != nil {
		return nil, err
	}
	_, got, err := c.read()
	return got, err
}

func appendFrame(b []byte, kind byte, data []byte) []byte {
	b = binary.LittleEndian.AppendUint32(b, uint32(len(data)))
	b = append(b, kind)
	return append(b, data...)
}

// grow returns b with length n and what it held.
func grow(b []byte, n int) []byte {
	if cap(b) < n {
		b = append(make([]byte, 0, n), b...)
	}
	return b[:n]
}
