package direct

import (
	"math/bits"
	"sync"
)

// buffers is a [mem.BufferPool] for messages. grpc's own clears every buffer before it is used again,
// which for a large message takes as long as to copy it; here all of a buffer is written
// before it is read.
type buffers struct {
	pools [largestBuffer + 1]sync.Pool // of *[]byte; the index is log2 of their capacity
}

// largestBuffer is log2 of how large a buffer is kept.
const largestBuffer = 24

func (p *buffers) Get(n int) *[]byte {
	size := bits.Len(uint(max(n, 1) - 1))
	if size > largestBuffer {
		b := make([]byte, n)
		return &b
	}
	b, ok := p.pools[size].Get().(*[]byte)
	if !ok {
		b = new([]byte)
		*b = make([]byte, 1<<size)
	}
	*b = (*b)[:n]
	return b
}

func (p *buffers) Put(b *[]byte) {
	size := bits.Len(uint(cap(*b))) - 1
	if size < 0 || size > largestBuffer || cap(*b) != 1<<size {
		return
	}
	p.pools[size].Put(b)
}
