package wire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"

	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/metadata"
)

const (
	// ReadBuffer is the size of a reader's buffer. It holds a whole call of the usual size, so that it
	// takes one read(2), and hundreds of small messages of a stream.
	ReadBuffer = 16 << 10

	// smallFirst is how much is allocated for content of which nothing has arrived yet.
	smallFirst = 64 << 10

	// growth is how many times as much as has arrived is allocated next. It is not small, because what has
	// arrived is copied each time.
	growth = 16
)

// Reader reads frames. It reads as much as there is, so a call that was written at once is read at once.
// It has a buffer only while that holds something, because most connections are idle.
type Reader struct {
	src  Source
	pool *Buffers
	buf  *[]byte // nil while r == w
	r, w int     // buf[r:w] was read from src and not yet from here
}

// Source is what a Reader reads from.
type Source interface {
	// Fill waits until there is something to read, puts it into the Space of the Reader, and reports that
	// with Filled. The error is io.EOF at the end.
	Fill() error
	io.Reader
}

// Init prepares a Reader that was not used yet.
func (f *Reader) Init(src Source, pool *Buffers) { f.src, f.pool = src, pool }

// need ensures that n bytes are in the buffer, if it can hold them. The error is io.EOF if the other end
// has closed the connection and the buffer is empty.
func (f *Reader) need(n int) error {
	for f.w-f.r < n {
		if f.r > 0 && f.r < f.w {
			copy(*f.buf, (*f.buf)[f.r:f.w])
		}
		f.r, f.w = 0, f.w-f.r
		if err := f.src.Fill(); err != nil {
			if errors.Is(err, io.EOF) && f.w > 0 {
				err = io.ErrUnexpectedEOF
			}
			return err
		}
	}
	return nil
}

// Next reads the header of the next frame. The length is between 0 and MaxFrame. The error is io.EOF
// if the other end has closed the connection between two frames.
func (f *Reader) Next() (Kind, int, error) {
	if err := f.need(FrameHeaderLen); err != nil {
		return 0, 0, err
	}
	h := (*f.buf)[f.r:]
	f.r += FrameHeaderLen
	n := binary.BigEndian.Uint32(h[1:FrameHeaderLen])
	if n > MaxFrame {
		return 0, 0, Violationf("a frame of %d bytes, and %d is the limit", n, MaxFrame)
	}
	return Kind(h[0]), int(n), nil
}

// Space returns where to put bytes that are read from the source. It gets a buffer if there is none.
func (f *Reader) Space() []byte {
	if f.buf == nil {
		f.buf = f.pool.Get(ReadBuffer)
	}
	return (*f.buf)[f.w:]
}

// Filled records that n bytes were put into Space.
func (f *Reader) Filled(n int) { f.w += n }

// FreeBuffer gives the buffer back if it is empty. What Control returned is no longer valid.
func (f *Reader) FreeBuffer() {
	if f.buf != nil && f.r == f.w {
		f.pool.Put(f.buf)
		f.buf, f.r, f.w = nil, 0, 0
	}
}

// Discard drops what was read from the source and not consumed, and returns it. It is valid until the next use of f.
func (f *Reader) Discard() (dropped []byte) {
	if f.buf != nil {
		dropped = (*f.buf)[f.r:f.w]
	}
	f.r = f.w
	return dropped
}

// HoldsBuffer reports whether there is a buffer, as while something in it was not read yet.
func (f *Reader) HoldsBuffer() bool { return f.buf != nil }

// Empty reports whether all that was read is consumed.
func (f *Reader) Empty() bool { return f.r == f.w }

// HasNext reports whether the header of the next frame has arrived.
func (f *Reader) HasNext() bool { return f.w-f.r >= FrameHeaderLen }

// HasFrame reports whether the next frame is of kind k, and all of it has arrived.
func (f *Reader) HasFrame(k Kind) bool {
	return f.NextIs(k) && f.w-f.r-FrameHeaderLen >= int(binary.BigEndian.Uint32((*f.buf)[f.r+1:]))
}

// NextIs reports whether the next frame is of kind k and has arrived already.
func (f *Reader) NextIs(k Kind) bool {
	return f.w-f.r >= FrameHeaderLen && (*f.buf)[f.r] == byte(k)
}

// Read reads content.
func (f *Reader) Read(p []byte) (int, error) {
	if f.r == f.w {
		return f.src.Read(p)
	}
	n := copy(p, (*f.buf)[f.r:f.w])
	f.r += n
	return n, nil
}

// Control reads the content of a frame that is no message. It is valid until the next use of f.
func (f *Reader) Control(n int) ([]byte, error) {
	if n > MaxControl {
		return nil, Violationf("a frame of %d bytes, and %d is the limit", n, MaxControl)
	}
	if n <= ReadBuffer {
		return f.small(n)
	}
	return f.grow(make([]byte, min(n, smallFirst)), n, func(n int) []byte { return make([]byte, n) }, nil)
}

// Intro reads the frame in which a client introduces itself, and returns its metadata, which nobody may change.
func (f *Reader) Intro() (metadata.MD, error) {
	k, n, err := f.Next()
	if err != nil {
		return nil, err
	}
	if k != KindIntro {
		return nil, Violationf("introduces itself with a frame of kind %q", k)
	}
	b, err := f.Control(n)
	if err != nil {
		return nil, err
	}
	if bytes.Equal(b, intro[FrameHeaderLen:]) {
		return introMetadata, nil
	}
	md, err := ParseMetadata(b)
	if err == nil {
		err = CheckRequestMetadata(md)
	}
	if err != nil {
		return nil, err
	}
	return md, nil
}

// Metadata reads the content of a header frame.
func (f *Reader) Metadata(n int) (metadata.MD, error) {
	b, err := f.Control(n)
	if err != nil {
		return nil, err
	}
	return ParseMetadata(b)
}

// Status reads the content of a status frame.
func (f *Reader) Status(n int) (Status, error) {
	b, err := f.Control(n)
	if err != nil {
		return Status{}, err
	}
	return ParseStatus(b)
}

// small reads content that the buffer can hold. It is valid until the next use of f.
func (f *Reader) small(n int) ([]byte, error) {
	if n == 0 {
		return nil, nil
	}
	if err := f.need(n); err != nil {
		return nil, UnexpectedEOF(err)
	}
	b := (*f.buf)[f.r : f.r+n : f.r+n]
	f.r += n
	return b, nil
}

// Message reads the content of a message. It is valid until the next use of f.
func (f *Reader) Message(n int) (Payload, error) {
	if n <= ReadBuffer {
		b, err := f.small(n)
		return Payload{Bytes: b}, err
	}
	b, err := f.large(n)
	return Payload{Slices: b}, err
}

func (f *Reader) large(n int) (mem.BufferSlice, error) {
	if held := f.pool.takeLarge(n); held != nil {
		if _, err := io.ReadFull(f, *held); err != nil {
			f.pool.Put(held)
			return nil, UnexpectedEOF(err)
		}
		return mem.BufferSlice{mem.NewBuffer(held, f.pool)}, nil
	}
	held := f.pool.Get(min(n, smallFirst))
	get := func(n int) []byte {
		held = f.pool.Get(n)
		return *held
	}
	put := func(b []byte) { f.pool.Put(&b) }
	b, err := f.grow(*held, n, get, put)
	if err != nil {
		f.pool.Put(held)
		return nil, err
	}
	*held = b
	return mem.BufferSlice{mem.NewBuffer(held, f.pool)}, nil
}

// grow reads n bytes, first into b and then into longer buffers, so that a peer that announces much and
// sends little costs little.
func (f *Reader) grow(b []byte, n int, get func(int) []byte, put func([]byte)) ([]byte, error) {
	for have := 0; ; {
		if _, err := io.ReadFull(f, b[have:]); err != nil {
			return nil, UnexpectedEOF(err)
		}
		have = len(b)
		if have == n {
			return b, nil
		}
		size := grown(have, n)
		next := get(size)[:size]
		copy(next, b)
		if put != nil {
			put(b)
		}
		b = next
	}
}

// grown returns how much to allocate when have bytes of n have arrived. A product without this check could
// exceed n, or an int.
func grown(have, n int) int {
	if have < n/growth {
		return growth * have
	}
	return n
}

// UnexpectedEOF turns an end in the middle of a frame into io.ErrUnexpectedEOF.
func UnexpectedEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
