package docs_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// errNoSandbox is for a machine that cannot have one, or does not permit it.
var errNoSandbox = errors.New("no sandbox for the blocks here")

// checker checks documents of the repository at root.
type checker struct {
	root  string
	log   func(format string, args ...any)
	limit time.Duration // of a block
}

// check checks all blocks of a document, and returns why some were skipped.
func (c *checker) check(ctx context.Context, path string, source []byte) (skipped []string, err error) {
	d, err := parse(path, source)
	if err != nil {
		return nil, err
	}
	var errs []error
	toRun := false
	for i, b := range d.blocks {
		errs = append(errs, b.checkAgainst(c.root), b.checkAttributes(d.blocks[:i]))
		toRun = toRun || b.kind == command || b.kind == file
	}
	if err := errors.Join(errs...); err != nil || !toRun {
		return nil, err
	}
	before, err := c.continued(d)
	if err != nil {
		return nil, err
	}
	return c.runBlocks(ctx, d, before)
}

// checkAttributes checks what can be told without running the block.
func (b *block) checkAttributes(before []*block) error {
	switch b.kind {
	case output:
		before = slices.DeleteFunc(slices.Clone(before), func(b *block) bool { return b.kind != command })
		if len(before) == 0 {
			return b.errorf("output of nothing: there is no sh block before it")
		}
		if _, not := before[len(before)-1].attributes["norun"]; not {
			return b.errorf("output of a block that is not run")
		}
	case command:
		if status, ok := b.attributes["exit"]; ok {
			if n, err := strconv.ParseUint(status, 10, 8); err != nil || n == 0 {
				return b.errorf("exit=%s is not the status of a failure", status)
			}
			if lines := strings.ReplaceAll(b.text, "\\\n", " "); strings.Count(lines, "\n") != 1 {
				return b.errorf("a block with exit= is a single command, so that no other one can be what fails")
			}
		}
	}
	return nil
}

// continued returns the blocks of another document that this one continues.
func (c *checker) continued(d *document) ([]*block, error) {
	if d.continues == "" {
		return nil, nil
	}
	path, section, _ := strings.Cut(d.continues, "#")
	path = filepath.Join(filepath.Dir(d.path), path)
	source, err := os.ReadFile(filepath.Join(c.root, path))
	if err != nil {
		return nil, fmt.Errorf("%s continues: %w", d.path, err)
	}
	other, err := parse(path, source)
	if err != nil {
		return nil, err
	}
	blocks := slices.DeleteFunc(other.blocks, func(b *block) bool {
		return b.kind != command && b.kind != file || section != "" && !slices.Contains(b.sections, section)
	})
	if len(blocks) == 0 {
		return nil, fmt.Errorf("%s continues %s, which has nothing to run", d.path, d.continues)
	}
	return blocks, nil
}
