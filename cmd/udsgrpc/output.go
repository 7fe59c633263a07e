package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/fatih/color"
	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// output is where a verb prints its results: as text for people or, with --json, as JSON Lines.
type output struct {
	io.Writer
	json    bool
	colored bool // the writer is a terminal that shows colours
	width   int  // of the writer in columns, if it is a terminal; else 0
}

func outputOf(verb *cobra.Command) *output {
	o := &output{Writer: verb.OutOrStdout()}
	o.json, _ = verb.Flags().GetBool(jsonFlag)
	o.colored = showsColors(o.Writer)
	if file, ok := o.Writer.(*os.File); ok {
		if width, _, err := term.GetSize(int(file.Fd())); err == nil {
			o.width = width
		}
	}
	return o
}

// showsColors reports whether w is a terminal whose user wants colours: see https://no-color.org.
func showsColors(w io.Writer) bool {
	file, ok := w.(*os.File)
	return ok && term.IsTerminal(int(file.Fd())) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}

// object prints one line of JSON.
func (o *output) object(v any) error {
	return encoderOf(o.Writer).Encode(v)
}

func encoderOf(w io.Writer) *json.Encoder {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	return encoder
}

// good and bad return a verdict in its colour.
func (o *output) good(text string) string { return o.paint(color.FgGreen, text) }
func (o *output) bad(text string) string  { return o.paint(color.FgRed, text) }

func (o *output) verdict(good bool, text string) string {
	if good {
		return o.good(text)
	}
	return o.bad(text)
}

func (o *output) paint(attribute color.Attribute, text string) string {
	if !o.colored {
		return text
	}
	c := color.New(attribute)
	c.EnableColor()
	return c.Sprint(text)
}

// unwritten reports whether err is that of a file, such as standard output, that cannot be written.
func unwritten(err error) bool {
	var failed *fs.PathError
	return errors.As(err, &failed) && failed.Op == "write"
}

// fold breaks text into lines of at most width runes, between words; a longer word gets a line of its own. A
// width of 0 or less is without end.
func fold(text string, width int) (lines []string) {
	line := ""
	for word := range strings.FieldsSeq(text) {
		switch {
		case line == "":
			line = word
		case width > 0 && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > width:
			lines = append(lines, line)
			line = word
		default:
			line += " " + word
		}
	}
	return append(lines, line)
}

// clean returns text from elsewhere with everything escaped that a terminal could take for an order.
func clean(text string) string {
	if strings.IndexFunc(text, isUnprintable) < 0 {
		return text
	}
	var b strings.Builder
	for i, r := range text {
		switch {
		case r == unicode.ReplacementChar && !strings.HasPrefix(text[i:], string(r)): // a byte that is no UTF-8
			fmt.Fprintf(&b, `\x%02x`, text[i])
		case isUnprintable(r):
			b.WriteString(strings.Trim(strconv.QuoteRune(r), "'"))
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

func isUnprintable(r rune) bool { return r == unicode.ReplacementChar || !unicode.IsPrint(r) }

// quote is clean for a name in a column: one with spaces, or anything else that needs it, is quoted.
func quote(name string) string {
	if isPlain(name) {
		return name
	}
	if name == "" || strings.ContainsFunc(name, func(r rune) bool { return isUnprintable(r) || strings.ContainsRune(` "'\`, r) }) {
		return strconv.Quote(name)
	}
	return name
}

// isPlain reports whether a name is one of ASCII that needs no quotes, as nearly all are.
func isPlain(name string) bool {
	for i := range len(name) {
		if c := name[i]; c <= ' ' || c > '~' || c == '"' || c == '\'' || c == '\\' {
			return false
		}
	}
	return name != ""
}
