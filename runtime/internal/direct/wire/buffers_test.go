package wire

import (
	"testing"
)

// A buffer has the requested length, and a new one has room for no more than twice as much.
func TestBuffersSizes(t *testing.T) {
	for _, n := range []int{0, 1, 2, 3, 1023, 1024, 1025, smallFirst - 1, smallFirst, smallFirst + 1, 1 << 20, largestLarge, largestLarge + 1} {
		p := &Buffers{}
		for range 3 {
			b, other := p.Get(n), p.Get(n)
			if len(*b) != n || cap(*b) > max(2*n, 1) {
				t.Errorf("a buffer of %d bytes has %d, and room for %d", n, len(*b), cap(*b))
			}
			if n > 0 && &(*b)[0] == &(*other)[0] {
				t.Errorf("two have the same buffer of %d bytes", n)
			}
			p.Put(b)
			p.Put(other)
		}
	}
}

// Only a few large buffers are kept, and only those that messages of the usual limit need.
func TestFewLargeBuffersAreKept(t *testing.T) {
	p := &Buffers{}
	for n := 1 << largestSmall; n < 2*largestLarge; n += 100 << 10 {
		b := make([]byte, n)
		p.Put(&b)
	}
	if len(p.large) > keepLarge {
		t.Errorf("%d are kept", len(p.large))
	}
	largest := 0
	for _, b := range p.large {
		largest = max(largest, cap(*b))
	}
	if largest > largestLarge || largest < largestLarge-200<<10 {
		t.Errorf("the largest that is kept is of %d bytes", largest)
	}
	if b := p.takeLarge(largestLarge + 1); b != nil {
		t.Errorf("one of %d bytes is taken for a larger one", cap(*b))
	}
}

// A buffer that did not come from the pool, or was cut, must not come out of it as a larger one.
func TestBuffersOfOthersAreNotKept(t *testing.T) {
	p := &Buffers{}
	odd := [][]byte{nil, make([]byte, 0, 3), make([]byte, 5, 1000), make([]byte, 0, largestLarge+1), make([]byte, 1<<largestSmall+1), make([]byte, 10)[2:]}
	for _, b := range odd {
		p.Put(&b)
		if got := p.Get(cap(b)); len(*got) != cap(b) {
			t.Errorf("after a buffer of %d bytes was put there, one of %d comes out", cap(b), len(*got))
		}
	}
}
