package layout_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// page is the document with all goroutines and locks of the runtime.
const page = "docs/concurrency.md"

// concurrency returns what a file starts goroutines in, and its locks, as the page names them.
func concurrency(t *testing.T, path string) (names []string) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, decl := range file.Decls {
		switch decl := decl.(type) {
		case *ast.FuncDecl:
			names = append(names, within(decl.Name.Name, decl)...)
		case *ast.GenDecl:
			for _, spec := range decl.Specs {
				switch spec := spec.(type) {
				case *ast.TypeSpec:
					names = append(names, within(spec.Name.Name, spec)...)
				case *ast.ValueSpec:
					names = append(names, within(spec.Names[0].Name, spec)...)
				}
			}
		}
	}
	return names
}

// within returns what a function, type or variable has of both.
func within(name string, node ast.Node) (names []string) {
	ast.Inspect(node, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			names = append(names, name)
		case *ast.CallExpr:
			if called, ok := n.Fun.(*ast.SelectorExpr); ok && called.Sel.Name == "Go" { // of a WaitGroup
				names = append(names, name)
			}
		case *ast.ValueSpec: // of a package or a function
			if n.Type != nil && isLock(n.Type) {
				names = append(names, name)
			}
		case *ast.StructType:
			for _, field := range n.Fields.List {
				if isLock(field.Type) && len(field.Names) == 0 {
					names = append(names, name)
				}
				for _, f := range field.Names {
					if isLock(field.Type) {
						names = append(names, name+"."+f.Name)
					}
				}
			}
		}
		return true
	})
	return names
}

func isLock(t ast.Expr) bool {
	return slices.Contains([]string{"&{sync Mutex}", "&{sync RWMutex}", "monitor"}, fmt.Sprint(t))
}

// concurrencyOf returns the same of all packages of the runtime that are part of programs.
func concurrencyOf(t *testing.T) map[string][]string {
	t.Helper()
	all := map[string][]string{}
	err := fs.WalkDir(os.DirFS(root), "runtime", func(path string, d fs.DirEntry, err error) error {
		dir := filepath.Dir(path)
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || fits(dir, withTesting...) {
			return err
		}
		all[dir] = append(all[dir], concurrency(t, filepath.Join(root, path))...)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for dir, names := range all {
		slices.Sort(names)
		if all[dir] = slices.Compact(names); len(names) == 0 {
			delete(all, dir)
		}
	}
	return all
}

var (
	heading = regexp.MustCompile("^## `(.*)`$")
	row     = regexp.MustCompile("^\\| `([^`]*)` \\|")
)

func TestEveryGoroutineAndLockIsOnThePage(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join(root, page))
	if err != nil {
		t.Fatal(err)
	}
	told, dir := map[string][]string{}, ""
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if m := heading.FindStringSubmatch(line); m != nil {
			dir = m[1]
		} else if m := row.FindStringSubmatch(line); m != nil {
			told[dir] = append(told[dir], m[1])
		}
	}
	there := concurrencyOf(t)
	for dir := range maps.Keys(told) {
		for _, name := range told[dir] {
			if !slices.Contains(there[dir], name) {
				t.Errorf("%s has %s in %s, which is neither a lock nor starts a goroutine", page, name, dir)
			}
		}
	}
	for dir, names := range there {
		for _, name := range names {
			if !slices.Contains(told[dir], name) {
				t.Errorf("%s lacks %s in %s, which is a lock or starts a goroutine", page, name, dir)
			}
		}
	}
}
