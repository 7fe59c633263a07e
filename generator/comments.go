package generator

import (
	"go/build/constraint"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"google.golang.org/protobuf/compiler/protogen"
)

// commentWidth leaves room for the slashes in a line of about 100 columns.
const commentWidth = 97

// comment prints a paragraph of our own words, wrapped.
func comment(g *protogen.GeneratedFile, words ...string) {
	var line strings.Builder
	for _, word := range strings.Fields(strings.Join(words, "")) {
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
