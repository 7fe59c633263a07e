package generator

import (
	"fmt"
	"go/build/constraint"
	"go/format"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// commentWidth leaves room for the slashes in a line of about 100 columns.
const commentWidth = 97

// printer is what lines of code are printed to.
type printer interface{ P(parts ...any) }

// docComment is the comment of a declaration while it is put together. Its first line has to be one.
type docComment struct{ lines []string }

// P adds a line, with its slashes.
func (d *docComment) P(parts ...any) { d.lines = append(d.lines, fmt.Sprint(parts...)) }

// print prints the comment as gofmt leaves it, however often it is run: it changes some comments more than
// once, so that running it once, as protogen does, is not enough.
func (d *docComment) print(g printer) {
	const before, after = "package p\n\n", "\nfunc f()\n"
	text := strings.Join(d.lines, "\n")
	for range maxFormats {
		source, err := format.Source([]byte(before + text + after))
		if err != nil {
			break // it is none: protogen will say so
		}
		formatted := strings.TrimSuffix(strings.TrimPrefix(string(source), before), after)
		if formatted == text {
			break
		}
		text = formatted
	}
	g.P(text)
}

// maxFormats is how often to run gofmt. No comment is known that takes more than three times.
const maxFormats = 10

// comment prints a paragraph of our own words, wrapped.
func comment(g printer, words ...string) {
	var line strings.Builder
	for word := range strings.FieldsSeq(strings.Join(words, "")) {
		if line.Len() > 0 && line.Len()+1+len(word) > commentWidth {
			g.P("//", line.String())
			line.Reset()
		}
		line.WriteString(" " + word)
	}
	g.P("//", line.String())
}

// safeLines turns each line of a comment of a .proto file into one that can follow "//" in Go
// source without being more than a comment: nothing that the Go compiler refuses or that ends a
// line early, and no directive.
func safeLines(text string) []string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		lines[i] = disarm(clean(line))
	}
	return lines
}

// clean removes from a line what Go source must not contain, what a terminal or an editor could
// take for its end, and space at its end.
func clean(line string) string {
	return strings.TrimRight(strings.Map(func(r rune) rune {
		switch {
		case r == '\t':
			return r
		case unicode.IsControl(r), r == '\uFEFF', unicode.In(r, unicode.Zl, unicode.Zp):
			return -1
		}
		return r
	}, strings.ToValidUTF8(line, "")), " \t")
}

// disarm makes sure that line is no directive once it follows "//".
func disarm(line string) string {
	// A +build line is one whatever space precedes it, and gofmt moves it from anywhere in a file
	// to the top, where it takes effect.
	if constraint.IsPlusBuild("//" + line) {
		return " (" + strings.TrimSpace(line) + ")"
	}
	// Directives, such as go:embed, line and nolint, follow the slashes immediately.
	if line != "" && line[0] != ' ' && line[0] != '\t' {
		return " " + line
	}
	return line
}

// deprecates reports whether one of the paragraphs of a comment begins with "Deprecated: ", which
// is how Go tools know that something is deprecated.
func deprecates(lines []string) bool {
	for i, line := range lines {
		if strings.HasPrefix(line, " Deprecated: ") && (i == 0 || lines[i-1] == "") {
			return true
		}
	}
	return false
}

// printable returns the path of a file as it is, unless it has characters that would break out of
// a line or hide in it; then it is quoted.
func printable(path string) string {
	if utf8.ValidString(path) && !strings.ContainsFunc(path, func(r rune) bool { return !strconv.IsPrint(r) }) {
		return path
	}
	return strconv.Quote(path)
}
