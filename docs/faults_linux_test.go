package docs_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Each of these documents has one fault, which must be found where it is.
func TestFaultIsFound(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, source, want string }{
		{"command fails", "```sh\nfalse\n```\n", "doc.md:1: exit status 1\n(status 1: false)"},
		{"command in the middle fails", "```sh\ntrue\nfalse\ntrue\n```\n", "doc.md:1: exit status 1"},
		{"command of a later block fails", "```sh\ntrue\n```\n\ntext\n\n```sh\nls /nowhere\n```\n", "doc.md:7: exit status 2\nls: cannot access '/nowhere'"},
		{"command in a pipe fails", "```sh\nfalse | cat\n```\n", "doc.md:1: exit status 1"},
		{"unknown program", "```sh\nno-such-program\n```\n", "no-such-program: command not found"},
		{"unset variable", "```sh\necho $nobody\n```\n", "nobody: unbound variable"},
		{"syntax", "```sh\nif true\n```\n", "syntax error"},
		{"block in a list", "- item\n\n  ```sh\n  false\n  ```\n", "doc.md:3: exit status 1"},
		{"shell ends", "```sh\nexit 0\n```\n", "doc.md:1: the script ends the shell"},
		{"background process fails", "```sh\n(exit 3) &\n```\n\n```sh\nwhile kill -0 $! 2>/dev/null; do :; done\n```\n", "doc.md:1: a process in the background ended with status 3"},
		{"write outside of the sandbox", "```sh\ntouch /usr/bin/new\n```\n", "Read-only file system"},

		{"success instead of a failure", "```sh exit=3\ntrue\n```\n", "doc.md:1: exit status 0, want 3"},
		{"another failure", "```sh exit=3\nfalse\n```\n", "doc.md:1: exit status 1, want 3"},
		{"several commands, one of which may fail", "```sh exit=1\nfalse\ntrue\n```\n", "doc.md:1: a block with exit= is a single command"},
		{"status of no failure", "```sh exit=0\ntrue\n```\n", "doc.md:1: exit=0 is not the status of a failure"},

		{"syntax of what is not run", "```sh norun=\"needs a cluster\"\nif true\n```\n", "doc.md:1: exit status"},
		{"no reason not to run", "```sh norun\ntrue\n```\n", "norun needs a value"},

		{"other output", "```sh\necho one\n```\n\n```text output\ntwo\n```\n", "doc.md:5: the document shows\ntwo\n\nbut the output is\none\n"},
		{"less output than shown", "```sh\necho one\n```\n\n```text output\none\ntwo\n```\n", "doc.md:5: the document shows"},
		{"more output than shown", "```sh\necho one; echo two >&2\n```\n\n```text output\none\n```\n", "doc.md:5: the document shows"},
		{"output of an earlier block", "```sh\necho one\n```\n\n```sh\ntrue\n```\n\n```text output\none\n```\n", "doc.md:9: the document shows"},
		{"output of nothing", "```text output\none\n```\n", "doc.md:1: output of nothing"},
		{"output of what is not run", "```sh norun=\"needs a cluster\"\ntrue\n```\n\n```text output\none\n```\n", "doc.md:5: output of a block that is not run"},

		{"unknown kind", "```go\nfunc main() {}\n```\n", "doc.md:1: \"go\": nothing says how to check this block"},
		{"no kind", "text\n\n```\ntext\n```\n", "doc.md:3: \"\": nothing says how to check this block"},
		{"unknown attribute", "```sh nerun=\"oh\"\nfalse\n```\n", "doc.md:1: \"sh nerun=\\\"oh\\\"\": a block of the kind sh has no nerun"},
		{"attribute of another kind", "```go from=main.go exit=1\nfunc main() {\n```\n", "a block of the kind from has no exit"},
		{"attribute twice", "```sh exit=1 exit=2\nfalse\n```\n", "exit is given twice"},
		{"info string that is not understood", "```sh exit = 1\nfalse\n```\n", "cannot read \"= 1\""},
		{"value of a plain word", "```text output=one\none\n```\n", "output takes no value"},
		{"empty block", "```sh\n```\n", "doc.md:1: the block is empty"},
		{"indented block", "text\n\n    go build\n", "doc.md:3: code that is indented"},
		{"block in HTML", "<pre>\nfalse\n</pre>\n", "doc.md:1: code in HTML"},
		{"block in a comment", "<!--\n```sh\nfalse\n```\n-->\n", "doc.md: 2 lines look like fences, but there are 0 blocks"},
		{"block that is not closed", "```sh\ntrue\n", "doc.md: 1 lines look like fences, but there are 1 blocks"},

		{"changed excerpt", "```go from=main.go\nfunc main() {\n\tprintln(2)\n```\n", "doc.md:1: not an excerpt of main.go: it has no line \"println(2)\""},
		{"excerpt in another order", "```go from=main.go\n}\nfunc main() {\n```\n", "not an excerpt of main.go: it has all the lines, but not in this order"},
		{"excerpt with a line left out", "```go from=main.go\nfunc main() {\n}\n```\n", "not an excerpt of main.go: it has all the lines"},
		{"excerpt with another indentation", "```go from=main.go\nfunc main() {\nprintln(1)\n```\n", "not an excerpt of main.go: it has all the lines"},
		{"excerpt of nothing", "```go from=main.go\n...\n```\n", "not an excerpt of main.go: it has no line"},
		{"excerpt of no file", "```go from=other.go\nfunc main() {\n```\n", "doc.md:1: from=other.go: open"},
		{"excerpt of a file elsewhere", "```go from=../main.go\nfunc main() {\n```\n", "from=../main.go is no path of a file below the root"},
		{"changed signature", "```go signatures=main.go\nfunc main(int)\n```\n", "doc.md:1: main.go declares no \"func main(int)\""},
		{"test that does not read the document", "```text test=main_test.go\ntext\n```\n", "doc.md:1: main_test.go is no test that reads doc.md"},

		{"unknown target of make", "```sh\nmake all    # of it\n```\n", "No rule to make target 'all'"},
		{"other document does not exist", "<!-- continues other.md -->\n\n```sh\ntrue\n```\n", "doc.md continues: open"},
		{"other document has no such section", "<!-- continues README.md#more -->\n\n```sh\ntrue\n```\n", "doc.md continues README.md#more, which has nothing to run"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			checkFails(t, c.source, c.want)
		})
	}
}

func TestCorrectDocumentPasses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, source string }{
		{"blocks share a shell", "```sh\ncd /run\nexport a=b\n```\n\n```sh\necho $PWD $a\n```\n\n```text output\n/run b\n```\n"},
		{"file", "```go file=a/b.txt\n'it'\n```\n\n```sh\ncat a/b.txt\n```\n\n```text output\n'it'\n```\n"},
		{"failure that is meant", "```sh exit=2\nls \\\n  /nowhere\n```\n\n```text output\nls: …: No such file or directory\n```\n"},
		{"output with gaps", "```sh\nseq 9\n```\n\n```text output\n1\n...\n8\n9\n```\n"},
		{"output of a background process, which comes later", "```sh\nmkfifo f && cat f &\n```\n\n```sh\nuntil test -p f; do :; done; (echo one > f) &\n```\n\n```text output\none\n```\n"},
		{"background process that the document ends", "```sh\ncat <(sleep 100) &\n```\n\n```sh\nkill $!\n```\n"},
		{"checkout", "```sh at=sub\ncat README.md\ncd ..\ncat main.go > /tmp/copy\n```\n\n```sh\npwd\n```\n\n```text output\n…/work\n```\n"},
		{"home is empty", "```sh\nls ~ /tmp /run\n```\n\n```text output\n...\n```\n"},
		{"not run", "```sh norun=\"needs a cluster\"\nfalse\n```\n"},
		{"excerpts", "```go from=main.go\nfunc main() {\n// ...\n}\n```\n\n```go from=main.go\nprintln(1)\n```\n\n```go signatures=main.go\nfunc main()\n```\n"},
		{"read by another test", "```text test=doc_test.go\ntext\n```\n"},
		{"targets of make", "```sh\nmake demo\nmake test   # takes long\n```\n\n```text output\nthe demo\nexit 1\n```\n"},
		{"continued", "<!-- continues README.md#five-minutes -->\n\n```sh\necho $from\n```\n\n```text output\nREADME\n```\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			checkPasses(t, c.source)
		})
	}
}

// The module proxy of a sandbox has the working tree, and the cache has nothing of it afterwards.
func TestLatestVersionIsTheWorkingTree(t *testing.T) {
	t.Parallel()
	checkPasses(t, "```sh\n"+
		"go mod init example.com/hello\n"+
		"go get github.com/udsgrpc/repository@latest\n"+
		"go install github.com/udsgrpc/repository@latest\n"+
		"repository\n"+
		"```\n\n"+
		"```text output\n"+
		"...\n"+
		"go: added github.com/udsgrpc/repository v0.1.0-docs.h…\n"+
		"1\n"+
		"```\n")

	cache, err := exec.CommandContext(t.Context(), "go", "env", "GOMODCACHE").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"github.com/udsgrpc", "cache/download/github.com/udsgrpc"} {
		left, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(cache)), dir, "repository*"))
		if err != nil || len(left) > 0 {
			t.Errorf("left in the module cache: %q, %v", left, err)
		}
	}
}

func TestSandboxOfRoot(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root can install things, if only in a sandbox, and be served by systemd as a manager")
	}
	for _, c := range []struct{ name, source, fails string }{
		{"installed", "```ini file=/etc/x/y\n[Z]\n```\n\n```sh\ncp /etc/x/y /usr/local/bin/ && ls /usr/local/bin/y\n```\n", ""},
		{"systemd", "<!-- systemd -->\n\n```ini file=/etc/systemd/system/x.service\n[Service]\nType=oneshot\nExecStart=/bin/sh -c 'echo one > /run/x; echo $PPID >> /run/x'\n```\n\n```sh\nsystemctl start x\ncat /run/x\n```\n\n```text output\none\n1\n```\n", ""},
		{"change of the kernel's settings", "```sh\necho 512 > /proc/sys/net/unix/max_dgram_qlen\n```\n", "Read-only file system"},
		{"unit that fails", "<!-- systemd -->\n\n```ini file=/etc/systemd/system/x.service\n[Service]\nType=oneshot\nExecStart=/bin/false\n```\n\n```sh\nsystemctl start x\n```\n", "Job for x.service failed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if c.fails != "" {
				checkFails(t, c.source, c.fails)
			} else {
				checkPasses(t, c.source)
			}
		})
	}
}

func TestBlockThatHangsIsNamed(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ block, want string }{
		{"```sh\necho out\n\nsleep 1000 &\nsleep 2000\n```\n", "(line 4: sleep 2000)\nout\n"},
		{"```sh exit=1\nsleep 1000\n```\n", "(line 1: sleep 1000)\n"},
	} {
		_, err := checkWithin(t, 300*time.Millisecond, "text\n\n"+c.block)
		for _, want := range []string{"doc.md:3: it does not end; ", c.want} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("the check of\n%s\nsays %q, want %q", c.block, err, want)
			}
		}
	}
}

func TestControlGroupOfASandboxIsRemoved(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root can make a control group anywhere")
	}
	g, err := newCgroup()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(g.path, "a.slice", "b.service"), 0o755); err != nil {
		t.Error(err)
	}
	if err := g.remove(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(g.path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s should be gone: %v", g.path, err)
	}
}

func TestMissingProgramSkipsOnlyItsBlock(t *testing.T) {
	source := "```sh\necho before\n```\n\n```sh needs=bash,no-such-program\nfalse\n```\n\n```text output\nanything\n```\n\n```sh\n%s\n```\n"
	t.Setenv("UDSGRPC_CI", "")
	skipped, err := check(t, strings.ReplaceAll(source, "%s", "true"))
	if err != nil || len(skipped) != 1 || !strings.Contains(skipped[0], "doc.md:5 needs no-such-program") {
		t.Errorf("%v, skipped: %q, want one block", err, skipped)
	}
	if _, err := check(t, strings.ReplaceAll(source, "%s", "false")); err == nil || !strings.Contains(err.Error(), "doc.md:13: exit status 1") {
		t.Errorf("the failure after a block that is skipped is not found: %v", err)
	}
	t.Setenv("UDSGRPC_CI", "1")
	if _, err := check(t, source); err == nil || !strings.Contains(err.Error(), "doc.md:5: UDSGRPC_CI is set, and the block needs no-such-program: not installed") {
		t.Errorf("a missing program should fail: %v", err)
	}
}

func checkFails(t *testing.T, source, want string) {
	t.Helper()
	if _, err := check(t, source); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("the check of\n%s\nsays %q, want %q", source, err, want)
	}
}

func checkPasses(t *testing.T, source string) {
	t.Helper()
	if skipped, err := check(t, source); err != nil || len(skipped) > 0 {
		t.Errorf("%v, skipped: %q", err, skipped)
	}
}

// check checks a document of a small repository.
func check(t *testing.T, source string) (skipped []string, err error) {
	t.Helper()
	return checkWithin(t, time.Minute, source)
}

func checkWithin(t *testing.T, limit time.Duration, source string) (skipped []string, err error) {
	t.Helper()
	root := t.TempDir()
	if err := os.CopyFS(root, os.DirFS("testdata/repository")); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(root, "go.mod.txt"), filepath.Join(root, "go.mod")); err != nil {
		t.Fatal(err)
	}
	c := &checker{root: root, log: t.Logf, limit: limit}
	skipped, err = c.check(patient(t), "doc.md", []byte(source))
	if errors.Is(err, errNoSandbox) && os.Getenv("UDSGRPC_CI") != "1" {
		t.Skip(err)
	}
	return skipped, err
}
