package inspect

import (
	"sync"
	"time"
)

// programs remembers the names of the programs of clients. It is ready to use.
type programs struct {
	mu    sync.Mutex
	names map[int]string // by pid
	since time.Time
}

// of returns the name of a process, which is forgotten after a while, as another one may get its number.
func (p *programs) of(pid int, now time.Time) string {
	if pid <= 0 {
		return ""
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.names) >= maxEntries || now.Sub(p.since) > forgetAfter {
		p.names, p.since = map[int]string{}, now
	}
	name, ok := p.names[pid]
	if !ok {
		name = programOf(pid)
		p.names[pid] = name
	}
	return name
}
