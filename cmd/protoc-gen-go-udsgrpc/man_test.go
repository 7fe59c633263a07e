package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/udsgrpc/udsgrpc/internal/testproc"
)

// A release has a manual page, which is made of what --help prints: go test . -run TestManual -man DIR
var manDir = flag.String("man", "", "where to leave the manual page, with the date in $SOURCE_DATE_EPOCH")

func TestManualSaysWhatHelpSays(t *testing.T) {
	dir := *manDir
	if dir == "" {
		dir = t.TempDir()
	}
	path := filepath.Join(dir, name+".1")
	if err := os.WriteFile(path, []byte(manual()), 0o644); err != nil {
		t.Fatal(err)
	}
	mandoc := testproc.Tool(t, "mandoc", "mandoc")
	if out := testproc.Run(t, exec.CommandContext(t.Context(), mandoc, "-T", "lint", "-W", "warning", path)); out != "" {
		t.Error(out)
	}
	page := testproc.Run(t, exec.CommandContext(t.Context(), mandoc, "-T", "ascii", "-O", "width=200", path))
	shown := map[string]bool{}
	for word := range strings.FieldsSeq(overstruck.ReplaceAllString(page, "")) {
		shown[word] = true
	}
	for word := range strings.FieldsSeq(usage) {
		if !shown[word] && !shown[strings.TrimSuffix(word, ":")] {
			t.Errorf("the page lacks the word %q:\n%s", word, page)
		}
	}
}

// overstruck is what a letter in bold begins with: it is printed twice.
var overstruck = regexp.MustCompile(".\x08")

// manual returns the usage as a page for man: what is indented is shown as it is, and a line with a colon at its
// end that stands before that is a heading.
func manual() string {
	var date time.Time
	if seconds, err := strconv.ParseInt(os.Getenv("SOURCE_DATE_EPOCH"), 10, 64); err == nil {
		date = time.Unix(seconds, 0).UTC()
	}
	what, _, _ := strings.Cut(strings.TrimPrefix(usage, name+" is "), ":")
	var page strings.Builder
	fmt.Fprintf(&page, ".TH %s 1 %s udsgrpc \"User Commands\"\n.SH NAME\n%s \\- %s\n.SH DESCRIPTION\n",
		strings.ToUpper(name), date.Format(time.DateOnly), name, strings.Join(strings.Fields(what), " "))
	afterHeading := true
	for paragraph := range strings.SplitSeq(strings.TrimSpace(usage), "\n\n") {
		text := strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(paragraph)
		heading, isHeading := strings.CutSuffix(text, ":")
		if !isHeading && !afterHeading {
			page.WriteString(".PP\n")
		}
		switch afterHeading = isHeading; {
		case isHeading:
			fmt.Fprintf(&page, ".SS %s\n", heading)
		case strings.HasPrefix(text, " "):
			fmt.Fprintf(&page, ".nf\n%s\n.fi\n", text)
		default:
			fmt.Fprintf(&page, "%s\n", text)
		}
	}
	return page.String()
}
