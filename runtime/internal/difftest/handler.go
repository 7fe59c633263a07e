package difftest

import (
	"context"
	"io"
	"strconv"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

const serviceName = "/udsgrpc.difftest.Service/"

// serviceDesc has a method of each kind.
var serviceDesc = grpc.ServiceDesc{
	ServiceName: "udsgrpc.difftest.Service",
	HandlerType: (*any)(nil),
	Methods:     []grpc.MethodDesc{{MethodName: Unary.method(), Handler: handleUnary}},
	Streams:     []grpc.StreamDesc{streamOf(ClientStream), streamOf(ServerStream), streamOf(Bidi)},
}

func streamOf(k Kind) grpc.StreamDesc {
	d := *k.desc()
	d.Handler = handleStream
	return d
}

func handleUnary(srv any, ctx context.Context, decode func(any) error, interceptor grpc.UnaryServerInterceptor) (any, error) {
	req := new(wrapperspb.BytesValue)
	if err := decode(req); err != nil {
		return nil, err
	}
	handler := func(ctx context.Context, req any) (any, error) {
		return srv.(*Pair).unary(ctx, req.(*wrapperspb.BytesValue))
	}
	return interceptor(ctx, req, &grpc.UnaryServerInfo{Server: srv, FullMethod: serviceName + Unary.method()}, handler)
}

func handleStream(srv any, stream grpc.ServerStream) error { return srv.(*Pair).stream(stream) }

func (p *Pair) unary(ctx context.Context, req *wrapperspb.BytesValue) (*wrapperspb.BytesValue, error) {
	h := p.enter(ctx, unaryStream{ctx})
	if h == nil {
		return nil, context.Canceled
	}
	defer h.leave()
	e := Event{What: "request"}
	e.Messages.add(len(req.GetValue()))
	if !isMessage(requests, 0, req) {
		e.Note = "the request is not what was sent"
	}
	h.note(h.rec.Handler[0], e)
	if err := h.handle(); err != nil {
		return nil, err
	}
	return message(replies, 0, h.c.Return.Size), nil
}

func (p *Pair) stream(stream grpc.ServerStream) error {
	h := p.enter(stream.Context(), stream)
	if h == nil {
		return context.Canceled
	}
	defer h.leave()
	return h.handle()
}

// unaryStream lets the handler of a unary call do what is for its header and trailer.
type unaryStream struct{ ctx context.Context }

func (s unaryStream) SetHeader(md metadata.MD) error  { return grpc.SetHeader(s.ctx, md) }
func (s unaryStream) SendHeader(md metadata.MD) error { return grpc.SendHeader(s.ctx, md) }
func (s unaryStream) SetTrailer(md metadata.MD)       { _ = grpc.SetTrailer(s.ctx, md) }
func (s unaryStream) Context() context.Context        { return s.ctx }
func (s unaryStream) SendMsg(any) error               { panic("a unary call's handler does not send") }
func (s unaryStream) RecvMsg(any) error               { panic("a unary call's handler does not receive") }

// handlerSide is the stream at the handler.
type handlerSide struct {
	*run
	stream grpc.ServerStream

	sent, got int  // messages; each used by one goroutine only
	broken    bool // a message was too large; used by the receiver only
}

// enter finds the run that a call belongs to; nil if it is over, or the call was made before.
func (p *Pair) enter(ctx context.Context, stream grpc.ServerStream) *handlerSide {
	md, _ := metadata.FromIncomingContext(ctx)
	r := p.find(md)
	if r == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.started {
		return nil
	}
	r.started = true
	close(r.entered)
	r.handler = ctx
	r.rec.Carrier = carrierOf(ctx)
	for i := range r.c.Handler {
		r.rec.Handler = append(r.rec.Handler, &Lane{Name: "handler " + strconv.Itoa(i)})
	}
	_, limited := ctx.Deadline()
	r.rec.Handler[0].Events = []Event{{What: "enter, deadline " + strconv.FormatBool(limited), MD: without(md, idKey)}}
	r.moved()
	return &handlerSide{run: r, stream: stream}
}

func (h *handlerSide) leave() {
	h.moved()
	close(h.returned)
}

// handle runs the steps of the handler.
func (h *handlerSide) handle() error {
	var others sync.WaitGroup
	errs := make([]error, len(h.c.Handler))
	for i, steps := range h.c.Handler[1:] {
		others.Go(func() { errs[i+1] = h.play(h.rec.Handler[i+1], steps) })
	}
	errs[0] = h.play(h.rec.Handler[0], h.c.Handler[0])
	others.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	h.between()
	return h.c.Return.err(h.stream.Context())
}

// play does the steps of one goroutine, and returns the error at which it stopped.
func (h *handlerSide) play(l *Lane, steps []Step) error {
	for _, step := range steps {
		h.between()
		e := Event{What: step.String(), Op: step.Op}
		var err error
		switch step.Op {
		case Send:
			err = h.send(l, &e, step)
		case Recv, RecvAll, Echo:
			if h.broken { // grpc-go continues in the middle of the message that it did not accept
				continue
			}
			err = h.recv(l, &e, step)
		case SetHeader:
			err = h.stream.SetHeader(step.MD)
		case SendHeader:
			err = h.stream.SendHeader(step.MD)
		case SetTrailer:
			h.stream.SetTrailer(step.MD)
		case WaitCtx:
			<-h.stream.Context().Done()
		case CtxErr:
			e.Note = "context: " + outcomeOf(h.stream.Context().Err()).String()
		default:
			h.common(step)
		}
		e.Err = outcomeOf(err)
		h.note(l, e)
		if err != nil && err != io.EOF && h.c.Stops {
			return err
		}
	}
	return nil
}

func (h *handlerSide) send(l *Lane, e *Event, step Step) error {
	for range step.N {
		if err := h.sendOne(l, step.Size); err != nil {
			return err
		}
		e.Messages.add(step.Size)
	}
	return nil
}

func (h *handlerSide) sendOne(l *Lane, size int) error {
	l.sending.Store(true)
	err := h.stream.SendMsg(message(replies, h.sent, size))
	l.sending.Store(false)
	h.moved()
	if err == nil {
		h.sent++
		h.run.sent[replies].Add(onTheWire(size))
	}
	return err
}

func (h *handlerSide) recv(l *Lane, e *Event, step Step) error {
	for i := 0; step.Op != Recv || i < step.N; i++ {
		m := new(wrapperspb.BytesValue)
		err := h.stream.RecvMsg(m)
		h.moved()
		if err != nil {
			h.broken = status.Code(err) == codes.ResourceExhausted
			return err
		}
		if !isMessage(requests, h.got, m) {
			e.Note = "a message is not what was sent"
		}
		h.got++
		size := len(m.GetValue())
		h.read[requests].Add(onTheWire(size))
		e.Messages.add(size)
		if step.Op == Echo {
			if step.Size >= 0 {
				size = step.Size
			}
			if err := h.sendOne(l, size); err != nil {
				e.Note += "; in the answer"
				return err
			}
		}
	}
	return nil
}

// runAfter uses the handler's context when everything is over.
func (r *run) runAfter() {
	r.mu.Lock()
	ctx, sealed := r.handler, r.sealed
	r.mu.Unlock()
	if ctx == nil || sealed || len(r.c.After) == 0 {
		return
	}
	l := &Lane{Name: "after it"}
	for _, step := range r.c.After {
		e := Event{What: step.String(), Op: step.Op}
		switch step.Op {
		case SetHeader:
			e.Err = outcomeOf(grpc.SetHeader(ctx, step.MD))
		case SendHeader:
			e.Err = outcomeOf(grpc.SendHeader(ctx, step.MD))
		case SetTrailer:
			e.Err = outcomeOf(grpc.SetTrailer(ctx, step.MD))
		case CtxErr:
			e.Note = "context: " + outcomeOf(ctx.Err()).String()
		}
		l.Events = append(l.Events, e)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.rec.After = l
}

func pauseOf(s Step) time.Duration { return time.Duration(s.N) * time.Microsecond }

func without(md metadata.MD, key string) metadata.MD {
	md = md.Copy()
	delete(md, key)
	return md
}
