package wire

import "encoding/binary"

// MaxFiles is how many open files a message can have: the kernel passes on no more at once.
const MaxFiles = 253

const fileIDLen = 8

// AppendFilesFrame appends the frame that comes directly before a message with open files: the ids that they
// have in the message, in the order of their descriptors.
func AppendFilesFrame(b []byte, ids []uint64) []byte {
	b, start := OpenFrame(b, KindFiles)
	b = binary.AppendUvarint(b, uint64(len(ids)))
	for _, id := range ids {
		b = binary.BigEndian.AppendUint64(b, id)
	}
	CloseFrame(b, start)
	return b
}

// FilesFrameLen returns the length of that frame with n ids.
func FilesFrameLen(n int) int {
	var count [binary.MaxVarintLen64]byte
	return FrameHeaderLen + binary.PutUvarint(count[:], uint64(n)) + n*fileIDLen
}

// ParseFiles reads the content of a files frame. There is at least one id, and at most MaxFiles.
func ParseFiles(b []byte) ([]uint64, error) {
	c := cursor{rest: b}
	n := c.uvarint()
	switch {
	case c.broken:
		return nil, c.end()
	case n == 0:
		return nil, Violation("a message with no open files is announced as one with some")
	case n > MaxFiles:
		return nil, Violationf("a message with %d open files, and the kernel passes on %d", n, MaxFiles)
	}
	ids := make([]uint64, 0, n)
	for range n {
		ids = append(ids, c.uint64())
	}
	if err := c.end(); err != nil {
		return nil, err
	}
	return ids, nil
}
