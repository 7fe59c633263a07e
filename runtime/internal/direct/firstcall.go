package direct

import (
	"context"
	"errors"
	"io"
	"net"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/udsgrpc/udsgrpc/runtime/internal/direct/wire"
	"github.com/udsgrpc/udsgrpc/runtime/internal/filewalk"
)

// A unary call for which a connection is made goes with the client's preface, before the server has answered. So
// it takes one round trip instead of two. The server may turn out to speak something else, and then the call goes
// over HTTP/2 or another connection; so it has to be certain that no server has processed it; see greeting.unanswered.

// firstCallLimit is how large a call may be to go with the preface: what is written at once without waiting.
const firstCallLimit = 32 << 10

// firstCalls is how many calls of a client go with prefaces at once. Where more connect, the server may be so busy
// that it does not answer in time; then the others can still go over HTTP/2.
const firstCalls = 16

// answerTimeout is how much longer than others a call waits for the answer after it was sent with the preface: it
// cannot be sent again. HTTP/2 would wait as long. A call with WaitForReady waits to its end.
const answerTimeout = 5 * time.Second

// appendFirst appends the whole call, if it may go with the preface: not if open files go with it or may come with
// the answer, because it is not known yet whether the server takes and sends any, and not if stats handlers
// must be told when it begins.
func (u *unary) appendFirst(b []byte) []byte {
	if u.files != nil || u.client.conf.Stats != nil || u.client.unsure.Load() || filewalk.MayHold(u.reply) {
		return b
	}
	if u.encode(nil) != nil || u.request.Len() > copyLimit || wire.MetadataSize(u.md)+len(u.method) > firstCallLimit-copyLimit {
		return b
	}
	b = u.appendCall(b)
	b = wire.AppendFrameHeader(b, wire.KindMessage, u.request.Len())
	return append(u.request.AppendTo(b), endFrame...)
}

// lost returns the result of a call that went with the preface, when there is no answer to that for err and the
// call may have been processed.
func (u *unary) lost(err error) error {
	if ended := u.ended(); ended != nil {
		return u.client.conf.Unanswered(ended, false)
	}
	hungUp := !errors.Is(err, errNoAnswer)
	return u.client.conf.Unanswered(status.Errorf(codes.Unavailable, "error reading from server: %v", err), hungUp)
}

// greet makes the handshake on a new connection.
func (c *Client) greet(ctx context.Context, conn *conn, first *unary, late func()) (wire.Answer, error) {
	g := greeting{Conn: conn.UnixConn, bytes: appendGreeting(nil, c.conf.MaxFiles, c.rings != nil), closing: c.closing}
	if first != nil && c.pool.dialing() <= firstCalls && !c.pool.isClosed() {
		own := len(g.bytes)
		g.bytes = first.appendFirst(g.bytes)
		conn.firstSent = len(g.bytes) - own
		g.hasCall = conn.firstSent > 0
		if first.opts.failFast {
			g.limit = c.answerTimeout
		}
		g.late = func() {
			c.notAnswered()
			late()
		}
	}
	answer, err := g.exchange(ctx)
	if e := (errUncertain{}); errors.As(err, &e) {
		if errors.Is(err, io.EOF) && first.ended() == nil && c.hangsUp(ctx) {
			return answer, errPlain
		}
		if first.ended() == nil {
			c.unsure.Store(true)
			c.notAnswered()
		}
		return answer, first.lost(err)
	}
	if err == nil && g.hasCall {
		c.silentUntil.Store(nil)
	}
	if err == nil {
		c.unsure.Store(false)
	}
	return answer, err
}

// hangsUp reports whether the server speaks HTTP/2, and then ends also a connection on which there is no call, without
// an answer. A server of this protocol answers, so it is none: the call that has met the same end is unprocessed.
// net/http does so, when it speaks HTTP/2 only. A reset is not the same end: socat resets a connection whose server has
// gone, perhaps after it had processed the call. Something else in between may end it as plainly, but then the server
// behind it would not speak HTTP/2 either.
func (c *Client) hangsUp(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, prefaceTimeout)
	defer cancel()
	if !c.speaksHTTP2(ctx) {
		return false
	}
	uds, _, err := c.conf.Dial(ctx)
	if err != nil {
		return false // it may have been there a moment ago
	}
	defer uds.Close()
	g := greeting{Conn: uds, bytes: appendGreeting(nil, c.conf.MaxFiles, false), closing: c.closing}
	_, err = g.exchange(ctx)
	return errors.Is(err, errPlain) || errors.Is(err, io.EOF)
}

// greeting is what a client sends first, and how long it waits for the answer.
type greeting struct {
	net.Conn
	bytes   []byte // the preface and the introduction, and perhaps a call
	hasCall bool
	closing context.Context // ends with the client

	// For a call that waits longer than prefaceTimeout for the answer:
	limit time.Duration // for how long; 0 for as long as its context lasts
	late  func()        // called at the beginning
}

// expire ends what waits for the other end.
func (g *greeting) expire() { g.SetDeadline(time.Unix(0, 0)) }

// errUncertain is for a call that was sent, when it is not known whether it was processed.
type errUncertain struct{ error }

func (e errUncertain) Unwrap() error { return e.error }

// exchange sends a client's greeting and returns the server's answer. The error is an errUncertain if the
// server may have processed the call.
func (g *greeting) exchange(ctx context.Context) (wire.Answer, error) {
	g.SetDeadline(sooner(ctx, time.Now().Add(prefaceTimeout)))
	// A new socket has room for it, so that this does not wait. The rest is done while the server is woken.
	_, writeErr := g.Write(g.bytes)
	defer context.AfterFunc(g.closing, g.expire)()
	stop := func() bool { return true }
	if ctx.Done() != nil {
		stop = context.AfterFunc(ctx, g.expire)
		defer stop()
	}
	if writeErr != nil {
		return wire.Answer{}, noAnswer(writeErr) // the end of the call was not sent, so no server has begun it
	}
	var b [wire.AnswerLen]byte
	n, err := g.read(b[:], 0)
	if g.hasCall && isTimeout(err) && ctx.Err() == nil && !isOver(ctx) {
		n, err = g.waitLonger(ctx, b[:], n)
	}
	if !wire.BeginsAnswer(b[:n]) {
		return wire.Answer{}, errPlain
	}
	if err != nil {
		return wire.Answer{}, g.unanswered(ctx, err)
	}
	answer := wire.ParseAnswer(b[:])
	switch {
	case answer.Version == wire.Version:
	case answer.Full:
		return wire.Answer{}, errFull
	default:
		return wire.Answer{}, errPlain
	}
	if !stop() {
		return wire.Answer{}, g.unless(ctx.Err())
	}
	return answer, g.unless(g.SetDeadline(time.Time{}))
}

// waitLonger continues to read the answer, of which n bytes have come.
func (g *greeting) waitLonger(ctx context.Context, b []byte, n int) (int, error) {
	g.late()
	until := time.Time{}
	if g.limit > 0 {
		until = time.Now().Add(g.limit)
	}
	g.SetDeadline(sooner(ctx, until))
	if ctx.Err() != nil || g.closing.Err() != nil { // the function that ends the wait may have run before
		g.expire()
	}
	return g.read(b, n)
}

// read fills b, of which n bytes are there. It ends early if they begin no answer: who speaks another protocol may
// say less than b and wait.
func (g *greeting) read(b []byte, n int) (int, error) {
	for n < len(b) && wire.BeginsAnswer(b[:n]) {
		m, err := g.Read(b[n:])
		n += m
		switch {
		case n == len(b) || err == nil:
		case err == io.EOF && n > 0:
			return n, io.ErrUnexpectedEOF
		default:
			return n, err
		}
	}
	return n, nil
}

// unanswered returns why there is no answer.
//
// If something that this end has sent was not read when the other end closed the connection, that is a reset.
// The end of the call is the last that was sent, and no server begins a unary call before it has read that.
// After an ordinary end everything was read. A server of this protocol answers before it begins a call. But the
// answer may have been lost in something in between that passes on bytes, such as socat; see hangsUp.
func (g *greeting) unanswered(ctx context.Context, err error) error {
	switch {
	case isReset(err):
		return noAnswer(err)
	case isTimeout(err) && ctx.Err() == nil && !isOver(ctx):
		return g.unless(errNoAnswer)
	case g.hasCall:
		return errUncertain{err}
	}
	return noAnswer(err)
}

// unless returns an error for which the call, if there is one, may have been processed.
func (g *greeting) unless(err error) error {
	if err != nil && g.hasCall {
		return errUncertain{err}
	}
	return err
}
