package interop

import (
	_ "embed"
	"os"
	"os/exec"
	"strings"
	"text/template"
)

//go:embed interop.md.tmpl
var reportTemplate string

// reportSection is one table of the report.
type reportSection struct {
	Title string
	Rows  []reportRow
}

type reportRow struct{ Name, Version, Outcome, Remark string }

// writeReport writes what was found, whatever it was, to a file for readers.
func writeReport(path string, sections []section, results [][]result) error {
	t, err := template.New("interop").Parse(reportTemplate)
	if err != nil {
		return err
	}
	report := struct {
		System   string
		Sections []reportSection
	}{System: system()}
	for i, s := range sections {
		out := reportSection{Title: s.title}
		for j, r := range s.rows {
			got := results[i][j]
			out.Rows = append(out.Rows, reportRow{r.name, cellText(got.version), cellText(got.outcome), cellText(got.remark)})
		}
		report.Sections = append(report.Sections, out)
	}
	var text strings.Builder
	if err := t.Execute(&text, report); err != nil {
		return err
	}
	return os.WriteFile(path, []byte(text.String()), 0o644)
}

// cellText keeps what a program has said from breaking the table.
func cellText(s string) string {
	return strings.ReplaceAll(strings.Join(strings.Fields(s), " "), "|", `\|`)
}

// system says what all of it ran on.
func system() string {
	name := "an unknown system"
	release, err := os.ReadFile("/etc/os-release")
	if err == nil {
		for line := range strings.Lines(string(release)) {
			if pretty, ok := strings.CutPrefix(line, "PRETTY_NAME="); ok {
				name = strings.Trim(strings.TrimSpace(pretty), `"`)
			}
		}
	}
	kernel, err := exec.Command("uname", "-sr").Output()
	if err != nil {
		return name
	}
	version, _, _ := strings.Cut(strings.TrimSpace(string(kernel)), "-") // what follows is the builder's
	return name + ", " + version
}
