package docs_test

import (
	"regexp"
	"strings"
)

// matches tells whether a program has written what a block of output shows. In the block a line
// "..." stands for any lines, "…" for any text within a line. Spaces at the ends of lines, which
// nobody can see, do not count, nor do empty lines at the end of all.
func matches(shown, written string) bool {
	var pattern strings.Builder
	for line := range strings.Lines(trimLines(shown)) {
		line = strings.TrimSuffix(line, "\n")
		if line == "..." {
			pattern.WriteString(`(?:.*\n)*`)
			continue
		}
		pattern.WriteString(strings.ReplaceAll(regexp.QuoteMeta(line), "…", ".*") + `\n`)
	}
	return regexp.MustCompile(`\A` + pattern.String() + `\z`).MatchString(trimLines(written))
}

func trimLines(s string) string {
	var b strings.Builder
	for line := range strings.Lines(s) {
		b.WriteString(strings.TrimRight(line, " \t\r\n") + "\n")
	}
	return strings.TrimRight(b.String(), "\n") + "\n"
}
