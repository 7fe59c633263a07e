package wire

import "google.golang.org/grpc/mem"

// Payload is a message as bytes.
type Payload struct {
	Bytes  []byte          // all of it, unless
	Slices mem.BufferSlice // it is large, or from a codec of the program
}

func (p *Payload) Len() int {
	if p.Slices != nil {
		return p.Slices.Len()
	}
	return len(p.Bytes)
}

func (p *Payload) AppendTo(b []byte) []byte {
	b = append(b, p.Bytes...)
	for _, s := range p.Slices {
		b = append(b, s.ReadOnlyData()...)
	}
	return b
}

func (p *Payload) Free() {
	p.Slices.Free()
	*p = Payload{}
}
