// Command pictures makes the pictures in docs/pictures: it runs commands in a terminal, on a stage with servers
// whose paths and process ids are always the same, and writes what is on the screen as SVG.
//
//	make pictures
//
// It takes root, or user namespaces.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"log"
	"os"
	"path/filepath"
)

// picture is a screen to be recorded.
type picture struct {
	name    string   // of the file, without .svg
	command []string // as typed; udsgrpc and the servers' programs are on PATH
	columns int
	rows    int // of the screen; the picture is cut below the last line with text
	// until is a text that is on the screen when the picture is taken, for a command that does not end by
	// itself.
	until string
	busy  bool // the server is called meanwhile, so that numbers are others each time
}

var pictures = []picture{
	{name: "ls", command: []string{"udsgrpc", "ls"}, columns: 112, rows: 24},
	{name: "top", command: []string{"udsgrpc", "top", appDir + "/app.sock"}, columns: 112, rows: 16, until: "reportd(", busy: true},
	{name: "tap", command: []string{"udsgrpc", "tap", "-n", "16", appDir + "/app.sock"}, columns: 128, rows: 24, busy: true},
}

func main() {
	log.SetFlags(0)
	root := flag.String("root", "../..", "root of the repository")
	out := flag.String("out", "../../docs/pictures", "where to write")
	flag.Parse()
	if isOnStage() {
		err := recordAll(*out)
		if errors.Is(err, errTaken) {
			os.Exit(exitTaken)
		}
		if err != nil {
			log.Fatal(err)
		}
		return
	}
	if err := enterStage(*root, *out); err != nil {
		log.Fatal(err)
	}
}

// recordAll runs on the stage.
func recordAll(out string) error {
	s, err := newStage()
	if err != nil {
		return err
	}
	defer s.end()
	for _, p := range pictures {
		if p.busy {
			if err := s.startCallers(); err != nil {
				return err
			}
		}
		if err := p.make(filepath.Join(out, p.name+".svg")); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
	}
	return nil
}

// attempts is how often a picture is taken that may come out like the one before.
const attempts = 3

// make makes the picture, and leaves one alone that differs in numbers only.
func (p picture) make(file string) error {
	before, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	var screen []byte
	for range attempts {
		if screen, err = record(p); err != nil {
			return err
		}
		if !p.busy {
			break
		}
		if isAlike(before, screen) {
			return nil
		}
	}
	return os.WriteFile(file, screen, 0o644)
}
