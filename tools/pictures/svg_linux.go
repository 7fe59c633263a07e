package main

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"image/color"
	"regexp"
	"strings"

	uv "github.com/charmbracelet/ultraviolet"
	"github.com/charmbracelet/x/ansi"
	"github.com/charmbracelet/x/vt"
)

// Sizes in pixels. Most monospaced fonts are 0.6 as wide as they are high; what another font has is stretched.
const (
	fontSize   = 13
	cellWidth  = 7.8
	cellHeight = 18
	margin     = 14
)

const (
	background = "#0d1117"
	foreground = "#e6edf3"
)

// palette has the 16 colours that programs name by number, readable on the background.
var palette = [16]string{
	"#484f58", "#ff7b72", "#3fb950", "#d29922", "#58a6ff", "#bc8cff", "#39c5cf", "#b1bac4",
	"#6e7681", "#ffa198", "#56d364", "#e3b341", "#79c0ff", "#d2a8ff", "#56d4dd", "#f0f6fc",
}

// svg draws the screen, down to the last line with text.
func svg(screen *vt.Emulator, columns, rows int) []byte {
	lines := strings.Split(strings.TrimRight(screen.String(), " \n\r"), "\n")
	rows = min(rows, len(lines))
	width, height := float64(columns)*cellWidth+2*margin, rows*cellHeight+2*margin
	var b bytes.Buffer
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %.0f %d" width="%.0f" height="%d" role="img">`+"\n", width, height, width, height)
	b.WriteString("<title>")
	xml.EscapeText(&b, []byte(strings.TrimSpace(lines[0])))
	b.WriteString("</title>\n")
	fmt.Fprintf(&b, `<rect width="100%%" height="100%%" rx="8" fill="%s"/>`+"\n", background)
	fmt.Fprintf(&b, `<g font-family="ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace" font-size="%d" fill="%s" xml:space="preserve">`+"\n", fontSize, foreground)
	for y := range rows {
		for x := 0; x < columns; {
			x = drawRun(&b, screen, columns, x, y)
		}
	}
	b.WriteString("</g>\n</svg>\n")
	return b.Bytes()
}

// drawRun draws the cells from x on that look the same, and returns where the next begin.
func drawRun(b *bytes.Buffer, screen *vt.Emulator, columns, x, y int) (next int) {
	style := styleAt(screen, x, y)
	var text strings.Builder
	for next = x; next < columns && styleAt(screen, next, y) == style; {
		cell := screen.CellAt(next, y)
		if cell == nil || cell.Content == "" {
			text.WriteByte(' ')
			next++
			continue
		}
		text.WriteString(cell.Content)
		next += max(cell.Width, 1)
	}
	left, top := margin+float64(x)*cellWidth, margin+y*cellHeight
	if style.bg != "" {
		fmt.Fprintf(b, `<rect x="%.1f" y="%d" width="%.1f" height="%d" fill="%s"/>`+"\n", left, top, float64(next-x)*cellWidth, cellHeight, style.bg)
	}
	// Each column of a table is placed by itself, wherever the font has the one before end.
	for _, at := range column.FindAllStringIndex(text.String(), -1) {
		before, content := text.String()[:at[0]], text.String()[at[0]:at[1]]
		fmt.Fprintf(b, `<text x="%.1f" y="%.1f" textLength="%.1f" lengthAdjust="spacingAndGlyphs"%s>`,
			left+float64(ansi.StringWidth(before))*cellWidth, float64(top)+0.72*cellHeight, float64(ansi.StringWidth(content))*cellWidth, style.attributes)
		xml.EscapeText(b, []byte(content))
		b.WriteString("</text>\n")
	}
	return next
}

// column is text without two spaces after one another.
var column = regexp.MustCompile(`[^ ]+( [^ ]+)*`)

// look is how a cell looks.
type look struct{ bg, attributes string }

func styleAt(screen *vt.Emulator, x, y int) look {
	cell := screen.CellAt(x, y)
	if cell == nil {
		return look{}
	}
	fg, bg := hex(cell.Style.Fg), hex(cell.Style.Bg)
	if cell.Style.Attrs&uv.AttrReverse != 0 {
		if fg == "" {
			fg = foreground
		}
		if bg == "" {
			bg = background
		}
		fg, bg = bg, fg
	}
	var attributes string
	if fg != "" {
		attributes += fmt.Sprintf(` fill="%s"`, fg)
	}
	if cell.Style.Attrs&uv.AttrBold != 0 {
		attributes += ` font-weight="bold"`
	}
	if cell.Style.Attrs&uv.AttrFaint != 0 {
		attributes += ` opacity="0.6"`
	}
	return look{bg, attributes}
}

// hex returns a colour, or "" for none.
func hex(c color.Color) string {
	switch c := c.(type) {
	case nil:
		return ""
	case ansi.BasicColor:
		return palette[c]
	case ansi.IndexedColor:
		if int(c) < len(palette) {
			return palette[c]
		}
	}
	r, g, b, _ := c.RGBA()
	return fmt.Sprintf("#%02x%02x%02x", r>>8, g>>8, b>>8)
}
