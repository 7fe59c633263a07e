package wire

import "google.golang.org/grpc/mem"

// Payload is a message as bytes. It has one owner, who frees it.
type Payload struct {
	Bytes  []byte          // all of it, unless
	Slices mem.BufferSlice // it is large, or from a codec of the program
}

// Len returns the size of the message.
func (p *Payload) Len() int {
	if p.Slices != nil {
		return p.Slices.Len()
	}
	return len(p.Bytes)
}

// AppendTo appends the message to b.
func (p *Payload) AppendTo(b []byte) []byte {
	b = append(b, p.Bytes...)
	for _, s := range p.Slices {
		b = append(b, s.ReadOnlyData()...)
	}
	return b
}

// Free gives large buffers back, and empties p.
func (p *Payload) Free() {
	p.Slices.Free()
	*p = Payload{}
}
