package docs_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// checkAgainst checks a block that repeats something of the repository at root.
func (b *block) checkAgainst(root string) error {
	switch b.kind {
	case excerpt:
		return b.checkExcerpt(root)
	case signatures:
		return b.checkSignatures(root)
	case tested:
		return b.checkTested(root)
	}
	return nil
}

// read returns the file that the attribute of the name names.
func (b *block) read(root, attribute string) (name string, content []byte, err error) {
	name = b.attributes[attribute]
	if !filepath.IsLocal(name) {
		return name, nil, b.errorf("%s=%s is no path of a file below the root of the repository", attribute, name)
	}
	content, err = os.ReadFile(filepath.Join(root, name))
	if err != nil {
		return name, nil, b.errorf("%s=%s: %w", attribute, name, err)
	}
	return name, content, nil
}

func (b *block) checkExcerpt(root string) error {
	name, content, err := b.read(root, "from")
	if err != nil {
		return err
	}
	if err := findExcerpt(b.lines(), strings.Split(string(content), "\n")); err != nil {
		return b.errorf("not an excerpt of %s: %w", name, err)
	}
	return nil
}

// findExcerpt tells whether lines stand in the file, one after the other, all of them indented
// by the same more; a line "..." stands for any lines.
func findExcerpt(lines, file []string) error {
	parts := split(lines)
	if len(parts) == 0 {
		return errors.New("it has no line")
	}

	for at := range file {
		indent, ok := strings.CutSuffix(file[at], parts[0][0])
		if ok && strings.TrimSpace(indent) == "" && findParts(parts, file[at:], indent) {
			return nil
		}
	}
	// The line that stands nowhere is what a reader of the error needs, if there is one.
	for _, line := range slices.Concat(parts...) {
		if !slices.ContainsFunc(file, func(l string) bool { return strings.TrimSpace(l) == strings.TrimSpace(line) }) {
			return fmt.Errorf("it has no line %q", strings.TrimSpace(line))
		}
	}
	return errors.New("it has all the lines, but not in this order, next to each other and with this indentation")
}

// split returns what stands between the lines that stand for any, without empty lines around it.
func split(lines []string) (parts [][]string) {
	ellipsis := func(line string) bool {
		return slices.Contains([]string{"...", "// ...", "# ..."}, strings.TrimSpace(line))
	}
	var part []string
	for _, line := range append(slices.Clone(lines), "...") {
		switch {
		case ellipsis(line):
			for len(part) > 0 && part[len(part)-1] == "" {
				part = part[:len(part)-1]
			}
			if len(part) > 0 {
				parts, part = append(parts, part), nil
			}
		case line != "" || len(part) > 0:
			part = append(part, line)
		}
	}
	return parts
}

// findParts finds the first part at the beginning of the file and the others after it, in order.
func findParts(parts [][]string, file []string, indent string) bool {
	for i, part := range parts {
		at := 0
		for !startsWith(file[at:], part, indent) {
			if at++; i == 0 || at > len(file) {
				return false
			}
		}
		file = file[at+len(part):]
	}
	return true
}

func startsWith(file, part []string, indent string) bool {
	if len(file) < len(part) {
		return false
	}
	for i, line := range part {
		if line != "" {
			line = indent + line
		}
		if file[i] != line {
			return false
		}
	}
	return true
}

// checkSignatures: each line is the beginning of a function that the file declares.
func (b *block) checkSignatures(root string) error {
	name, content, err := b.read(root, "signatures")
	if err != nil {
		return err
	}
	for _, line := range b.lines() {
		if !strings.Contains(string(content), "\n"+line+" {\n") {
			return b.errorf("%s declares no %q", name, line)
		}
	}
	return nil
}

// checkTested: another test reads the document. That test has to name it.
func (b *block) checkTested(root string) error {
	name, content, err := b.read(root, "test")
	if err != nil {
		return err
	}
	if !strings.HasSuffix(name, "_test.go") || !bytes.Contains(content, []byte(b.document)) {
		return b.errorf("%s is no test that reads %s", name, b.document)
	}
	return nil
}

// documents returns the paths of those that are tested.
func documents(root string) ([]string, error) {
	paths := []string{"README.md"}
	tree := os.DirFS(root)
	for _, below := range []string{"docs", "examples", "release/README.md", "thirdparty/README.md"} {
		err := fs.WalkDir(tree, below, func(name string, entry fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if entry.IsDir() && entry.Name() == "testdata" {
				return fs.SkipDir
			}
			if filepath.Ext(name) == ".md" {
				paths = append(paths, filepath.FromSlash(name))
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return paths, nil
}
