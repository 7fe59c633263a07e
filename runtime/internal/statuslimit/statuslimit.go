// Package statuslimit keeps the errors of handlers small enough for every client. A status travels in the
// trailer, and clients limit what they take of it: one whose limit is exceeded loses the code and the text
// of the call, and some lose the whole connection with all its calls.
package statuslimit

import (
	"fmt"
	"unicode/utf8"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

const (
	// MaxText is how many bytes the text of a status may take in HTTP/2's form, in which every byte that is
	// not printable ASCII takes three. The smallest usual limit of clients for a whole trailer is Java's,
	// 8 KiB.
	MaxText = 7 << 10

	// MaxDetails is how many bytes the details may have. In HTTP/2's form, base64, they take a third more.
	// Together with a text this is well below the 64 KiB at which .NET gives the connection up.
	MaxDetails = 32 << 10
)

// Limit returns err if its status is small enough. Otherwise it returns a status of the same code whose text is
// cut, or whose details are left out, and whose text ends with a mark that says so. nil stays nil.
func Limit(err error) error {
	if err == nil {
		return nil
	}
	st, ok := status.FromError(err)
	if !ok {
		st = status.FromContextError(err) // as grpc does
	}
	if st.Code() == codes.OK {
		return err
	}
	p := st.Proto()
	mark, details := "", 0
	if len(p.GetDetails()) > 0 {
		bare := proto.CloneOf(p)
		bare.Details = nil
		details = proto.Size(p) - proto.Size(bare)
	}
	if details > MaxDetails {
		p.Details = nil
		mark = fmt.Sprintf(" [details of %d bytes left out]", details)
	}
	text := p.GetMessage()
	if size := encodedSize(text) + len(mark); size > MaxText {
		mark = fmt.Sprintf(" [cut: the text has %d bytes]", len(text)) + mark
		text = text[:fitting(text, MaxText-len(mark))]
	}
	if mark == "" {
		return err
	}
	p.Message = text + mark
	return status.ErrorProto(p)
}

// encodedSize returns how many bytes text takes in HTTP/2's form.
func encodedSize(text string) int {
	n := 0
	for rest := text; rest != ""; {
		width, encoded := nextRune(rest)
		n += encoded
		rest = rest[width:]
	}
	return n
}

// fitting returns how many bytes of text take at most limit bytes in HTTP/2's form. It never splits a rune.
func fitting(text string, limit int) int {
	n, used := 0, 0
	for n < len(text) {
		width, encoded := nextRune(text[n:])
		if used+encoded > limit {
			break
		}
		n, used = n+width, used+encoded
	}
	return n
}

// nextRune returns how many bytes the first rune of text has, and how many they become: '%' and all but printable ASCII
// are percent-encoded, and what is not UTF-8 becomes U+FFFD before that.
func nextRune(text string) (width, encoded int) {
	r, width := utf8.DecodeRuneInString(text)
	switch {
	case r == utf8.RuneError && width == 1:
		return width, 3 * utf8.RuneLen(utf8.RuneError)
	case r >= ' ' && r <= '~' && r != '%':
		return width, 1
	default:
		return width, 3 * width
	}
}
