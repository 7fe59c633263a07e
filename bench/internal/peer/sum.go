package peer

import "encoding/binary"

// Sum adds up the words of 64 bits in data, little-endian, without what overflows. Bytes after the last whole
// word do not count.
//
// It has to be as fast as memory for the way of the data to be what is measured. So it goes through four
// quarters side by side: a core waits for memory less when it reads ahead in more places, and reads twice as
// much in a second as from beginning to end. The quarters have sums of their own, since one would wait for
// each addition.
func Sum(data []byte) uint64 {
	quarter := len(data) / 4 &^ (line - 1)
	p, q, r, s := data[:quarter], data[quarter:2*quarter], data[2*quarter:3*quarter], data[3*quarter:4*quarter]
	var a, b, c, d uint64
	for len(p) >= line && len(q) >= line && len(r) >= line && len(s) >= line {
		a += sumLine((*[line]byte)(p))
		b += sumLine((*[line]byte)(q))
		c += sumLine((*[line]byte)(r))
		d += sumLine((*[line]byte)(s))
		p, q, r, s = p[line:], q[line:], r[line:], s[line:]
	}
	for rest := data[4*quarter:]; len(rest) >= 8; rest = rest[8:] {
		a += binary.LittleEndian.Uint64(rest)
	}
	return a + b + c + d
}

// line is how many bytes a core reads from memory at once.
const line = 64

func sumLine(b *[line]byte) uint64 {
	word := func(at int) uint64 { return binary.LittleEndian.Uint64(b[at:]) }
	return word(0) + word(8) + word(16) + word(24) + word(32) + word(40) + word(48) + word(56)
}
