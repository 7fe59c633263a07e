package main

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/creack/pty"

	"github.com/udsgrpc/udsgrpc/internal/testproc"
)

func TestTableFitsTheTerminal(t *testing.T) {
	t.Parallel()
	dir := socketDir(t)
	serve(t, filepath.Join(dir, "a.sock"))
	leaveFile(t, filepath.Join(dir, "b.sock"))
	const columns = 120
	cmd := testproc.Command(t, "udsgrpc", "ls", dir)
	cmd.Env = append(cmd.Env, "NO_COLOR=1")
	terminal, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 24, Cols: columns})
	if err != nil {
		t.Fatal(err)
	}
	defer terminal.Close()
	said, _ := io.ReadAll(terminal) // ends with EIO when the process does
	if err := cmd.Wait(); err != nil {
		t.Errorf("%v: %q", err, said)
	}
	for line := range strings.Lines(string(said)) {
		if line = strings.TrimRight(line, "\r\n"); len(line) > columns {
			t.Errorf("%d columns: %q", len(line), line)
		}
	}
	if words := strings.Join(strings.Fields(string(said)), " "); !strings.Contains(words, "the server has died or is just starting") {
		t.Errorf("it says %s", said)
	}
	if text := call(t, "ls", dir).stdout; strings.Count(text, "\n") != 3 {
		t.Errorf("where there is no terminal it says %s", text)
	}
}

func TestResultsThatCannotBeWrittenAreNoWrongUse(t *testing.T) {
	t.Parallel()
	path := greeters(t)["direct"]
	for _, args := range [][]string{
		{"ls", filepath.Dir(path)}, {"doctor", path}, {"health", path}, {"health", "--json", path}, {"completion", "bash"},
		{"call", path, "greeter.v1.Greeter/Greet"}, {"call", "--json", path, "greeter.v1.Greeter/Greet"},
	} {
		full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer full.Close()
		var stderr strings.Builder
		status := run(t.Context(), args, nil, full, &stderr)
		want := "udsgrpc " + args[0] + ": write /dev/full: no space left on device\n"
		if status != statusFile || stderr.String() != want {
			t.Errorf("%q: the status is %d, and it says %q", args, status, stderr.String())
		}
	}
}

func TestColorsAreForTerminalsWhoseUsersWantThem(t *testing.T) {
	t.Parallel()
	path := filepath.Join(socketDir(t), "a.sock")
	serve(t, path)
	for name, c := range map[string]struct {
		env     []string
		colored bool
	}{
		"terminal":      {[]string{"TERM=xterm", "NO_COLOR="}, true},
		"NO_COLOR":      {[]string{"TERM=xterm", "NO_COLOR=1"}, false},
		"dumb terminal": {[]string{"TERM=dumb", "NO_COLOR="}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cmd := testproc.Command(t, "udsgrpc", "doctor", path)
			cmd.Env = append(cmd.Env, c.env...)
			terminal, err := pty.Start(cmd)
			if err != nil {
				t.Fatal(err)
			}
			defer terminal.Close()
			said, _ := io.ReadAll(terminal) // ends with EIO when the process does
			if err := cmd.Wait(); err != nil {
				t.Errorf("%v: %q", err, said)
			}
			colored := bytes.Contains(said, []byte("\x1b[32mready\x1b["))
			if colored != c.colored || !bytes.Contains(said, []byte("ready")) {
				t.Errorf("it says %q", said)
			}
		})
	}
	if r := call(t, "doctor", path); strings.Contains(r.stdout, "\x1b") || !strings.Contains(r.stdout, "ready") {
		t.Errorf("where there is no terminal it says %q", r.stdout)
	}
}
