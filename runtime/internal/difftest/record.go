package difftest

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// Lane is what one goroutine did, in order. Only that goroutine adds to it.
type Lane struct {
	Name   string
	Events []Event

	sending atomic.Bool // it is within a send
}

// Event is a step and what it came to.
type Event struct {
	What     string
	Op       Op
	Messages Sizes // sent or received
	Err      Outcome
	MD       metadata.MD
	Note     string
	Told     bool // the client's goroutine knew that the call was over when it began the step
}

// Sizes are those of messages in a row, in runs of the same size.
type Sizes []struct{ N, Size int }

func (s *Sizes) add(size int) {
	if last := len(*s) - 1; last >= 0 && (*s)[last].Size == size {
		(*s)[last].N++
		return
	}
	*s = append(*s, struct{ N, Size int }{1, size})
}

func (s Sizes) count() (n int) {
	for _, r := range s {
		n += r.N
	}
	return n
}

func (s Sizes) String() string {
	var parts []string
	for _, r := range s {
		parts = append(parts, fmt.Sprintf("%dx%d", r.N, r.Size))
	}
	return "[" + strings.Join(parts, " ") + "]"
}

// Outcome is what can be told of an error. It is comparable.
type Outcome struct {
	Failed  bool
	Code    codes.Code
	Message string // of the error itself
	Details string
	Is      string // the errors that callers look for
}

// sameText makes texts the same that differ between runs of grpc-go. protobuf makes a space an
// unbreakable one in some builds. When the clocks of both ends come to a deadline, the client tells in these
// words of HTTP/2 that the server's was first.
var sameText = strings.NewReplacer("\u00a0", " ",
	"code = DeadlineExceeded desc = stream terminated by RST_STREAM with error code: CANCEL", "code = DeadlineExceeded desc = context deadline exceeded")

// whyNoAnswer finds what this project adds to the end of a deadline before the server has answered.
var whyNoAnswer = regexp.MustCompile(`(code = DeadlineExceeded desc = )(?:\w+ )?(?:unix:)?/\S+: .+: (context deadline exceeded)$`)

func outcomeOf(err error) Outcome {
	if err == nil {
		return Outcome{}
	}
	s := status.Convert(err)
	o := Outcome{Failed: true, Code: s.Code(), Message: whyNoAnswer.ReplaceAllString(sameText.Replace(err.Error()), "$1$2")}
	for _, d := range s.Proto().GetDetails() {
		o.Details += fmt.Sprintf(" %s %x", d.GetTypeUrl(), sha256.Sum256(d.GetValue()))
	}
	for _, target := range []error{io.EOF, context.Canceled, context.DeadlineExceeded} {
		if errors.Is(err, target) {
			o.Is += " " + target.Error()
		}
	}
	return o
}

func (o Outcome) isEOF() bool { return o.Failed && o.Message == io.EOF.Error() }

// isEnd tells whether it is that of a context which has ended.
func (o Outcome) isEnd() bool {
	return o.Failed && (o.Code == codes.Canceled || o.Code == codes.DeadlineExceeded)
}

func (o Outcome) String() string {
	if !o.Failed {
		return "ok"
	}
	text := fmt.Sprintf("%v %s", o.Code, short(fmt.Sprintf("%q", o.Message)))
	if o.Details != "" {
		text += " details" + o.Details
	}
	if o.Is != "" {
		text += " is" + o.Is
	}
	return text
}

// short puts a long text into few words, which are other words for another text.
func short(text string) string {
	if len(text) <= 120 {
		return text
	}
	return fmt.Sprintf("%s…(%d bytes, %x)", text[:40], len(text), sha256.Sum256([]byte(text)))[:100]
}

func describeMD(md metadata.MD) string {
	if md == nil {
		return "none"
	}
	var pairs []string
	for k, v := range md {
		pairs = append(pairs, fmt.Sprintf("%s=%s", k, short(fmt.Sprintf("%q", v))))
	}
	slices.Sort(pairs)
	return "{" + strings.Join(pairs, " ") + "}"
}

// Record is what was seen of one run of a case.
type Record struct {
	Client, Handler []*Lane // Handler is nil if it was not called
	After           *Lane
	Stats           []string

	Ended   bool   // the call may have been ended from outside at any time
	Broken  bool   // by a send of the client's that was wrong
	Timed   bool   // it had a short deadline
	Stalled string // where, if the run had to be ended
	Full    bool   // each end that waited to send had as much unread as it may have
	Carrier string // the transport that brought the call to the handler
}
