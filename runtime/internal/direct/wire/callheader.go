package wire

import (
	"encoding/binary"
	"time"

	"google.golang.org/grpc/metadata"
)

// CallHeader is the content of a call frame:
//
//	uvarint  nanoseconds until the deadline; 0 if there is none
//	bytes    full method name
//	metadata
//
// where bytes are an uvarint length and that many bytes, and metadata an uvarint count and so many
// pairs of bytes, key and value.
type CallHeader struct {
	Timeout  time.Duration // 0 for none
	Method   []byte
	Metadata metadata.MD // nil if empty
}

// AppendCallHeader appends the content of a call frame. A timeout of 0 means that there is none.
func AppendCallHeader(b []byte, timeout time.Duration, method string, md metadata.MD) []byte {
	b = binary.AppendUvarint(b, uint64(timeout))
	b = binary.AppendUvarint(b, uint64(len(method)))
	b = append(b, method...)
	return AppendMetadata(b, md)
}

// ParseCallHeader reads what AppendCallHeader wrote. The method is a part of b.
func ParseCallHeader(b []byte) (h CallHeader, err error) {
	c := cursor{rest: b}
	h.Timeout = time.Duration(c.uvarint())
	if h.Timeout < 0 {
		h.Timeout = 1<<63 - 1
	}
	h.Method = c.bytes()
	h.Metadata = c.metadata()
	if err := c.end(); err != nil {
		return h, err
	}
	if !IsSendableMethod(h.Method) {
		return h, Violation("a method name has control characters")
	}
	return h, nil
}

// IsSendableMethod reports whether HTTP/2 would carry the name of a method: it has no control characters.
// Like metadata it may come into logs.
func IsSendableMethod[T string | []byte](name T) bool {
	for i := range len(name) {
		if isControl(rune(name[i])) {
			return false
		}
	}
	return true
}
