package admission

// Open says how many connections there are now.
type Open struct{ HalfOpen, HTTP2, Direct, Viewers int }

// Open counts the connections. Those that are told to use HTTP/2, and those of successors, last a moment and
// are in none of the numbers.
func (a *Admission) Open() Open {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.sweep(len(a.http2))
	open := Open{HTTP2: len(a.http2), Direct: a.direct.own + a.direct.foreign, Viewers: a.viewers}
	for _, u := range a.users {
		open.HalfOpen += u.halfOpen.Len()
	}
	return open
}
