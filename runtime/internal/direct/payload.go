package direct

import "google.golang.org/grpc/mem"

// payload is a message as bytes.
type payload struct {
	b      []byte          // all of it, unless
	slices mem.BufferSlice // it is large, or from a codec of the program
}

func (p *payload) len() int {
	if p.slices != nil {
		return p.slices.Len()
	}
	return len(p.b)
}

func (p *payload) appendTo(b []byte) []byte {
	b = append(b, p.b...)
	for _, s := range p.slices {
		b = append(b, s.ReadOnlyData()...)
	}
	return b
}

func (p *payload) free() {
	p.slices.Free()
	*p = payload{}
}
