// Command pictures makes the pictures in docs/pictures: it runs commands in a terminal, on a stage with servers
// whose paths and process ids are always the same, and writes what is on the screen as SVG.
//
//	make pictures
//
// It takes root, or user namespaces.
package main

import (
	"flag"
	"fmt"
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
	// itself. Such a picture differs each time.
	until string
}

var pictures = []picture{
	{name: "ls", command: []string{"udsgrpc", "ls"}, columns: 112, rows: 24},
}

func main() {
	log.SetFlags(0)
	root := flag.String("root", "../..", "root of the repository")
	out := flag.String("out", "../../docs/pictures", "where to write")
	flag.Parse()
	if isOnStage() {
		if err := recordAll(*out); err != nil {
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
	end, err := startServers()
	if err != nil {
		return err
	}
	defer end()
	for _, p := range pictures {
		screen, err := record(p)
		if err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		if err := os.WriteFile(filepath.Join(out, p.name+".svg"), screen, 0o644); err != nil {
			return err
		}
	}
	return nil
}
