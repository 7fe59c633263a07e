package wire

import (
	"math"
	"math/bits"
	"sync"
)

// Buffers is a [mem.BufferPool] for messages. grpc's own pool clears every buffer before it is used again,
// which for a large message takes as long as copying it. Here the whole buffer is written before it is
// read, so it is not cleared.
type Buffers struct {
	mu    sync.Mutex
	large []*[]byte
}

// small has the other buffers, *[]byte; the index is log2 of their capacity. All clients and servers of a process
// share them: a client that makes one call would otherwise allocate them for that call.
var small [largestSmall + 1]sync.Pool

const (
	// largestSmall is log2 of the size of the largest buffers in a [sync.Pool]. A sync.Pool gives large
	// buffers back only to the processor that put them there, and a new buffer of a megabyte takes as long
	// as sending one, because the kernel has to find the memory first. So large buffers are shared by all
	// processors.
	largestSmall = 16

	// Of the large buffers, a client or server keeps as many as two concurrent calls use, each up to the
	// size of the largest message that grpc accepts by default.
	keepLarge    = 4
	largestLarge = 4<<20 + 64<<10

	// lead is where in a cache line a large buffer begins. Copying is about twice as fast between places
	// of the same alignment (1 MiB: 35 us instead of 65 us, Xeon of 2023). The memory of a decoded field
	// of this size begins a page. Encoded, the first field of a message of 16 KiB to 2 MiB begins after 4
	// bytes: one for a number up to 15, three for the length.
	lead = cacheLine - 4

	cacheLine = 64
)

// Get returns a buffer of n bytes, which are not cleared.
func (p *Buffers) Get(n int) *[]byte {
	size := bits.Len(uint(max(n, 1) - 1))
	if size > largestSmall {
		return p.getLarge(n)
	}
	b, ok := small[size].Get().(*[]byte)
	if !ok {
		b = new([]byte)
		*b = make([]byte, 1<<size)
	}
	*b = (*b)[:n]
	return b
}

func (p *Buffers) getLarge(n int) *[]byte {
	if b := p.takeLarge(n); b != nil {
		return b
	}
	// A little more, so that a slightly longer message fits the next time.
	before := min(lead, math.MaxInt-n)
	b := make([]byte, before+n, before+n+min(n/8, math.MaxInt-n-before))[before:]
	return &b
}

// takeLarge returns a large buffer if there is one, else nil.
func (p *Buffers) takeLarge(n int) *[]byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, b := range p.large {
		if cap(*b) >= n {
			last := len(p.large) - 1
			p.large[i], p.large[last] = p.large[last], nil
			p.large = p.large[:last]
			*b = (*b)[:n]
			return b
		}
	}
	return nil
}

// Put keeps a buffer for a later Get, unless it has a size that Get does not give out.
func (p *Buffers) Put(b *[]byte) {
	size := bits.Len(uint(cap(*b))) - 1
	switch {
	case size > largestSmall || size == largestSmall && cap(*b) != 1<<size:
		p.putLarge(b)
	case size >= 0 && cap(*b) == 1<<size:
		small[size].Put(b)
	}
}

// putLarge keeps the largest buffers.
func (p *Buffers) putLarge(b *[]byte) {
	if cap(*b) > largestLarge {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.large) < keepLarge {
		p.large = append(p.large, b)
		return
	}
	smallest := 0
	for i := range p.large {
		if cap(*p.large[i]) < cap(*p.large[smallest]) {
			smallest = i
		}
	}
	if cap(*p.large[smallest]) < cap(*b) {
		p.large[smallest] = b
	}
}
