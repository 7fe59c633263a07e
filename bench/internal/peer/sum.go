package peer

import "encoding/binary"

// Sum adds up the words of 64 bits in data, little-endian, without what overflows. Bytes after the last whole
// word do not count. It keeps four sums, since one would wait for each addition: it has to be as fast as
// memory for the way of the data to be what is measured.
func Sum(data []byte) uint64 {
	var a, b, c, d uint64
	for ; len(data) >= 32; data = data[32:] {
		a += binary.LittleEndian.Uint64(data)
		b += binary.LittleEndian.Uint64(data[8:])
		c += binary.LittleEndian.Uint64(data[16:])
		d += binary.LittleEndian.Uint64(data[24:])
	}
	for ; len(data) >= 8; data = data[8:] {
		a += binary.LittleEndian.Uint64(data)
	}
	return a + b + c + d
}
