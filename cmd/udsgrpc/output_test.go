package main

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestNothingThatATerminalObeysIsPrinted(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]struct{ clean, quoted string }{
		"plain":            {"plain", "plain"},
		"naïve":            {"naïve", "naïve"},
		"a b":              {"a b", `"a b"`},
		"":                 {"", `""`},
		"\x1b[31m":         {`\x1b[31m`, `"\x1b[31m"`},
		"a\nb\r\t":         {`a\nb\r\t`, `"a\nb\r\t"`},
		"\u009b31m":        {`\u009b31m`, `"\u009b31m"`}, // the same in one character
		"\u202egpj.exe":    {`\u202egpj.exe`, `"\u202egpj.exe"`},
		"\xff\xfe":         {`\xff\xfe`, `"\xff\xfe"`},
		"\ufffd":           {"\ufffd", `"` + "\ufffd" + `"`},
		`say "no" 'yes' \`: {`say "no" 'yes' \`, `"say \"no\" 'yes' \\"`},
	} {
		if got := clean(text); got != want.clean {
			t.Errorf("clean(%q) is %q, want %q", text, got, want.clean)
		}
		if got := quote(text); got != want.quoted {
			t.Errorf("quote(%q) is %q, want %q", text, got, want.quoted)
		}
	}
}

func TestLongTextIsFoldedBetweenWords(t *testing.T) {
	t.Parallel()
	const text = "one two  three überlang-und-breit four"
	for width, want := range map[int]string{
		0:  "one two three überlang-und-breit four",
		7:  "one two|three|überlang-und-breit|four",
		8:  "one two|three|überlang-und-breit|four",
		13: "one two three|überlang-und-breit|four",
		18: "one two three|überlang-und-breit|four",
		23: "one two three|überlang-und-breit four",
	} {
		if got := strings.Join(fold(text, width), "|"); got != want {
			t.Errorf("in %d columns it is %q, want %q", width, got, want)
		}
	}
	if got := fold("", 9); len(got) != 1 || got[0] != "" {
		t.Errorf("no text is folded into %q", got)
	}
}

func FuzzClean(f *testing.F) {
	f.Add("\x1b[31m\u202e\xff")
	f.Fuzz(func(t *testing.T, text string) {
		for _, got := range []string{clean(text), quote(text)} {
			if !utf8.ValidString(got) || strings.ContainsFunc(got, func(r rune) bool { return r != utf8.RuneError && isUnprintable(r) }) {
				t.Errorf("%q becomes %q", text, got)
			}
		}
	})
}
