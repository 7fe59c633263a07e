// Package statuslimit keeps the errors of handlers small enough for every client. A status travels in the
// trailer, and clients limit what they take of it: one whose limit is exceeded loses the code and the text
// of the call, and some lose the whole connection with all its calls.
package statuslimit

import (
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	grpcstatus "google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

const (
	// Max is how many bytes the text and the details of a status may take together in HTTP/2's form. There every
	// byte of the text that is not printable ASCII takes three; and details are base64, a third more, of a message
	// that has the text, too. The smallest usual limit of clients for a whole trailer is 8 KiB: it is Java's, and
	// grpc-go plans it. What is left of that is for the other fields of the trailer, which take 250 bytes, and a
	// few of the handler's.
	Max = 7 << 10

	// MinText is to which length a text is cut, if it is ASCII, before details are left out.
	MinText = 1 << 10

	// reportPause is how long nothing is logged after a record.
	reportPause = time.Minute
)

// Limiter limits the errors of one server. Its methods may be called concurrently.
type Limiter struct {
	event  func(level slog.Level, what string, attrs ...slog.Attr)
	logged atomic.Int64 // when, in nanoseconds since 1970
}

// NewLimiter returns a Limiter that logs what clients lose, once a minute at most.
func NewLimiter(event func(slog.Level, string, ...slog.Attr)) *Limiter {
	return &Limiter{event: event}
}

// Limit is the function Limit for the error of a call of this method.
func (l *Limiter) Limit(fullMethod string, err error) error {
	mark, limited := Limit(err)
	if mark == "" {
		return limited
	}
	last, now := l.logged.Load(), time.Now()
	if now.Sub(time.Unix(0, last)) > reportPause && l.logged.CompareAndSwap(last, now.UnixNano()) {
		l.event(slog.LevelWarn, "error cut", slog.String("method", fullMethod), slog.Any("code", grpcstatus.Code(limited)), slog.String("lost", mark[1:]))
	}
	return limited
}

// Limit returns err if its status is small enough. Otherwise it returns a status of the same code whose text is
// cut, or whose details are left out, and whose text ends with a mark that says so: the mark begins with a space, and
// is empty for an err that stays as it is. nil stays nil.
func Limit(err error) (mark string, limited error) {
	if err == nil {
		return "", nil
	}
	st, ok := grpcstatus.FromError(err)
	if !ok {
		st = grpcstatus.FromContextError(err) // as grpc does
	}
	if st.Code() == codes.OK {
		return "", err
	}
	p := st.Proto()
	text := p.GetMessage()
	room, byteWeight := roomForText(p)
	if len(p.GetDetails()) > 0 && room < min(weight(text, byteWeight), MinText*(3+byteWeight)) {
		mark = fmt.Sprintf(" [details of %d bytes left out]", detailsSize(p))
		p.Details = nil
		room, byteWeight = roomForText(p)
	}
	if weight(text, byteWeight)+weight(mark, byteWeight) > room {
		mark = fmt.Sprintf(" [cut: the text has %d bytes]", len(text)) + mark
		text = text[:fitting(text, room-weight(mark, byteWeight), byteWeight)]
	}
	if mark == "" {
		return "", err
	}
	p.Message = text + mark
	return mark, grpcstatus.ErrorProto(p)
}

func detailsSize(p *status.Status) int {
	bare := proto.CloneOf(p)
	bare.Details = nil
	return proto.Size(p) - proto.Size(bare)
}

// roomForText returns how much a text may weigh beside the details of p. It is told in thirds of bytes, as a byte
// in base64 weighs four of them. byteWeight is what each byte weighs because of the text among the details.
func roomForText(p *status.Status) (room, byteWeight int) {
	room = 3 * Max
	if len(p.GetDetails()) == 0 {
		return room, 0
	}
	rest := proto.CloneOf(p)
	rest.Message = ""
	const (
		head = 3 // of a text that is shorter than 16 KiB, in the message: tag and length
		end  = 2 // base64 rounds up
	)
	return room - 4*(proto.Size(rest)+head) - end, 4
}

// weight returns what text weighs in HTTP/2's form, in thirds of bytes.
func weight(text string, byteWeight int) int {
	n := 0
	for rest := text; rest != ""; {
		width, encoded := nextRune(rest)
		n += 3*encoded + byteWeight*width
		rest = rest[width:]
	}
	return n
}

// fitting returns how many bytes of text weigh at most limit. It never splits a rune.
func fitting(text string, limit, byteWeight int) int {
	n, used := 0, 0
	for n < len(text) {
		width, encoded := nextRune(text[n:])
		used += 3*encoded + byteWeight*width
		if used > limit {
			break
		}
		n += width
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
