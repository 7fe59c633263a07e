package peer

// Payload returns size bytes that are the same in every process and for every peer. They do not
// repeat with a power of two, so that a part that went to the wrong place is noticed.
func Payload(size int) []byte {
	data := make([]byte, size)
	for i := range data[:min(size, 251)] {
		data[i] = byte(i)
	}
	for done := 251; done < size; done *= 2 {
		copy(data[done:], data[:done])
	}
	return data
}
