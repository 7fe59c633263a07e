// Package progress shows how far a long run is.
package progress

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

// Bar is a progress bar on a terminal, and plain lines elsewhere.
type Bar struct {
	w        io.Writer
	terminal bool
	begin    time.Time
	said     int // the part, in steps, of which a plain line has told
}

const (
	width = 30
	steps = 20 // plain lines in a whole run
)

// New returns a bar that is drawn on f.
func New(f *os.File) *Bar {
	info, err := f.Stat()
	return &Bar{w: f, terminal: err == nil && info.Mode()&os.ModeCharDevice != 0, begin: time.Now(), said: -1}
}

// Show shows that done of all is done, and what comes next.
func (b *Bar) Show(done, all int, what string) {
	elapsed := time.Since(b.begin)
	line := fmt.Sprintf("%3d%%  elapsed %s, remaining %s  %s", percent(done, all), clock(elapsed), remaining(elapsed, done, all), what)
	if b.terminal {
		full := width * done / max(all, 1)
		fmt.Fprintf(b.w, "\r\x1b[K[%s%s] %s", strings.Repeat("#", full), strings.Repeat(".", width-full), line)
		if done == all {
			fmt.Fprintln(b.w)
		}
		return
	}
	if step := steps * done / max(all, 1); step > b.said {
		b.said = step
		fmt.Fprintln(b.w, line)
	}
}

func percent(done, all int) int { return 100 * done / max(all, 1) }

func remaining(elapsed time.Duration, done, all int) string {
	if done == 0 {
		return "?"
	}
	return clock(elapsed / time.Duration(done) * time.Duration(all-done))
}

func clock(d time.Duration) string {
	s := int(d.Round(time.Second).Seconds())
	return fmt.Sprintf("%d:%02d", s/60, s%60)
}
