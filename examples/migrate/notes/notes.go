// Package notes is what the programs serve, without any RPC.
package notes

import (
	"slices"
	"sync"
)

// Notes keeps lines of text. It may be used concurrently.
type Notes struct {
	mu    sync.Mutex
	lines []string
}

// Add keeps a line and returns how many there are now.
func (n *Notes) Add(line string) uint32 {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.lines = append(n.lines, line)
	return uint32(len(n.lines))
}

// Lines returns all lines.
func (n *Notes) Lines() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.lines)
}
