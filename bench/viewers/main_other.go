//go:build !linux

// Command viewers measures what it costs a server that somebody looks at it. It does so on Linux only.
package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "viewers: it takes Linux")
	os.Exit(1)
}
