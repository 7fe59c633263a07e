package docs_test

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/text"
)

// kind says what is done with a block. The package comment describes each.
type kind string

const (
	command    kind = "sh"
	output     kind = "output"
	file       kind = "file"
	excerpt    kind = "from"
	signatures kind = "signatures"
	tested     kind = "test"
)

// attributes are those that a block of a kind may have besides the one that makes it that kind.
var attributes = map[kind][]string{
	command:    {"exit", "needs", "norun", "at"},
	output:     {"output"},
	file:       {"file"},
	excerpt:    {"from"},
	signatures: {"signatures"},
	tested:     {"test"},
}

type block struct {
	document   string   // its path from the root of the repository
	sections   []string // the headings it stands under, as anchors of links
	line       int      // of the fence
	kind       kind
	attributes map[string]string
	text       string
}

func (b *block) errorf(format string, args ...any) error {
	return fmt.Errorf("%s:%d: %w", b.document, b.line, fmt.Errorf(format, args...))
}

func (b *block) lines() []string { return strings.Split(strings.TrimSuffix(b.text, "\n"), "\n") }

// document is what the test needs of a Markdown file.
type document struct {
	path      string
	continues string // the link of its "continues" comment, or ""
	systemd   bool   // it has the "systemd" comment
	blocks    []*block
}

var (
	markdown  = goldmark.New(goldmark.WithExtensions(extension.GFM))
	fence     = regexp.MustCompile("(?m)^[ \t>*+-]*(```+|~~~+)")
	continues = regexp.MustCompile(`^<!-- continues (\S+) -->\s*$`)
)

// parse finds the blocks of a document, and everything that would keep a block from being
// checked.
func parse(path string, source []byte) (*document, error) {
	d := &document{path: path}
	var errs []error
	fences := 0
	var sections []string
	root := markdown.Parser().Parse(text.NewReader(source))
	_ = ast.Walk(root, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		at := func(offset int) *block {
			return &block{document: path, sections: slices.Clone(sections), line: 1 + bytes.Count(source[:offset], []byte("\n"))}
		}
		switch n := n.(type) {
		case *ast.Heading:
			// A level that is left out counts as one without a name.
			for len(sections) < n.Level {
				sections = append(sections, "")
			}
			sections = append(sections[:n.Level-1], anchor(string(n.Lines().Value(source))))
		case *ast.HTMLBlock:
			html := string(n.Lines().Value(source))
			if link := continues.FindStringSubmatch(html); link != nil {
				d.continues = link[1]
			} else if strings.TrimSpace(html) == "<!-- systemd -->" {
				d.systemd = true
			} else if strings.Contains(html, "<pre") {
				errs = append(errs, at(n.Pos()).errorf("code in HTML: fence it and say what it is"))
			}
		case *ast.CodeBlock:
			errs = append(errs, at(n.Lines().At(0).Start).errorf("code that is indented: fence it and say what it is"))
		case *ast.FencedCodeBlock:
			b := at(n.Pos())
			b.text = string(n.Lines().Value(source))
			info := ""
			if n.Info != nil {
				info = string(n.Info.Segment.Value(source))
			}
			var err error
			if b.kind, b.attributes, err = classify(info); err != nil {
				errs = append(errs, b.errorf("%w", err))
			} else if strings.TrimSpace(b.text) == "" {
				errs = append(errs, b.errorf("the block is empty"))
			}
			fences++
			d.blocks = append(d.blocks, b)
		}
		return ast.WalkContinue, nil
	})
	// So that nothing is overlooked that a reader takes for a block.
	if marks := len(fence.FindAllIndex(source, -1)); marks != 2*fences {
		errs = append(errs, fmt.Errorf("%s: %d lines look like fences, but there are %d blocks, which have two each: "+
			"one is not closed, or stands in HTML", path, marks, fences))
	}
	return d, errors.Join(errs...)
}

var word = regexp.MustCompile(`^([a-z]+)(?:=("[^"]*"|[^\s"]+))?(?:\s+|$)`)

// classify takes the info string of a fence apart.
func classify(info string) (kind, map[string]string, error) {
	language, rest, _ := strings.Cut(info, " ")
	given := map[string]string{}
	for rest = strings.TrimSpace(rest); rest != ""; {
		m := word.FindStringSubmatch(rest)
		if m == nil {
			return "", nil, fmt.Errorf("%q: cannot read %q: want words, word=value or word=\"some values\"", info, rest)
		}
		if _, twice := given[m[1]]; twice {
			return "", nil, fmt.Errorf("%q: %s is given twice", info, m[1])
		}
		given[m[1]] = strings.Trim(m[2], `"`)
		rest = rest[len(m[0]):]
	}

	of := kind("")
	for _, k := range []kind{output, file, excerpt, signatures, tested} {
		if _, ok := given[string(k)]; ok {
			of = k
			break
		}
	}
	if of == "" && language == "sh" {
		of = command
	}
	if of == "" {
		return "", nil, fmt.Errorf("%q: nothing says how to check this block: want sh, output, or one of file=, from=, signatures=, test=", info)
	}
	if of == output && language != "text" {
		return "", nil, fmt.Errorf("%q: the language of output is text", info)
	}
	for name, value := range given {
		if !slices.Contains(attributes[of], name) {
			return "", nil, fmt.Errorf("%q: a block of the kind %s has no %s", info, of, name)
		}
		if plain := name == "output"; !plain && value == "" {
			return "", nil, fmt.Errorf("%q: %s needs a value", info, name)
		} else if plain && value != "" {
			return "", nil, fmt.Errorf("%q: %s takes no value", info, name)
		}
	}
	return of, given, nil
}

var notInAnchor = regexp.MustCompile(`[^\p{L}\p{N} _-]`)

// anchor is what a link to a heading ends with, as GitHub makes it.
func anchor(heading string) string {
	return strings.ReplaceAll(notInAnchor.ReplaceAllString(strings.ToLower(strings.TrimSpace(heading)), ""), " ", "-")
}
