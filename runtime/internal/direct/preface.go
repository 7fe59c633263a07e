package direct

import (
	"bytes"

	"google.golang.org/grpc/metadata"
)

// The client begins with the magic words, the lowest and the highest version that it speaks, and four zero
// bytes for later use. These are as many bytes as HTTP/2's preface, so that an HTTP/2 server answers, with
// its settings or by hanging up, instead of waiting for more. The server answers with its own words, the
// version that both will speak, or 0 for none, and then 1 if it has too many connections at the moment,
// else 0.
const (
	clientMagic = "UDSGRPC-DIRECT\r\n\r\n"
	serverMagic = "UDSGRPC-DIRECT"

	// PrefaceLen is how much the client sends before it waits for an answer.
	PrefaceLen = len("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")

	// answerLen is the length of the server's answer.
	answerLen = len(serverMagic) + 2

	// version is the only one that this package speaks.
	version = 1
)

// IsPreface reports whether the first PrefaceLen bytes from a client say that it speaks the direct
// transport.
func IsPreface(b []byte) bool { return len(b) == PrefaceLen && bytes.HasPrefix(b, []byte(clientMagic)) }

// appendPreface appends the preface of a client that speaks the versions from lowest to highest.
func appendPreface(b []byte, lowest, highest byte) []byte {
	b = append(b, clientMagic...)
	return append(b, lowest, highest, 0, 0, 0, 0)
}

// parsePreface returns the lowest and the highest version that a client speaks.
func parsePreface(b []byte) (lowest, highest byte, err error) {
	if !IsPreface(b) {
		return 0, 0, violationf("begins with %q", b)
	}
	versions := b[len(clientMagic):]
	return versions[0], versions[1], nil
}

// appendIntro appends the frame in which a client introduces itself, after its preface.
func appendIntro(b []byte) []byte {
	b, start := openFrame(b, kindIntro)
	b = appendMetadata(b, metadata.MD{
		":authority":   {authority},
		"content-type": {contentType},
		"user-agent":   {userAgent},
	})
	closeFrame(b, start)
	return b
}

// appendAnswer appends the server's answer to a preface: the version that both ends speak from now on, 0
// for none, and whether it has too many connections.
func appendAnswer(b []byte, version byte, full bool) []byte {
	b = append(append(b, serverMagic...), version, 0)
	if full {
		b[len(b)-1] = 1
	}
	return b
}

// beginsAnswer reports whether b may be the beginning of an answer, or a whole one.
func beginsAnswer(b []byte) bool {
	return bytes.HasPrefix([]byte(serverMagic), b[:min(len(b), len(serverMagic))])
}

// parseAnswer reads an answer of answerLen bytes, for which beginsAnswer is true. Only the number 1 means
// that the server has too many connections.
func parseAnswer(b []byte) (version byte, full bool) {
	return b[len(serverMagic)], b[len(serverMagic)+1] == 1
}
