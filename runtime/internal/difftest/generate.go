package difftest

import (
	"fmt"
	"math/rand/v2"
	"time"

	"google.golang.org/grpc/metadata"
)

// New returns the case of a seed. It is the same for ever, unless this package changes.
//
// Scripts are thrown together without care, and those that would wait for ever are thrown away: see
// terminates. Nearly all that are left end over grpc's windows, which are 64 KiB at first; some
// only over larger ones.
func New(seed uint64) *Case {
	rnd := rand.New(rand.NewPCG(seed, 0x6469666674657374))
	for {
		c := randomCase(rnd)
		c.Seed = seed
		if c.Deadline > 0 || terminates(c, defaultWindow) || rnd.IntN(10) == 0 && terminates(c, wideWindow) {
			return c
		}
	}
}

func randomCase(rnd *rand.Rand) *Case {
	c := &Case{
		Kind:   pick(rnd, Unary, ClientStream, ServerStream, Bidi, Bidi, Bidi),
		Stops:  rnd.IntN(2) == 0,
		Return: randomReturn(rnd),
		Stats:  rnd.IntN(3) == 0,
	}
	if rnd.IntN(3) == 0 {
		c.MD = randomMD(rnd)
	}
	if rnd.IntN(12) == 0 {
		c.Deadline = time.Duration(rnd.IntN(20_000)) * time.Microsecond
	}
	if rnd.IntN(8) == 0 {
		limit := pick(rnd, 0, 1, 100, 1000, 60_000, 1<<20)
		switch rnd.IntN(3) {
		case 0:
			c.ClientMaxSend = limit
		case 1:
			c.ClientMaxRecv = limit
		default:
			c.ServerMaxRecv = limit
		}
	}
	if rnd.IntN(10) == 0 {
		for range 1 + rnd.IntN(3) {
			c.After = append(c.After, Step{Op: pick(rnd, SetHeader, SendHeader, SetTrailer, CtxErr), MD: randomMD(rnd)})
		}
	}
	switch {
	case c.Kind == Unary:
		c.Client = [][]Step{{send(rnd)}}
		c.Handler = [][]Step{randomSteps(rnd, rnd.IntN(4), SetHeader, SendHeader, SetTrailer, CtxErr, Pause)}
		if rnd.IntN(10) == 0 {
			c.Handler[0] = append(c.Handler[0], Step{Op: Cancel}, Step{Op: pick(rnd, WaitCtx, CtxErr, SetHeader, SendHeader), MD: randomMD(rnd)})
		}
	case rnd.IntN(4) == 0:
		randomConversation(rnd, c)
	default:
		randomClient(rnd, c)
		randomHandler(rnd, c)
	}
	return c
}

// randomConversation is what programs do that upload something and get acknowledgements.
func randomConversation(rnd *rand.Rand, c *Case) {
	c.Kind = Bidi
	burst := pick(rnd, Step{Op: Send, N: 1000, Size: 1000}, Step{Op: Send, N: 300, Size: 10_000}, Step{Op: Send, N: 100 + rnd.IntN(3000), Size: 80})
	if rnd.IntN(10) == 0 {
		burst = Step{Op: Send, N: 300, Size: 100_000}
	}
	c.Client = [][]Step{{burst, {Op: CloseSend}, {Op: RecvAll}, {Op: Trailer}}}
	c.Handler = [][]Step{{{Op: Echo, Size: rnd.IntN(12)}}}
	if rnd.IntN(4) == 0 { // the other way round: the handler sends all before it receives
		c.Client = [][]Step{{{Op: Recv, N: 1 + rnd.IntN(burst.N)}, {Op: Send, N: 1, Size: 10}, {Op: RecvAll}}}
		c.Handler = [][]Step{{burst, {Op: RecvAll}}}
		if rnd.IntN(2) == 0 {
			c.Handler = [][]Step{{burst, {Op: Recv, N: 1}}}
		}
	}
}

func randomClient(rnd *rand.Rand, c *Case) {
	sends := []Op{Send, Send, Send, Pause}
	if c.Kind == ServerStream {
		sends = []Op{Pause, Header}
	}
	var sender, receiver []Step
	if c.Kind == ServerStream { // as generated code does
		sender = []Step{send(rnd), {Op: CloseSend}}
	}
	two := rnd.IntN(3) == 0
	if two {
		sender = append(sender, randomSteps(rnd, rnd.IntN(5), append(sends, Header)...)...)
		receiver = randomSteps(rnd, rnd.IntN(5), Recv, Recv, Header, Pause)
	} else {
		sender = append(sender, randomSteps(rnd, rnd.IntN(7), append(sends, Recv, Recv, Header)...)...)
	}
	if rnd.IntN(8) == 0 {
		after := 0
		if c.Kind == ServerStream {
			after = 2 // nothing need happen at the other end before the request is there
		}
		sender = insert(rnd, sender, after, Step{Op: Settle})
	}
	if c.Kind != ServerStream && rnd.IntN(10) != 0 {
		sender = append(sender, Step{Op: CloseSend})
		if rnd.IntN(40) == 0 {
			sender = append(sender, send(rnd))
		}
	}
	last := &sender
	if two {
		last = &receiver
	}
	if rnd.IntN(10) != 0 {
		*last = append(*last, Step{Op: RecvAll}, Step{Op: Trailer}, Step{Op: Header})
	}
	if rnd.IntN(8) == 0 {
		cancel := []Step{{Op: Cancel}}
		if rnd.IntN(2) == 0 {
			cancel = []Step{{Op: Settle}, {Op: Cancel}}
		}
		at := rnd.IntN(len(*last) + 1)
		if c.Kind == ServerStream && !two {
			at = max(at, 2)
		}
		*last = append((*last)[:at:at], append(cancel, (*last)[at:]...)...)
	}
	if rnd.IntN(6) == 0 { // after the end
		*last = append(*last, randomSteps(rnd, 1+rnd.IntN(2), Recv, Header, Trailer)...)
		if !two && c.Kind.ClientStreams {
			*last = append(*last, pick(rnd, Step{Op: CloseSend}, send(rnd)))
		}
	}
	c.Client = [][]Step{sender}
	if two {
		c.Client = append(c.Client, receiver)
	}
}

func randomHandler(rnd *rand.Rand, c *Case) {
	ops := []Op{Recv, Recv, Send, Send, SetHeader, SendHeader, SetTrailer, CtxErr, Pause}
	if c.Kind == ClientStream {
		ops = []Op{Recv, Recv, SetHeader, SendHeader, SetTrailer, CtxErr, Pause}
	}
	first := randomSteps(rnd, rnd.IntN(6), ops...)
	switch rnd.IntN(6) {
	case 0, 1:
		first = append(first, Step{Op: RecvAll})
	case 2:
		if c.Kind.ServerStreams {
			first = append(first, Step{Op: Echo, Size: pick(rnd, -1, 0, rnd.IntN(100))})
		}
	case 3:
		if c.has(Cancel) || rnd.IntN(5) == 0 {
			first = append(first, Step{Op: WaitCtx}, Step{Op: CtxErr})
		}
	case 4:
		if rnd.IntN(4) == 0 {
			first = append(first, Step{Op: Cancel}, Step{Op: pick(rnd, WaitCtx, Recv, Send), N: 1})
		}
	}
	if c.Kind == ClientStream {
		first = append(first, send(rnd))
	}
	first = append(first, randomSteps(rnd, rnd.IntN(2), SetHeader, SendHeader, SetTrailer, CtxErr)...)
	c.Handler = [][]Step{first}
	if rnd.IntN(6) == 0 && c.Kind == Bidi { // one goroutine sends, one receives
		second := randomSteps(rnd, rnd.IntN(4), Recv, Pause)
		first = randomSteps(rnd, 1+rnd.IntN(5), Send, Send, SetHeader, SendHeader, SetTrailer, Pause)
		c.Handler = [][]Step{first, append(second, Step{Op: RecvAll})}
	}
}

func randomSteps(rnd *rand.Rand, n int, ops ...Op) []Step {
	var steps []Step
	for range n {
		s := Step{Op: ops[rnd.IntN(len(ops))]}
		switch s.Op {
		case Send:
			s = burst(rnd)
		case Recv:
			s.N = pick(rnd, 1, 1, 1, 2, rnd.IntN(50))
		case Pause:
			s.N = rnd.IntN(2000)
		case SetHeader, SendHeader, SetTrailer:
			s.MD = randomMD(rnd)
		}
		steps = append(steps, s)
	}
	return steps
}

// insert puts s somewhere into steps, but not among the first.
func insert(rnd *rand.Rand, steps []Step, first int, s Step) []Step {
	at := first + rnd.IntN(len(steps)+1-first)
	return append(steps[:at:at], append([]Step{s}, steps[at:]...)...)
}

func send(rnd *rand.Rand) Step { return Step{Op: Send, N: 1, Size: randomSize(rnd)} }

// burst is one message, or many that are small.
func burst(rnd *rand.Rand) Step {
	switch rnd.IntN(10) {
	case 0, 1, 2:
		return Step{Op: Send, N: 2 + rnd.IntN(20), Size: rnd.IntN(3000)}
	case 3:
		return Step{Op: Send, N: 20 + rnd.IntN(600), Size: rnd.IntN(100)}
	default:
		return send(rnd)
	}
}

// randomSize is of a message, 0 to 3 MiB; most are small.
func randomSize(rnd *rand.Rand) int {
	switch n := rnd.IntN(100); {
	case n < 5:
		return 0
	case n < 60:
		return rnd.IntN(200)
	case n < 80:
		return rnd.IntN(4 << 10)
	case n < 92:
		return rnd.IntN(70 << 10)
	case n < 97:
		return rnd.IntN(400 << 10)
	default:
		return rnd.IntN(3<<20 + 1)
	}
}

func randomMD(rnd *rand.Rand) metadata.MD {
	md := metadata.MD{}
	for range 1 + rnd.IntN(2) {
		key := pick(rnd, "a", "b", "c-bin", "x-long")
		value := fmt.Sprint(rnd.IntN(100))
		switch key {
		case "c-bin":
			value = string([]byte{0, byte(rnd.IntN(256)), 255})
		case "x-long":
			value = fmt.Sprintf("%0*d", rnd.IntN(3000), 1)
		}
		md.Append(key, value)
	}
	return md
}

func pick[T any](rnd *rand.Rand, of ...T) T { return of[rnd.IntN(len(of))] }
