package docs_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// run is what goes on in the sandbox of a document.
type run struct {
	*checker
	shell *shell

	// Of the last block that was run:
	offset int64 // of its output
	ran    bool  // false if it was skipped, too

	background map[int]*block // by process id
	skipped    []string
}

// runBlocks runs the blocks of a document in a new sandbox, after those of before, and returns
// why some were skipped.
func (c *checker) runBlocks(ctx context.Context, d *document, before []*block) (skipped []string, err error) {
	sandbox, err := newSandbox(ctx, c.root)
	if err != nil {
		return nil, err
	}
	sandbox.Systemd = d.systemd
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	runtime.LockOSThread() // the sandbox ends with the thread that has made it
	defer runtime.UnlockOSThread()
	shell, err := startShell(ctx, sandbox)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, shell.close()) }()
	r := &run{checker: c, shell: shell, background: map[int]*block{}}
	for _, b := range append(before, d.blocks...) {
		start := time.Now()
		guard := time.AfterFunc(c.limit, cancel)
		err := r.block(ctx, b)
		guard.Stop()
		if err != nil {
			return nil, b.errorf("%w", err)
		}
		c.log("%s:%d: %s %s", b.document, b.line, b.kind, time.Since(start).Round(time.Millisecond))
	}
	return r.skipped, r.checkBackground()
}

func (r *run) block(ctx context.Context, b *block) error {
	switch b.kind {
	case file:
		return r.must(ctx, writeFile(b.attributes["file"], b.text))
	case output:
		return r.output(b.text)
	case command:
		return r.command(ctx, b)
	}
	return nil
}

func (r *run) command(ctx context.Context, b *block) (err error) {
	r.ran = false
	if _, not := b.attributes["norun"]; not {
		return r.must(ctx, "bash -n -c "+quote(b.text))
	}
	for _, program := range strings.FieldsFunc(b.attributes["needs"], func(c rune) bool { return c == ',' }) {
		if program == "root" {
			if os.Geteuid() != 0 {
				return r.skip(b, "root, for other users than one", "tested by a user")
			}
			continue
		}
		probe := "type " + quote(program) + " >/dev/null"
		if program == "protoc" { // in Debian, what it includes is a package of its own
			probe = "protoc -o /dev/null google/protobuf/descriptor.proto 2>/dev/null"
		}
		if status, err := r.shell.run(probe); err != nil {
			return err
		} else if status != 0 {
			return r.skip(b, program, "not installed")
		}
	}

	script, at := b.text, b.attributes["at"]
	if calls := makeCalls(b); calls != "" {
		script, at = calls, "."
	}
	if r.offset, err = r.shell.offset(); err != nil {
		return err
	}
	if at != "" {
		if err := r.must(ctx, "__before=$PWD; cd -- "+quote(filepath.Join(r.root, at))); err != nil {
			return err
		}
	}
	if want, ok := b.attributes["exit"]; ok {
		status, err := r.shell.run(script)
		if err != nil {
			return r.failure(ctx, err)
		}
		if strconv.Itoa(status) != want {
			return r.failure(ctx, fmt.Errorf("exit status %d, want %s", status, want))
		}
	} else if err := r.must(ctx, strict(script)); err != nil {
		return err
	}
	if at != "" {
		if err := r.must(ctx, `cd -- "$__before"`); err != nil {
			return err
		}
	}
	if pid := r.shell.background; pid != 0 && r.background[pid] == nil {
		r.background[pid] = b
	}
	r.ran = true
	return nil
}

// must runs a script that has to succeed.
func (r *run) must(ctx context.Context, script string) error {
	if status, err := r.shell.run(script); err != nil {
		return r.failure(ctx, err)
	} else if status != 0 {
		return r.failure(ctx, fmt.Errorf("exit status %d", status))
	}
	return nil
}

// failure adds to the error of a block what the block wrote.
func (r *run) failure(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		err = fmt.Errorf("it does not end; to leave a program running, start it in the background\n%s", r.shell.at)
	}
	written, readErr := r.shell.written(r.offset)
	return errors.Join(fmt.Errorf("%w\n%s", err, written), readErr)
}

// skip skips a block for what there is instead of what it needs.
func (r *run) skip(b *block, needs, instead string) error {
	reason := fmt.Sprintf("%s:%d needs %s: %s", b.document, b.line, needs, instead)
	if os.Getenv("UDSGRPC_CI") == "1" {
		return fmt.Errorf("UDSGRPC_CI is set, and the block needs %s: %s", needs, instead)
	}
	r.log("%s", reason)
	r.skipped = append(r.skipped, reason)
	return nil
}

// patience is how long a background process may take to say what a document shows.
const patience = 10 * time.Second

func (r *run) output(shown string) error {
	if !r.ran {
		return nil
	}
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); ; <-tick.C {
		written, err := r.shell.written(r.offset)
		if err != nil {
			return err
		}
		if matches(shown, written) {
			return nil
		}
		// Without a background process nothing more will come.
		if len(r.background) == 0 || time.Now().After(deadline) {
			return fmt.Errorf("the document shows\n%s\nbut the output is\n%s", shown, written)
		}
	}
}

// checkBackground finds the processes that have ended with a failure. To end one with a signal is
// up to the document.
func (r *run) checkBackground() error {
	for pid, b := range r.background {
		status, err := r.shell.run(fmt.Sprintf("kill -0 %d 2>/dev/null || wait %d", pid, pid))
		if err != nil {
			return err
		}
		if status != 0 && status < 128 {
			written, _ := r.shell.written(0)
			return b.errorf("a process in the background ended with status %d\n%s", status, written)
		}
	}
	return nil
}

var makeCall = regexp.MustCompile(`^make( +[A-Za-z0-9_=.-]+)+ *(#.*)?$`)

// makeCalls returns what is run for a block of nothing but calls of make: the demo, and of the other
// targets, which take long, what make would do.
func makeCalls(b *block) string {
	var calls strings.Builder
	for _, line := range b.lines() {
		if !makeCall.MatchString(line) {
			return ""
		}
		call, _, _ := strings.Cut(line, "#")
		if strings.TrimSpace(call) != "make demo" {
			call = strings.Replace(call, "make", "make --dry-run", 1)
		}
		calls.WriteString(call + "\n")
	}
	return calls.String()
}
