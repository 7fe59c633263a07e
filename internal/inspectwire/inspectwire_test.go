package inspectwire_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/udsgrpc/udsgrpc/internal/inspectwire"
)

// peer is a connection: what it reads is there already.
type peer struct {
	io.Reader
	io.Writer
}

func ask(answer string) (rest string, err error) {
	r := strings.NewReader(answer)
	err = inspectwire.Ask(peer{r, io.Discard})
	b, _ := io.ReadAll(r)
	return string(b), err
}

// It stands in for HTTP/2's, so it has its length.
func TestPrefaceIsAsLongAsThatOfHTTP2(t *testing.T) {
	t.Parallel()
	if len(inspectwire.Preface) != len("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n") {
		t.Errorf("it has %d bytes", len(inspectwire.Preface))
	}
}

func TestNothingAfterTheAnswerIsRead(t *testing.T) {
	t.Parallel()
	if rest, err := ask(string(inspectwire.Granted.Append(nil, "")) + "more"); err != nil || rest != "more" {
		t.Errorf("%q is left, and the error is %v", rest, err)
	}
}

func TestAnswersOtherThanGrantedAreErrors(t *testing.T) {
	t.Parallel()
	for _, answer := range []inspectwire.Answer{inspectwire.Denied, inspectwire.Off, inspectwire.Draining, "later"} {
		_, err := ask(string(answer.Append(nil, "why\nnot "+strings.Repeat("x", 1000))))
		var denied *inspectwire.DeniedError
		if !errors.As(err, &denied) || denied.Answer != answer || !strings.HasPrefix(denied.Text, "why not x") {
			t.Errorf("%s: %v", answer, err)
		}
	}
	for text, want := range map[string]error{
		"\x00\x00\x06\x04":             inspectwire.ErrNone,
		"HTTP/1.1 400 Bad Request\r\n": inspectwire.ErrNone,
		"UDSGRPC-DIRECT":               inspectwire.ErrNone,
		"":                             io.EOF,
		"UDSGRPC-INSPECT/v1.0 grant":   io.ErrUnexpectedEOF,
		"UDSGRPC-INSPECT/v1.0 " + strings.Repeat("x", 1000): io.ErrUnexpectedEOF,
	} {
		if _, err := ask(text); !errors.Is(err, want) {
			t.Errorf("%q: %v, want %v", text, err, want)
		}
	}
}

func FuzzAnswer(f *testing.F) {
	f.Add("")
	f.Add(string(inspectwire.Granted.Append(nil, "")))
	f.Add(string(inspectwire.Denied.Append(nil, "you may not")))
	f.Fuzz(func(t *testing.T, answer string) {
		rest, err := ask(answer)
		line, _, _ := strings.Cut(answer, "\n")
		if granted := bytes.HasPrefix([]byte(line+" "), []byte("UDSGRPC-INSPECT/v1.0 granted ")); (err == nil) != (granted && strings.Contains(answer, "\n")) && len(line) < 400 {
			t.Errorf("%q: %v", answer, err)
		}
		if err == nil && rest != answer[len(line)+1:] {
			t.Errorf("%q is left of %q", rest, answer)
		}
	})
}
