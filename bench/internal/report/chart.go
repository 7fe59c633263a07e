package report

import (
	"bytes"
	"fmt"
	"image/color"
	"io"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"

	"github.com/udsgrpc/udsgrpc/bench/internal/result"
)

// tile is one small chart: a metric, with a bar for each peer. Where the limit is so far off that
// the rest would be a line on the ground, it is left out.
type tile struct {
	metric, title string
	unlimited     bool
}

// tiles returns the charts that say most, in rows of three.
func tiles() [][]tile {
	return [][]tile{
		{
			{"unary/p50", "Unary 64 B: p50, µs", false},
			{"unary-deadline/p50", "With a deadline: p50, µs", false},
			{"ping-pong/p50", "Ping-pong 64 B: p50, µs", false},
		},
		{
			{"unary/cpu", "CPU of both ends, µs/call", false},
			{"unary-64-callers", "64 callers, calls/s", false},
			{"unary-1MiB", "Echo of 1 MiB, MiB/s", true},
		},
		{
			{"server-stream", "Server stream, messages/s", true},
			{"client-stream", "Client stream, messages/s", true},
			{"idle/heap", "Server, KiB per idle client", false},
		},
	}
}

// SVG draws the most important metrics.
func SVG(w io.Writer, set *result.Set) error {
	var plots [][]*plot.Plot
	for _, row := range tiles() {
		var drawn []*plot.Plot
		for _, t := range row {
			p, err := t.plot(set)
			if err != nil {
				return fmt.Errorf("draw %s: %w", t.metric, err)
			}
			drawn = append(drawn, p)
		}
		plots = append(plots, drawn)
	}
	canvas := vgsvg.New(32*vg.Centimeter, 26*vg.Centimeter)
	page := draw.New(canvas)
	layout := draw.Tiles{
		Rows: len(plots), Cols: len(plots[0]),
		PadX: 8 * vg.Millimeter, PadY: 8 * vg.Millimeter,
		PadTop: 4 * vg.Millimeter, PadBottom: 4 * vg.Millimeter, PadLeft: 4 * vg.Millimeter, PadRight: 4 * vg.Millimeter,
	}
	page.SetColor(color.White) // SVG is transparent, and unreadable on a dark page
	page.Fill(page.Rectangle.Path())
	for i, row := range plot.Align(plots, layout, page) {
		for j, c := range row {
			plots[i][j].Draw(c)
		}
	}
	var svg bytes.Buffer
	if _, err := canvas.WriteTo(&svg); err != nil {
		return err
	}
	// What draws the picture may have another font than the one that it was laid out with.
	_, err := w.Write(bytes.ReplaceAll(svg.Bytes(),
		[]byte("font-family:Liberation Sans"), []byte("font-family:'Liberation Sans',Arial,Helvetica,sans-serif")))
	return err
}

func (t tile) plot(set *result.Set) (*plot.Plot, error) {
	p := plot.New()
	p.Title.Text = t.title + " (less is better)"
	if set.MoreIsBetter(t.metric) {
		p.Title.Text = t.title + " (more is better)"
	}
	for _, style := range []*draw.TextStyle{&p.Title.TextStyle, &p.X.Tick.Label, &p.Y.Tick.Label} {
		style.Font.Variant = "Sans"
	}
	p.Title.Padding = 3 * vg.Millimeter
	p.Y.Min = 0
	p.Y.Tick.Marker = ticks{}
	var names []string
	for _, peer := range set.Peers {
		if t.unlimited && peer.Name == limit {
			continue
		}
		s, _ := set.Value(t.metric, peer.Name) // no bar if there is none
		bars, err := plotter.NewBarChart(plotter.Values{s.Median}, 7*vg.Millimeter)
		if err != nil {
			return nil, err
		}
		bars.LineStyle.Width = 0
		bars.Color = barColor(peer.Name)
		bars.XMin = float64(len(names))
		names = append(names, peer.Name)
		p.Add(bars)
	}
	if len(names) > 0 {
		p.NominalX(names...)
	}
	p.Y.Max *= 1.03 // the longest bar does not touch the next title
	p.X.Tick.Label.Rotation = 0.6
	p.X.Tick.Label.XAlign = draw.XRight
	p.X.Tick.Label.YAlign = draw.YTop
	return p, nil
}

// barColor lets this project and the limit stand out.
func barColor(peer string) color.Color {
	switch peer {
	case "udsgrpc":
		return color.RGBA{R: 0x1a, G: 0x73, B: 0xb8, A: 0xff}
	case "udsgrpc-http2":
		return color.RGBA{R: 0x8a, G: 0xbd, B: 0xe0, A: 0xff}
	case "raw":
		return color.RGBA{R: 0xd9, G: 0xd9, B: 0xd9, A: 0xff}
	}
	return color.RGBA{R: 0x8c, G: 0x8c, B: 0x8c, A: 0xff}
}

// ticks groups the digits of the numbers of an axis.
type ticks struct{}

func (ticks) Ticks(low, high float64) []plot.Tick {
	marks := plot.DefaultTicks{}.Ticks(low, high)
	for i, m := range marks {
		if !m.IsMinor() {
			marks[i].Label = grouped(m.Value)
		}
	}
	return marks
}
