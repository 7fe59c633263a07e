package direct

import (
	"encoding/binary"
	"time"

	"google.golang.org/grpc/metadata"
)

// callHead is the content of a call frame:
//
//	uvarint  nanoseconds until the deadline; 0 if there is none
//	bytes    full method name
//	metadata
//
// where bytes are an uvarint length and that many bytes, and metadata an uvarint count and so many
// pairs of bytes, key and value.
type callHead struct {
	timeout time.Duration // 0 for none
	method  []byte
	md      metadata.MD // nil if empty
}

func appendCall(b []byte, timeout time.Duration, method string, md metadata.MD) []byte {
	b = binary.AppendUvarint(b, uint64(timeout))
	b = binary.AppendUvarint(b, uint64(len(method)))
	b = append(b, method...)
	return appendMetadata(b, md)
}

// parseCall reads what appendCall wrote; the method is a part of b.
func parseCall(b []byte) (h callHead, err error) {
	c := cursor{rest: b}
	h.timeout = time.Duration(c.uvarint())
	if h.timeout < 0 {
		h.timeout = 1<<63 - 1
	}
	h.method = c.bytes()
	h.md = c.metadata()
	return h, c.end()
}
