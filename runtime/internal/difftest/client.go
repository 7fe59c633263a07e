package difftest

import (
	"io"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// runClient runs the steps of the client.
func (r *run) runClient(p *Pair) {
	var opts []grpc.CallOption
	if n := r.c.ClientMaxSend; n > 0 {
		opts = append(opts, grpc.MaxCallSendMsgSize(n))
	}
	if n := r.c.ClientMaxRecv; n > 0 {
		opts = append(opts, grpc.MaxCallRecvMsgSize(n))
	}
	if r.c.Kind == Unary {
		r.callUnary(p, opts)
		return
	}
	first := r.rec.Client[0]
	stream, err := p.conn.NewStream(r.ctx, r.c.Kind.desc(), serviceName+r.c.Kind.method(), opts...)
	r.note(first, Event{What: "begin", Err: outcomeOf(err)})
	if err != nil {
		r.told.Store(true)
		return
	}
	s := &clientSide{run: r, stream: stream}
	var others sync.WaitGroup
	for i, steps := range r.c.Client[1:] {
		others.Go(func() { s.play(r.rec.Client[i+1], steps) })
	}
	s.play(first, r.c.Client[0])
	others.Wait()
}

func (r *run) callUnary(p *Pair, opts []grpc.CallOption) {
	var header, trailer metadata.MD
	finished := 0
	var finish error
	opts = append(opts, grpc.Header(&header), grpc.Trailer(&trailer), grpc.OnFinish(func(err error) { finished, finish = finished+1, err }))
	req, resp := message(requests, 0, r.c.requestSize()), new(wrapperspb.BytesValue)
	err := p.conn.Invoke(r.ctx, serviceName+r.c.Kind.method(), req, resp, opts...)
	r.told.Store(true)
	e := Event{What: "call", Err: outcomeOf(err)}
	if err == nil {
		e.Messages.add(len(resp.GetValue()))
		if !isMessage(replies, 0, resp) {
			e.Note = "the reply is not what was sent"
		}
	}
	l := r.rec.Client[0]
	r.note(l, e)
	r.note(l, Event{What: "header", MD: header})
	r.note(l, Event{What: "trailer", MD: trailer})
	if finished != 1 {
		r.note(l, Event{What: "call", Note: "OnFinish was not called once"})
	}
	r.note(l, Event{What: "on finish", Err: outcomeOf(finish)})
}

// clientSide is the stream at the client.
type clientSide struct {
	*run
	stream grpc.ClientStream

	sent, got    int  // messages; each used by one goroutine only
	over, broken bool // the receiver was told of the end, by a message that is too large; used by it only
	failed       bool // or that the call has failed
}

// play does the steps of one goroutine.
func (s *clientSide) play(l *Lane, steps []Step) {
	for _, step := range steps {
		s.between()
		// Of two goroutines, one does not know what the other was told just now.
		e := Event{What: step.String(), Op: step.Op, Told: s.told.Load() && len(s.c.Client) == 1}
		switch step.Op {
		case Send:
			s.send(l, &e, step)
		case Recv, RecvAll:
			if s.broken { // grpc-go continues in the middle of the message that it did not accept
				continue
			}
			s.recv(&e, step)
		case CloseSend:
			e.Err = outcomeOf(s.stream.CloseSend())
		case Header:
			md, err := s.stream.Header()
			e.MD, e.Err = md, outcomeOf(err)
			if md == nil {
				s.told.Store(true) // there is none, as the call is over
			}
		case Trailer:
			if !s.over || s.failed && raceDetector {
				continue // nobody may ask before that
			}
			e.MD = s.stream.Trailer()
		default:
			s.common(step)
		}
		s.note(l, e)
	}
}

// common are steps of both ends.
func (r *run) common(step Step) {
	switch step.Op {
	case Settle:
		r.settle()
	case Pause:
		r.pause(pauseOf(step))
	case Cancel:
		r.cancelStep()
	}
}

func (s *clientSide) send(l *Lane, e *Event, step Step) {
	for range step.N {
		l.sending.Store(true)
		err := s.stream.SendMsg(message(requests, s.sent, step.Size))
		l.sending.Store(false)
		s.moved()
		if err != nil {
			e.Err = outcomeOf(err)
			if err != io.EOF {
				s.told.Store(true)
				s.broke.Store(true)
			}
			return
		}
		s.sent++
		s.run.sent[requests].Add(onTheWire(step.Size))
		e.Messages.add(step.Size)
	}
}

func (s *clientSide) recv(e *Event, step Step) {
	for i := 0; step.Op == RecvAll || i < step.N; i++ {
		m := new(wrapperspb.BytesValue)
		err := s.stream.RecvMsg(m)
		s.moved()
		if err != nil {
			e.Err = outcomeOf(err)
			s.over = true
			s.failed = s.failed || !e.Err.isEOF()
			s.broken = s.broken || e.Err.Code == codes.ResourceExhausted
			s.told.Store(true)
			return
		}
		if !isMessage(replies, s.got, m) {
			e.Note = "a message is not what was sent"
		}
		s.got++
		s.read[replies].Add(onTheWire(len(m.GetValue())))
		e.Messages.add(len(m.GetValue()))
	}
}
