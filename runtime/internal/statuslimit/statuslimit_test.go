package statuslimit_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"unicode/utf8"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/udsgrpc/udsgrpc/runtime/internal/statuslimit"
)

// encoded is how long a text is in HTTP/2's form.
func encoded(text string) int {
	n := 0
	for _, b := range []byte(string([]rune(text))) { // what is not UTF-8 becomes U+FFFD
		n++
		if b < ' ' || b > '~' || b == '%' {
			n += 2
		}
	}
	return n
}

func TestSmallErrorsAreLeftAlone(t *testing.T) {
	t.Parallel()
	for _, err := range []error{
		nil, io.EOF, context.Canceled, fmt.Errorf("outer: %w", status.Error(codes.NotFound, "x")),
		errors.New(strings.Repeat("x", statuslimit.MaxText)),
		status.Error(codes.OK, strings.Repeat("x", 2*statuslimit.MaxText)),
	} {
		if got := statuslimit.Limit(err); got != err {
			t.Errorf("%v became %v", err, got)
		}
	}
}

func TestCutErrorsKeepTheirCode(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 2*statuslimit.MaxText)
	for want, err := range map[codes.Code]error{
		codes.Unknown:          errors.New(long),
		codes.Canceled:         fmt.Errorf("%s: %w", long, context.Canceled),
		codes.DeadlineExceeded: fmt.Errorf("%s: %w", long, context.DeadlineExceeded),
		codes.NotFound:         fmt.Errorf("%s: %w", long, status.Error(codes.NotFound, "")),
	} {
		got := status.Convert(statuslimit.Limit(err))
		if got.Code() != want || encoded(got.Message()) > statuslimit.MaxText || !strings.Contains(got.Message(), " [cut: the text has ") {
			t.Errorf("the code %v became %v, with %d bytes of text", want, got.Code(), encoded(got.Message()))
		}
	}
}

func FuzzTextIsCutAtARune(f *testing.F) {
	for _, seed := range []string{"x", "%", "\xff", "ü", "漢", "🙂", "\x00", "a\xe6\xbc", "\xed\xa0\x80"} {
		f.Add("", seed)
		f.Add("ab", seed)
	}
	f.Fuzz(func(t *testing.T, prefix, unit string) {
		if unit == "" {
			return
		}
		detail, err := status.New(codes.Aborted, prefix+strings.Repeat(unit, 3*statuslimit.MaxText/len(unit))).WithDetails(wrapperspb.String("kept"))
		if err != nil {
			t.Fatal(err)
		}
		long := detail.Message()
		got := status.Convert(statuslimit.Limit(detail.Err()))
		text, mark, ok := strings.Cut(got.Message(), fmt.Sprintf(" [cut: the text has %d bytes]", len(long)))
		switch {
		case encoded(long) <= statuslimit.MaxText:
			if got.Message() != long {
				t.Errorf("a text that fits became %q", got.Message())
			}
			return
		case !ok || mark != "" || !strings.HasPrefix(long, text):
			t.Fatalf("the text became %q", got.Message())
		}
		if n := encoded(got.Message()); n > statuslimit.MaxText || n < statuslimit.MaxText-9*utf8.UTFMax {
			t.Errorf("what is left takes %d bytes", n)
		}
		if utf8.ValidString(long) && !utf8.ValidString(text) {
			t.Errorf("a rune was split: %q", text[max(0, len(text)-8):])
		}
		if len(got.Details()) != 1 {
			t.Errorf("the details became %v", got.Details())
		}
	})
}

func TestDetailsOverTheLimitAreLeftOut(t *testing.T) {
	t.Parallel()
	for n, kept := range map[int]bool{statuslimit.MaxDetails - 100: true, statuslimit.MaxDetails: false, 10 << 20: false} {
		st, err := status.New(codes.Aborted, "large").WithDetails(wrapperspb.Bytes(make([]byte, n)))
		if err != nil {
			t.Fatal(err)
		}
		got := status.Convert(statuslimit.Limit(st.Err()))
		if kept && !proto.Equal(got.Proto(), st.Proto()) {
			t.Errorf("details of %d bytes did not stay", n)
		}
		if !kept && (len(got.Details()) > 0 || got.Code() != codes.Aborted || !strings.HasPrefix(got.Message(), "large [details of ")) {
			t.Errorf("with details of %d bytes the status became %v", n, got)
		}
	}
}
