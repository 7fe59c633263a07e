package wire

import (
	"bytes"
	"encoding/binary"
	"maps"
	"slices"

	"google.golang.org/grpc/metadata"
)

// The client begins with ClientMagic, the lowest and the highest version that it speaks, how many open files
// it takes in a message, flags of rings, and two zero bytes for later use. These are as many bytes as HTTP/2's
// preface, so that an HTTP/2 server answers, with its settings or by hanging up, instead of waiting for more. The
// server answers with ServerMagic, the version that both will speak, or 0 for none, and flags.
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

// Preface is what a client says of itself first.
type Preface struct {
	Lowest, Highest byte // versions that it speaks
	Files           byte // how many open files it takes in a message
	Rings           bool // it takes rings in shared memory; see Ring
}

// Append appends the preface.
func (p Preface) Append(b []byte) []byte {
	b = append(b, ClientMagic...)
	var rings byte
	if p.Rings {
		rings |= prefaceRings
	}
	return append(b, p.Lowest, p.Highest, p.Files, rings, 0, 0)
}

// Flags of rings in a preface. Others are for later use, and ignored.
const prefaceRings = 1

// ParsePreface reads a preface.
func ParsePreface(b []byte) (Preface, error) {
	if !IsPreface(b) {
		return Preface{}, Violationf("begins with %q", b)
	}
	rest := b[len(ClientMagic):]
	return Preface{rest[0], rest[1], rest[2], rest[3]&prefaceRings != 0}, nil
}

// AppendIntro appends the frame in which a client introduces itself, after its preface.
func AppendIntro(b []byte) []byte { return append(b, intro...) }

// introMetadata is what every client with this package says of itself, so that connections share it.
// Nobody changes it.
var introMetadata = metadata.MD{
	":authority":   {Authority},
	"content-type": {ContentType},
	"user-agent":   {UserAgent},
}

// intro is always the same, also in another process.
var intro = makeIntro()

func makeIntro() []byte {
	b, start := OpenFrame(nil, KindIntro)
	b = binary.AppendUvarint(b, uint64(len(introMetadata)))
	for _, key := range slices.Sorted(maps.Keys(introMetadata)) {
		b = appendPairs(b, key, introMetadata[key])
	}
	CloseFrame(b, start)
	return b
}

// Flags of an answer. Others are for later use, and ignored.
const (
	answerFull       = 1
	answerTakesFiles = 2
	answerRings      = 4
	answerSendsFiles = 8
)

// Answer is a server's answer to a preface.
type Answer struct {
	Version    byte // that both ends speak from now on; 0 for none
	Full       bool // the version is 0 because the server has too many connections at the moment
	TakesFiles bool // the server has methods that take open files
	SendsFiles bool // it has methods that answer with some
	Rings      bool // it may offer rings on this connection
}

// Append appends the answer.
func (a Answer) Append(b []byte) []byte {
	var flags byte
	if a.Full {
		flags |= answerFull
	}
	if a.TakesFiles {
		flags |= answerTakesFiles
	}
	if a.Rings {
		flags |= answerRings
	}
	if a.SendsFiles {
		flags |= answerSendsFiles
	}
	return append(append(b, ServerMagic...), a.Version, flags)
}

// BeginsAnswer reports whether b may be the beginning of an answer, or a whole one.
func BeginsAnswer(b []byte) bool {
	return bytes.HasPrefix([]byte(ServerMagic), b[:min(len(b), len(ServerMagic))])
}

// ParseAnswer reads an answer of AnswerLen bytes, for which BeginsAnswer is true.
func ParseAnswer(b []byte) Answer {
	flags := b[len(ServerMagic)+1]
	return Answer{
		Version:    b[len(ServerMagic)],
		Full:       flags&answerFull != 0,
		TakesFiles: flags&answerTakesFiles != 0,
		SendsFiles: flags&answerSendsFiles != 0,
		Rings:      flags&answerRings != 0,
	}
}
