package wire

import (
	"bytes"

	"google.golang.org/grpc/metadata"
)

// The client begins with ClientMagic, the lowest and the highest version that it speaks, and four zero
// bytes for later use. These are as many bytes as HTTP/2's preface, so that an HTTP/2 server answers, with
// its settings or by hanging up, instead of waiting for more. The server answers with ServerMagic, the
// version that both will speak, or 0 for none, and then 1 if it has too many connections at the moment,
// else 0.
const (
	ClientMagic = "UDSGRPC-DIRECT\r\n\r\n"
	ServerMagic = "UDSGRPC-DIRECT"

	// PrefaceLen is how much the client sends before it waits for an answer.
	PrefaceLen = len("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")

	// AnswerLen is the length of the server's answer.
	AnswerLen = len(ServerMagic) + 2

	// Version is the only one that this package speaks.
	Version = 1
)

// IsPreface reports whether the first PrefaceLen bytes from a client say that it speaks the direct
// transport.
func IsPreface(b []byte) bool { return len(b) == PrefaceLen && bytes.HasPrefix(b, []byte(ClientMagic)) }

// AppendPreface appends the preface of a client that speaks the versions from lowest to highest.
func AppendPreface(b []byte, lowest, highest byte) []byte {
	b = append(b, ClientMagic...)
	return append(b, lowest, highest, 0, 0, 0, 0)
}

// ParsePreface returns the lowest and the highest version that a client speaks.
func ParsePreface(b []byte) (lowest, highest byte, err error) {
	if !IsPreface(b) {
		return 0, 0, Violationf("begins with %q", b)
	}
	versions := b[len(ClientMagic):]
	return versions[0], versions[1], nil
}

// AppendIntro appends the frame in which a client introduces itself, after its preface.
func AppendIntro(b []byte) []byte {
	b, start := OpenFrame(b, KindIntro)
	b = AppendMetadata(b, metadata.MD{
		":authority":   {Authority},
		"content-type": {ContentType},
		"user-agent":   {UserAgent},
	})
	CloseFrame(b, start)
	return b
}

// AppendAnswer appends the server's answer to a preface: the version that both ends speak from now on, 0
// for none, and whether it has too many connections.
func AppendAnswer(b []byte, version byte, full bool) []byte {
	b = append(append(b, ServerMagic...), version, 0)
	if full {
		b[len(b)-1] = 1
	}
	return b
}

// BeginsAnswer reports whether b may be the beginning of an answer, or a whole one.
func BeginsAnswer(b []byte) bool {
	return bytes.HasPrefix([]byte(ServerMagic), b[:min(len(b), len(ServerMagic))])
}

// ParseAnswer reads an answer of answerLen bytes, for which beginsAnswer is true. Only the number 1 means
// that the server has too many connections.
func ParseAnswer(b []byte) (version byte, full bool) {
	return b[len(ServerMagic)], b[len(ServerMagic)+1] == 1
}
