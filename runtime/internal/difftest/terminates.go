package difftest

// Windows within which a case may be chosen to end.
const (
	defaultWindow = 60 << 10 // grpc's, less what surrounds messages
	wideWindow    = 4 << 20  // the direct transport's, and this project's HTTP/2
)

// overhead is what surrounds a message, at most.
const overhead = 16

// terminates tells whether the client of a case gets to its end if a send waits only while as many
// bytes as the window is large are unread. It plays the scripts with nothing but sizes. It need
// not be exact: a case that waits nevertheless takes time, and is compared as any other.
func terminates(c *Case, window int) bool {
	m := &model{c: c, window: window}
	for _, steps := range c.Client {
		m.client = append(m.client, &player{steps: steps, client: true})
	}
	for _, steps := range c.Handler {
		m.handler = append(m.handler, &player{steps: steps})
	}
	for {
		moved := false
		for _, p := range m.client {
			moved = m.play(p) || moved
		}
		for _, p := range m.handler {
			moved = m.play(p) || moved
		}
		if m.over(m.handler) {
			m.returned = true
		}
		if m.over(m.client) {
			return true
		}
		if !moved && !m.settled {
			m.settled = true // lets those go that wait for that
		} else if !moved {
			return false
		} else {
			m.settled = false
		}
	}
}

// model is a call whose messages are numbers.
type model struct {
	c                       *Case
	window                  int
	client, handler         []*player
	requests, replies       queue
	closed, returned, ended bool
	settled                 bool
}

type queue struct {
	sizes []int
	bytes int
}

func (q *queue) push(n int) {
	q.sizes = append(q.sizes, n)
	q.bytes += n + overhead
}

func (q *queue) pop() int {
	n := q.sizes[0]
	q.sizes = q.sizes[1:]
	q.bytes -= n + overhead
	return n
}

// player is a goroutine with its script.
type player struct {
	client bool
	steps  []Step
	done   int // messages of the current step
	reply  *int
}

func (m *model) over(ps []*player) bool {
	for _, p := range ps {
		if len(p.steps) > 0 {
			return false
		}
	}
	return true
}

func (p *player) next() {
	p.steps = p.steps[1:]
	p.done = 0
}

func (m *model) failed(p *player) {
	p.next()
	if !p.client && m.c.Stops {
		p.steps = nil
	}
}

// play lets a goroutine go as far as it can, and tells whether it got anywhere.
func (m *model) play(p *player) (moved bool) {
	for len(p.steps) > 0 && m.step(p) {
		moved = true
	}
	return moved
}

func (m *model) step(p *player) bool {
	in, out := &m.requests, &m.replies
	if p.client {
		in, out = out, in
	}
	s := p.steps[0]
	switch s.Op {
	case Send:
		return m.send(p, out, s)
	case Recv, RecvAll, Echo:
		return m.recv(p, in, out, s)
	case CloseSend:
		m.closed = true
	case Cancel:
		m.ended = true
	case Settle:
		if !m.settled {
			return false
		}
	case WaitCtx:
		if !m.ended {
			return false
		}
	case Header:
		if !m.ended && !m.returned && len(m.replies.sizes) == 0 && !m.headerSent() {
			return false
		}
	}
	p.next()
	return true
}

func (m *model) headerSent() bool {
	// The scripts that are left say whether the handler has got past it.
	for i, p := range m.handler {
		gone := m.c.Handler[i][:len(m.c.Handler[i])-len(p.steps)]
		for _, s := range gone {
			if s.Op == SendHeader || s.Op == Send && s.N > 0 {
				return true
			}
		}
	}
	return false
}

func (m *model) send(p *player, out *queue, s Step) bool {
	if p.done == s.N {
		p.next()
		return true
	}
	if m.ended || p.client && m.returned && m.replies.bytes < m.window { // the status is behind the messages
		m.failed(p)
		return true
	}
	if p.client && m.c.ClientMaxSend > 0 && s.Size > m.c.ClientMaxSend {
		m.ended = true
		return true
	}
	if out.bytes >= m.window {
		return false
	}
	p.done++
	out.push(s.Size)
	return true
}

func (m *model) recv(p *player, in, out *queue, s Step) bool {
	if p.reply != nil { // an echo's
		if m.ended {
			p.reply = nil
			m.failed(p)
			return true
		}
		if out.bytes >= m.window {
			return false
		}
		out.push(*p.reply)
		p.reply = nil
		return true
	}
	if s.Op == Recv && p.done == s.N {
		p.next()
		return true
	}
	if m.ended {
		m.failed(p)
		return true
	}
	if p.client && !m.c.Kind.ServerStreams && !m.returned {
		return false
	}
	if len(in.sizes) > 0 {
		n := in.pop()
		if p.client && m.c.ClientMaxRecv > 0 && n > m.c.ClientMaxRecv || !p.client && m.c.ServerMaxRecv > 0 && n > m.c.ServerMaxRecv {
			m.ended = true
			return true
		}
		p.done++
		if s.Op == Echo {
			if s.Size >= 0 {
				n = s.Size
			}
			p.reply = &n
		}
		return true
	}
	switch {
	case p.client && m.returned, !p.client && m.closed:
		p.next()
		return true
	default:
		return false
	}
}
