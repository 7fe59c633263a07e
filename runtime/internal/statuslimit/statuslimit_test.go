package statuslimit_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"
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

// inTrailer is how long the values of a status are there.
func inTrailer(st *status.Status) int {
	n := encoded(st.Message())
	if len(st.Proto().GetDetails()) > 0 {
		n += base64.RawStdEncoding.EncodedLen(proto.Size(st.Proto()))
	}
	return n
}

// withDetails returns a status with details of some bytes.
func withDetails(t testing.TB, text string, size int) *status.Status {
	t.Helper()
	st, err := status.New(codes.Aborted, text).WithDetails(wrapperspb.Bytes(make([]byte, size)))
	if err != nil {
		t.Fatal(err)
	}
	return st
}

// limit is statuslimit.Limit without the mark, which has to be in the error.
func limit(t testing.TB, err error) *status.Status {
	t.Helper()
	mark, limited := statuslimit.Limit(err)
	st := status.Convert(limited)
	if (mark == "") != (limited == err) || !strings.HasSuffix(st.Message(), mark) {
		t.Errorf("the mark is %q, the text ends with %q", mark, st.Message()[max(0, len(st.Message())-80):])
	}
	return st
}

func TestSmallErrorsAreLeftAlone(t *testing.T) {
	t.Parallel()
	for _, err := range []error{
		nil, io.EOF, context.Canceled, fmt.Errorf("outer: %w", status.Error(codes.NotFound, "x")),
		errors.New(strings.Repeat("x", statuslimit.Max)),
		status.Error(codes.OK, strings.Repeat("x", 2*statuslimit.Max)),
	} {
		if mark, got := statuslimit.Limit(err); got != err || mark != "" {
			t.Errorf("%v became %v, %q", err, got, mark)
		}
	}
}

func TestCutErrorsKeepTheirCode(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 2*statuslimit.Max)
	for want, err := range map[codes.Code]error{
		codes.Unknown:          errors.New(long),
		codes.Canceled:         fmt.Errorf("%s: %w", long, context.Canceled),
		codes.DeadlineExceeded: fmt.Errorf("%s: %w", long, context.DeadlineExceeded),
		codes.NotFound:         fmt.Errorf("%s: %w", long, status.Error(codes.NotFound, "")),
	} {
		got := limit(t, err)
		if got.Code() != want || encoded(got.Message()) > statuslimit.Max || !strings.Contains(got.Message(), " [cut: the text has ") {
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
		detail, err := status.New(codes.Aborted, prefix+strings.Repeat(unit, 3*statuslimit.Max/len(unit))).WithDetails(wrapperspb.String("kept"))
		if err != nil {
			t.Fatal(err)
		}
		long := detail.Message()
		got := limit(t, detail.Err())
		text, mark, ok := strings.Cut(got.Message(), fmt.Sprintf(" [cut: the text has %d bytes]", len(long)))
		switch {
		case inTrailer(detail) <= statuslimit.Max-2: // some bytes may be lost by rounding
			if got.Message() != long {
				t.Errorf("a text that fits became %q", got.Message())
			}
			return
		case !ok || mark != "" || !strings.HasPrefix(long, text):
			t.Fatalf("the text became %q", got.Message())
		}
		if n := inTrailer(got); n > statuslimit.Max || n < statuslimit.Max-12*utf8.UTFMax {
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

// Programs act on details, and people read the beginning of a text first.
func TestALongTextIsCutBesideDetails(t *testing.T) {
	t.Parallel()
	for _, size := range []int{1, 1000, 3500} {
		st := withDetails(t, strings.Repeat("x", 10*statuslimit.Max), size)
		got := limit(t, st.Err())
		text, _, ok := strings.Cut(got.Message(), " [cut: the text has 71680 bytes]")
		if !ok || len(got.Details()) != 1 || len(text) < statuslimit.MinText-100 || inTrailer(got) > statuslimit.Max {
			t.Errorf("beside details of %d bytes the text has %d bytes, and the trailer %d: %.80s", size, len(text), inTrailer(got), got)
		}
	}
}

func TestDetailsOverTheLimitAreLeftOut(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("y", 2*statuslimit.Max)
	for _, tc := range []struct {
		text string
		size int
		kept bool
	}{
		{"short", 5200, true},
		{"short", 5500, false},
		{"short", 10 << 20, false},
		{long, 3500, true},
		{long, 3700, false},
		{long, 10 << 20, false},
	} {
		st := withDetails(t, tc.text, tc.size)
		got := limit(t, st.Err())
		if inTrailer(got) > statuslimit.Max || got.Code() != codes.Aborted {
			t.Errorf("%.8s..., details of %d bytes: %d bytes remain, of %v", tc.text, tc.size, inTrailer(got), got.Code())
		}
		if kept := len(got.Details()) > 0; kept != tc.kept {
			t.Errorf("%.8s..., details of %d bytes: they stay: %t", tc.text, tc.size, kept)
		}
		if left := strings.Contains(got.Message(), " [details of "); left == tc.kept || !strings.HasPrefix(got.Message(), tc.text[:5]) {
			t.Errorf("%.8s..., details of %d bytes: the text became %.80q", tc.text, tc.size, got.Message())
		}
	}
}

// Whatever the sizes, no status takes more room than it may, and none loses what would fit.
func FuzzTextAndDetailsFitTogether(f *testing.F) {
	f.Add(0, 0)
	f.Add(3000, 0)
	f.Add(2000, 2000)
	f.Add(100, 5300)
	f.Add(1024, 3584)
	f.Add(20000, 20000)
	f.Fuzz(func(t *testing.T, text, details int) {
		const enough = 4 * statuslimit.Max
		text, details = min(max(text, 0), enough), min(max(details, 0), enough)
		st := withDetails(t, strings.Repeat("x", text), details)
		got := limit(t, st.Err())
		if n := inTrailer(got); n > statuslimit.Max {
			t.Errorf("%d bytes remain", n)
		}
		if inTrailer(st) <= statuslimit.Max-8 && !proto.Equal(st.Proto(), got.Proto()) {
			t.Errorf("%d bytes became %d", inTrailer(st), inTrailer(got))
		}
	})
}

func TestWhatIsLostIsLoggedOnceAMinute(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var records []string
		l := statuslimit.NewLimiter(func(level slog.Level, what string, attrs ...slog.Attr) {
			records = append(records, fmt.Sprint(level, " ", what, " ", attrs))
		})
		long := status.Error(codes.Aborted, strings.Repeat("x", 10_000))
		for _, wait := range []time.Duration{0, time.Second, time.Minute} {
			<-time.After(wait)
			if status.Convert(l.Limit("/x.Y/Z", long)).Code() != codes.Aborted || l.Limit("/x.Y/Z", io.EOF) != io.EOF {
				t.Error("another error came back")
			}
		}
		want := "WARN error cut [method=/x.Y/Z code=Aborted lost=[cut: the text has 10000 bytes]]"
		if len(records) != 2 || records[0] != want || records[1] != want {
			t.Errorf("logged %q", records)
		}
	})
}
