package direct

import (
	"encoding/binary"
	"fmt"
	"math"
)

// kind says what a frame is. A frame is its kind, the length of its content (4 bytes, big
// endian), and the content.
type kind byte

const (
	kindIntro   kind = 'I' // client, once: metadata that goes with all its calls
	kindCall    kind = 'C' // client: a call begins; see callHead
	kindMessage kind = 'M' // both: a message
	kindEnd     kind = 'E' // client: no more messages in this call
	kindHeader  kind = 'H' // server: metadata that comes before the messages
	kindStatus  kind = 'S' // server: the call is over; see statusHead
	kindGoAway  kind = 'G' // server: the call was not and will not be processed
)

const (
	frameHeaderLen = 5

	// maxFrame is the largest length of a frame. No protobuf message is longer, and every length up to it
	// fits an int on 32-bit systems, where a longer one would become negative.
	maxFrame = math.MaxInt32

	// maxHead is the largest length of a frame other than a message. It is sixteen times what grpc
	// suggests for all metadata of a call, and a fraction of what grpc-go accepts.
	maxHead = 1 << 20
)

// violation says how the other end broke the protocol. The connection is of no further use.
type violation string

func (v violation) Error() string { return "direct transport: " + string(v) }

func violationf(format string, args ...any) error { return violation(fmt.Sprintf(format, args...)) }

func appendFrameHeader(b []byte, k kind, n int) []byte {
	return binary.BigEndian.AppendUint32(append(b, byte(k)), uint32(n))
}

// openFrame appends the header of a frame whose length is set by closeFrame.
func openFrame(b []byte, k kind) ([]byte, int) {
	b = appendFrameHeader(b, k, 0)
	return b, len(b)
}

func closeFrame(b []byte, start int) {
	binary.BigEndian.PutUint32(b[start-4:], uint32(len(b)-start))
}
