package wire

import (
	"bytes"
	"testing"
)

// A preface says which versions its client speaks, and an answer which one both speak from now on.
func TestPrefaceAndAnswerSayWhatTheyWereGiven(t *testing.T) {
	for _, versions := range [][2]byte{{Version, Version}, {0, 255}, {3, 2}} {
		b := AppendPreface([]byte("kept"), versions[0], versions[1])
		preface, kept := bytes.CutPrefix(b, []byte("kept"))
		lowest, highest, err := ParsePreface(preface)
		if !kept || err != nil || lowest != versions[0] || highest != versions[1] {
			t.Errorf("%v becomes %d and %d, %v", versions, lowest, highest, err)
		}
	}
	for _, full := range []bool{false, true} {
		b := AppendAnswer(nil, 7, full)
		if version, isFull := ParseAnswer(b); len(b) != AnswerLen || version != 7 || isFull != full {
			t.Errorf("version 7 and full %v become %d and %v", full, version, isFull)
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
	if n := len(AppendPreface(nil, 1, 1)); n != len(http2) {
		t.Errorf("it has %d bytes", n)
	}
}

// FuzzPreface: whatever the first bytes are, they are a preface with two versions or a violation, and an
// answer or none.
func FuzzPreface(f *testing.F) {
	f.Add([]byte(nil))
	f.Add(AppendPreface(nil, Version, Version))
	f.Add(AppendPreface(nil, Version, Version)[:PrefaceLen-1])
	f.Add(append(AppendPreface(nil, 2, 1), 0))
	f.Add([]byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"))
	f.Add(AppendAnswer(nil, Version, false))
	f.Add(AppendAnswer(nil, 0, true))
	f.Add(AppendAnswer(nil, Version, false)[:5])
	f.Fuzz(func(t *testing.T, b []byte) {
		lowest, highest, err := ParsePreface(b)
		switch {
		case err != nil && !isViolation(err, "begins with"):
			t.Errorf("the error is %v", err)
		case (err == nil) != IsPreface(b):
			t.Errorf("it is a preface: %v, and parsing it comes to %v", IsPreface(b), err)
		case err == nil && !bytes.Equal(AppendPreface(nil, lowest, highest)[:PrefaceLen-4], b[:PrefaceLen-4]):
			t.Errorf("versions %d to %d are not what was sent", lowest, highest)
		}
		if len(b) >= AnswerLen && BeginsAnswer(b) {
			version, full := ParseAnswer(b[:AnswerLen])
			if again := AppendAnswer(nil, version, full); !bytes.Equal(again[:AnswerLen-1], b[:AnswerLen-1]) {
				t.Errorf("version %d is not what was sent", version)
			}
		}
	})
}
