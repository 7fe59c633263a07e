package wire

import (
	"encoding/binary"
	"fmt"
	"math"
)

// Kind says what a frame is. A frame is its kind, the length of its content (4 bytes, big
// endian), and the content. A control frame is one that is no message.
type Kind byte

// The kinds of frames, and which end sends them.
const (
	KindIntro   Kind = 'I' // client, once: metadata that goes with all its calls
	KindCall    Kind = 'C' // client: a call begins; see CallHeader
	KindMessage Kind = 'M' // both: a message
	KindFiles   Kind = 'F' // both: the next frame is a message with open files; see AppendFilesFrame
	KindEnd     Kind = 'E' // client: no more messages in this call
	KindHeader  Kind = 'H' // server: metadata that comes before the messages
	KindStatus  Kind = 'S' // server: the call is over; see Status
	KindGoAway  Kind = 'G' // server: the call was not and will not be processed
	KindRing    Kind = 'R' // both: offers rings in shared memory, or moves to them; see Ring
)

const (
	// FrameHeaderLen is the length of a frame's kind and length.
	FrameHeaderLen = 5

	// MaxFrame is the largest length of any frame. No protobuf message is longer, and every length up to it
	// fits an int on 32-bit systems, where a longer one would become negative.
	MaxFrame = math.MaxInt32

	// MaxControl is the largest length of a control frame. It is sixteen times what grpc suggests for all
	// metadata of a call, and a fraction of what grpc-go accepts.
	MaxControl = 1 << 20
)

// Violation says how the other end broke the protocol. The connection is of no further use.
type Violation string

func (v Violation) Error() string { return "direct transport: " + string(v) }

// Violationf returns a Violation with a formatted reason.
func Violationf(format string, args ...any) error { return Violation(fmt.Sprintf(format, args...)) }

// AppendFrameHeader appends the header of a frame with n bytes of content.
func AppendFrameHeader(b []byte, k Kind, n int) []byte {
	return binary.BigEndian.AppendUint32(append(b, byte(k)), uint32(n))
}

// OpenFrame appends the header of a frame whose length is not known yet. CloseFrame sets it, and needs the
// number that OpenFrame returns: where the content begins.
func OpenFrame(b []byte, k Kind) ([]byte, int) {
	b = AppendFrameHeader(b, k, 0)
	return b, len(b)
}

// CloseFrame sets the length of a frame that is complete with the end of b.
func CloseFrame(b []byte, start int) {
	binary.BigEndian.PutUint32(b[start-4:], uint32(len(b)-start))
}
