package main

import (
	"bytes"
	"maps"
	"regexp"
)

var (
	// textElement has the colour, and the text, of one that svg has drawn.
	textElement = regexp.MustCompile(`<text [^>]*?( fill="[^"]*")?( font-weight="bold")?( opacity="[^"]*")?>([^<]*)</text>`)
	// number is one with its unit, a time of day, or a duration.
	number = regexp.MustCompile(`[0-9]+([.:][0-9]+)*(( |)(h|m|s|ms|µs|ns|B|KiB|MiB)\b)?`)
)

// isAlike reports whether two pictures have the same texts in the same colours, in any order, and as often as they
// like, but for numbers.
func isAlike(a, b []byte) bool {
	texts := textsOf(a)
	return len(texts) > 0 && maps.Equal(texts, textsOf(b))
}

func textsOf(picture []byte) map[string]bool {
	texts := map[string]bool{}
	for _, element := range textElement.FindAllSubmatch(picture, -1) {
		style, text := bytes.Join(element[1:4], nil), element[4]
		for {
			masked := number.ReplaceAll(text, []byte("#"))
			masked = bytes.ReplaceAll(masked, []byte("##"), []byte("#")) // of 1m30s
			if bytes.Equal(masked, text) {
				break
			}
			text = masked
		}
		texts[string(style)+" "+string(text)] = true
	}
	return texts
}
