package wire

// Ring is the content of a ring frame, one byte. Ring frames may come before any other frame. They belong to the
// connection, not to a call.
type Ring byte

// The server offers rings, once, with the descriptor of their memory. The client answers that it moves to them or
// that it declines. After the client the server moves, too.
const (
	RingOffered  Ring = iota // server
	RingMoved                // both: what follows in this direction is in the ring
	RingDeclined             // client
)

// AppendRingFrame appends a ring frame.
func AppendRingFrame(b []byte, r Ring) []byte {
	return append(AppendFrameHeader(b, KindRing, 1), byte(r))
}

// ParseRing reads the content of a ring frame.
func ParseRing(b []byte) (Ring, error) {
	if len(b) != 1 || b[0] > byte(RingDeclined) {
		return 0, Violationf("a ring frame with %d bytes, which begin with %q", len(b), b[:min(len(b), 1)])
	}
	return Ring(b[0]), nil
}
