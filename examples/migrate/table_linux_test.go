package migrate_test

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/udsgrpc/udsgrpc/internal/testproc"
)

var update = flag.Bool("update", false, "write what was measured into docs/migrate")

const (
	tableBegins = "<!-- measured by examples/migrate; go test -update writes it -->\n"
	tableEnds   = "<!-- end of what was measured -->\n"
)

// Every line of the tables in docs/migrate is what these versions do here and now.
func TestTheDocumentsSayWhatWasMeasured(t *testing.T) {
	ours := measureAll(t, udsgrpcPeer)
	for _, p := range peers[1:] {
		t.Run(p.name, func(t *testing.T) {
			compareTable(t, p.name, table(t, p, measureAll(t, p), ours))
		})
	}
}

func measureAll(t *testing.T, p peer) facts {
	var f facts
	for _, measure := range []func(*testing.T, peer, *facts){deadline, cancelled, panics, limits, shutdown, reconnects, socketFile} {
		measure(t, p, &f)
	}
	return f
}

func table(t *testing.T, p peer, theirs, ours facts) string {
	var b strings.Builder
	fmt.Fprintf(&b, "| | %s %s | udsgrpc |\n| --- | --- | --- |\n", p.name, version(t, p.module))
	cells := map[string]string{}
	for i, row := range ours.rows {
		cells[row] = ours.cells[i]
	}
	for i, row := range theirs.rows {
		fmt.Fprintf(&b, "| %s | %s | %s |\n", row, theirs.cells[i], cells[row])
	}
	return b.String()
}

// compareTable compares the table in a document with what was measured, or writes it.
func compareTable(t *testing.T, name, measured string) {
	t.Helper()
	path := filepath.Join("..", "..", "docs", "migrate", name+".md")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, begins := strings.Cut(string(text), tableBegins)
	documented, after, ends := strings.Cut(rest, tableEnds)
	switch {
	case !begins || !ends:
		t.Errorf("%s has no place for the table: a line %q and a line %q", path, strings.TrimSpace(tableBegins), strings.TrimSpace(tableEnds))
	case *update:
		if err := os.WriteFile(path, []byte(before+tableBegins+measured+tableEnds+after), 0o644); err != nil {
			t.Error(err)
		}
	case strings.TrimSpace(documented) != strings.TrimSpace(measured):
		t.Errorf("%s says\n%s\nand measured was\n%s", path, documented, measured)
	}
}

// version is that of a module which go.mod requires.
func version(t *testing.T, module string) string {
	t.Helper()
	return strings.TrimSpace(testproc.Run(t, exec.Command("go", "list", "-m", "-f", "{{.Version}}", module)))
}
