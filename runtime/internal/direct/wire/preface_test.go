package wire

import (
	"bytes"
	"io"
	"reflect"
	"testing"

	"google.golang.org/grpc/metadata"
)

// A preface says which versions its client speaks, and an answer which one both speak from now on.
func TestPrefaceAndAnswerSayWhatTheyWereGiven(t *testing.T) {
	for _, want := range []Preface{{Version, Version, 0, false}, {0, 255, 1, true}, {3, 2, 253, false}} {
		preface, kept := bytes.CutPrefix(want.Append([]byte("kept")), []byte("kept"))
		if got, err := ParsePreface(preface); !kept || err != nil || got != want {
			t.Errorf("%v becomes %v, %v", want, got, err)
		}
	}
	for _, want := range []Answer{{Version: 7}, {Full: true}, {Version: 1, TakesFiles: true}, {Version: 1, SendsFiles: true}, {Version: 1, Rings: true}, {0, true, true, true, true}} {
		b := want.Append(nil)
		if got := ParseAnswer(b); len(b) != AnswerLen || got != want {
			t.Errorf("%v becomes %v", want, got)
		}
		for n := range len(b) + 1 {
			if !BeginsAnswer(b[:n]) {
				t.Errorf("the first %d bytes begin no answer", n)
			}
			if n < len(ServerMagic) && BeginsAnswer(append(bytes.Clone(b[:n]), 0)) {
				t.Errorf("%d bytes and another that is wrong begin an answer", n)
			}
		}
	}
}

// An HTTP/2 server waits until it has as much as HTTP/2's own preface, so ours is as long.
func TestPrefaceIsAsLongAsHTTP2s(t *testing.T) {
	const http2 = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
	if n := len(Preface{Lowest: 1, Highest: 1}.Append(nil)); n != len(http2) {
		t.Errorf("it has %d bytes", n)
	}
}

// FuzzPreface: whatever the first bytes are, they are a preface with two versions or a violation, and an
// answer or none.
func FuzzPreface(f *testing.F) {
	f.Add([]byte(nil))
	f.Add(Preface{Lowest: Version, Highest: Version}.Append(nil))
	f.Add(Preface{Lowest: Version, Highest: Version}.Append(nil)[:PrefaceLen-1])
	f.Add(append(Preface{Lowest: 2, Highest: 1}.Append(nil), 0))
	f.Add([]byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"))
	f.Add(Answer{Version: Version}.Append(nil))
	f.Add(Answer{Full: true}.Append(nil))
	f.Add(Answer{Version: Version, TakesFiles: true}.Append(nil))
	f.Add(Answer{Version: Version}.Append(nil)[:5])
	f.Fuzz(func(t *testing.T, b []byte) {
		preface, err := ParsePreface(b)
		switch {
		case err != nil && !isViolation(err, "begins with"):
			t.Errorf("the error is %v", err)
		case (err == nil) != IsPreface(b):
			t.Errorf("it is a preface: %v, and parsing it comes to %v", IsPreface(b), err)
		case err == nil && !bytes.Equal(preface.Append(nil)[:PrefaceLen-3], b[:PrefaceLen-3]):
			t.Errorf("%v is not what was sent", preface)
		}
		if len(b) >= AnswerLen && BeginsAnswer(b) {
			answer := ParseAnswer(b[:AnswerLen])
			if again := answer.Append(nil); !bytes.Equal(again[:AnswerLen-1], b[:AnswerLen-1]) || ParseAnswer(again) != answer {
				t.Errorf("%v is not what was sent", answer)
			}
		}
	})
}

// readIntro returns the metadata of an introduction.
func readIntro(t *testing.T, frame []byte) metadata.MD {
	t.Helper()
	rd := &Reader{}
	rd.Init(&pieces{rd, frame, whole}, &Buffers{})
	md, err := rd.Intro()
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := rd.Next(); err != io.EOF {
		t.Errorf("after it comes %v", err)
	}
	return md
}

func TestIntroductionsAreTakenAsTheyAre(t *testing.T) {
	for name, md := range map[string]metadata.MD{
		"this package's": introMetadata,
		"none":           nil,
		"another":        {":authority": {"localhost"}, "content-type": {"application/grpc"}, "user-agent": {"grpc-go/0.1"}},
	} {
		b, start := OpenFrame(nil, KindIntro)
		b = AppendMetadata(b, md)
		CloseFrame(b, start)
		if got := readIntro(t, b); !reflect.DeepEqual(got, md) {
			t.Errorf("%s: %v becomes %v", name, md, got)
		}
	}
}

// A server keeps it once for all connections, from whatever process they come.
func TestClientsIntroduceThemselvesAlike(t *testing.T) {
	for range 50 {
		if again := makeIntro(); !bytes.Equal(again, AppendIntro(nil)) {
			t.Fatalf("another process says %q instead of %q", again, intro)
		}
	}
	first, second := readIntro(t, intro), readIntro(t, intro)
	if reflect.ValueOf(first).Pointer() != reflect.ValueOf(second).Pointer() {
		t.Error("each connection has its own")
	}
}
