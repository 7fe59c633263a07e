package docs_test

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/text"
)

func TestLinksLeadToWhatIsThere(t *testing.T) {
	t.Parallel()
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	checked := 0
	err = filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && slices.Contains([]string{"testdata", "node_modules", ".git"}, entry.Name()) {
			return filepath.SkipDir
		}
		if filepath.Ext(path) != ".md" {
			return nil
		}
		checked++
		if err := checkLinks(path); err != nil {
			t.Error(err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if checked == 0 {
		t.Error("no document was found")
	}
}

func TestBrokenLinkIsFound(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for link, broken := range map[string]bool{
		"other.md":                  false,
		"other.md#a-heading":        false,
		"#here":                     false,
		"https://example.com/#none": false,
		"none.md":                   true,
		"other.md#none":             true,
		"#none":                     true,
	} {
		for name, content := range map[string]string{"doc.md": "# Here\n\n[link](" + link + ")\n", "other.md": "## A heading\n"} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if err := checkLinks(filepath.Join(dir, "doc.md")); (err != nil) != broken {
			t.Errorf("a link to %s: %v", link, err)
		}
	}
}

// checkLinks finds the links of a document that lead nowhere, but for those to the web.
func checkLinks(path string) error {
	source, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var errs []error
	_ = ast.Walk(markdown.Parser().Parse(text.NewReader(source)), func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		var destination string
		switch n := n.(type) {
		case *ast.Link:
			destination = string(n.Destination)
		case *ast.Image:
			destination = string(n.Destination)
		}
		if entering && destination != "" {
			if err := checkLink(path, destination); err != nil {
				errs = append(errs, fmt.Errorf("%s: link to %s: %w", path, destination, err))
			}
		}
		return ast.WalkContinue, nil
	})
	return errors.Join(errs...)
}

func checkLink(from, destination string) error {
	link, err := url.Parse(destination)
	if err != nil || link.IsAbs() {
		return err
	}
	to := from
	if link.Path != "" {
		to = filepath.Join(filepath.Dir(from), filepath.FromSlash(link.Path))
	}
	if link.Fragment == "" || filepath.Ext(to) != ".md" {
		_, err := os.Stat(to)
		return err
	}
	source, err := os.ReadFile(to)
	if err != nil {
		return err
	}
	if !slices.Contains(anchors(source), link.Fragment) {
		return fmt.Errorf("there is no heading for #%s", link.Fragment)
	}
	return nil
}

// anchors returns those of all headings of a document.
func anchors(source []byte) (all []string) {
	_ = ast.Walk(markdown.Parser().Parse(text.NewReader(source)), func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if h, ok := n.(*ast.Heading); ok && entering {
			name := anchor(string(h.Lines().Value(source)))
			if n := strings.Count("\n"+strings.Join(all, "\n")+"\n", "\n"+name+"\n"); n > 0 {
				name = fmt.Sprintf("%s-%d", name, n)
			}
			all = append(all, name)
		}
		return ast.WalkContinue, nil
	})
	return all
}
