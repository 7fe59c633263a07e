package direct

import (
	"context"
	"errors"
	"io"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/udsgrpc/udsgrpc/runtime/internal/direct/wire"
	"github.com/udsgrpc/udsgrpc/runtime/internal/filewalk"
)

var unaryDesc grpc.StreamDesc

// Invoke makes a unary call. See [grpc.ClientConn.Invoke].
//
// The calling goroutine writes the request and reads the answer itself. Only the function that closes the
// connection when ctx ends knows of the call too.
func (c *Client) Invoke(ctx context.Context, method string, args, reply any, opts []grpc.CallOption) error {
	u := unary{call: call{client: c, desc: &unaryDesc, method: method}, args: args, reply: reply}
	if err := u.prepare(ctx, opts); err != nil {
		return u.notCarried(err, args)
	}
	var err error
	if u.files, err = filewalk.ForSending(args); err != nil {
		return u.notSent(err)
	}
	defer u.files.Done()
	defer u.request.Free()
	if c.conf.Stats != nil {
		u.beginTime = time.Now() // the wait for a turn or a connection is part of the call
	}
	if c.rings.takesTurns() {
		if u.turn, err = c.rings.turns.take(ctx); err != nil {
			return u.notSent(status.FromContextError(err).Err())
		}
		defer c.rings.turns.give(u.turn)
	}
	conn, err := c.acquireFor(ctx, u.desc, &u)
	if err != nil {
		if conn, err = u.acquireForFiles(err); err != nil {
			if err = u.notBegun(err); errors.Is(err, ErrHTTP2) {
				return ErrHTTP2
			}
			return err
		}
	}
	return u.invoke(conn)
}

// unary is a unary call. Only the calling goroutine uses it.
type unary struct {
	call
	response
	args     any             // the request
	reply    any             // where the answer goes
	files    *filewalk.Files // that go with the request; nil for none
	request  wire.Payload    // args as bytes
	encoded  bool            // request was made
	sent     bool            // stats handlers have seen the request
	turn     bool            // it is this call's turn
	answered bool            // the status was received, or what arrives no longer counts
	unread   int             // bytes of a message that is too large
}

// invoke makes the call on conn, or on another connection as long as the call is unprocessed.
func (u *unary) invoke(conn *conn) error {
	u.begin(&conn.peer)
	if u.observed() {
		u.trailer = metadata.MD{}
	}
	if err := u.encode(conn); err != nil {
		u.client.pool.put(conn)
		u.finish(err, &u.response, &conn.peer)
		return err
	}
	for tries := 0; ; tries++ {
		err := u.exchange(conn)
		if !errors.Is(err, errUnprocessed) {
			return u.end(conn, err)
		}
		if tries == maxTries || u.caller.Err() != nil || u.client.pool.isClosed() {
			u.client.pool.drop(conn)
			return u.end(conn, u.connError(err, conn.generation))
		}
		generation := conn.generation
		next, err := u.client.replace(u.caller, conn, u)
		if err != nil {
			next, err = u.acquireForFiles(err)
		}
		if err != nil {
			switch {
			case isStatus(err):
				return u.end(conn, err)
			case u.caller.Err() == nil:
				return u.abandon()
			}
			return u.end(conn, u.connError(err, generation))
		}
		conn = next
	}
}

// encode makes the request, unless it was made. A small one is in the memory of conn, if that is not nil.
func (u *unary) encode(conn *conn) (err error) {
	if u.encoded {
		return nil
	}
	var scratch []byte
	if conn != nil {
		scratch = conn.scratch[:0]
	}
	u.request, err = u.client.codec.marshal(u.args, u.opts.maxSend, scratch)
	u.encoded = err == nil
	if conn != nil && err == nil && u.request.Slices == nil {
		conn.scratch = u.request.Bytes
	}
	return err
}

// end ends the call with err, nil for success.
func (u *unary) end(conn *conn, err error) error {
	u.finish(err, &u.response, &conn.peer)
	return err
}

// exchange sends the call and receives the answer. If the error is errUnprocessed, the call is unprocessed
// and the connection is of no further use. Otherwise the connection was given back or closed.
func (u *unary) exchange(conn *conn) error {
	watch := u.watch(conn)
	taken, writeErr := u.send(conn)
	if refusal := refusalOf(u.files, taken, writeErr); refusal != nil {
		u.answered = true
		if !watch.end() {
			u.client.pool.drop(conn)
		} else {
			u.client.pool.put(conn)
		}
		return refusal
	}
	if !u.sent {
		u.sent = true
		u.sentMessage(u.args, u.request.Len())
	}
	clean, err := u.receive(conn, writeErr != nil)
	if !watch.end() {
		clean = false
	}
	switch {
	case errors.Is(err, errUnprocessed):
	case clean && writeErr == nil && conn.settled():
		conn.trim()
		conn.rd.FreeBuffer()
		u.client.pool.put(conn)
	default:
		u.receiveRest(conn)
		u.client.pool.drop(conn)
	}
	return err
}

// receiveRest receives what has arrived of a call that was given up, other than its message.
func (u *unary) receiveRest(conn *conn) {
	if u.answered || !u.observed() {
		return
	}
	conn.shutDown()
	rd := &conn.rd
	if u.unread > 0 {
		io.CopyN(io.Discard, rd, int64(u.unread))
	}
	for {
		k, n, err := conn.next()
		switch {
		case err != nil:
			return
		case k == wire.KindHeader && u.receiveHeader(rd, n) == nil:
		case k == wire.KindMessage:
			u.impliedHeader()
			if _, err := io.CopyN(io.Discard, rd, int64(n)); err != nil {
				return
			}
		case k == wire.KindStatus:
			if h, err := rd.Status(n); err == nil {
				u.trailer, _ = u.receivedStatus(&h, &u.response, n+wire.FrameHeaderLen)
			}
			return
		default:
			return
		}
	}
}

// send writes the whole call, unless it went with the preface. Its error is not the error of the call yet: the
// server may have answered.
func (u *unary) send(conn *conn) (taken int, err error) {
	if conn.firstSent > 0 {
		taken, conn.firstSent = conn.firstSent, 0
		return taken, nil
	}
	if u.files == nil {
		return u.write(conn)
	}
	if !conn.takesFiles {
		return 0, errTakesNoFiles
	}
	err = u.files.Descriptors(func(fds []int) (err error) {
		conn.passing = rights(fds)
		taken, err = u.write(conn)
		return err
	})
	return taken, err
}

func (u *unary) write(conn *conn) (taken int, err error) {
	n := u.request.Len()
	b := u.appendCall(conn.out[:0])
	if u.files != nil {
		b = wire.AppendFilesFrame(b, u.files.IDs())
	}
	b = wire.AppendFrameHeader(b, wire.KindMessage, n)
	if n > copyLimit {
		taken, err = conn.writeAll(b, u.request, endFrame)
	} else {
		b = append(u.request.AppendTo(b), endFrame...)
		taken, err = conn.writeAll(b, wire.Payload{}, nil)
	}
	conn.out = b
	return taken, err
}

// receive receives the answer. The kernel has not accepted the end of the call if cut is set. receive reports whether
// the connection can carry another call.
func (u *unary) receive(conn *conn, cut bool) (clean bool, err error) {
	rd := &conn.rd
	for first := true; ; first = false {
		k, n, err := conn.next()
		if first && (err != nil && (cut || conn.unread(err)) || err == nil && k == wire.KindGoAway) {
			return false, errUnprocessed
		}
		if err == nil && conn.waited && u.caller.Err() != nil {
			u.answered = true // the cancellation happened first
			return false, u.connError(u.caller.Err(), conn.generation)
		}
		if err == nil {
			switch k {
			case wire.KindHeader:
				err = u.receiveHeader(rd, n)
			case wire.KindMessage:
				err = u.receiveMessage(conn, n)
			case wire.KindStatus:
				var h wire.Status
				if h, err = rd.Status(n); err == nil {
					u.answered = true
					u.trailer, err = u.receivedStatus(&h, &u.response, n+wire.FrameHeaderLen)
					return !h.Last, err
				}
			default:
				err = unexpectedFrame(k)
			}
		}
		switch {
		case err == nil:
		case isStatus(err):
			return false, err
		default:
			return false, u.connError(err, conn.generation)
		}
	}
}

func (u *unary) receiveHeader(rd *wire.Reader, n int) error {
	if u.hasHeader {
		return errHeaderTwice
	}
	md, err := rd.Metadata(n)
	if err != nil {
		return err
	}
	u.hasHeader, u.header = true, u.receivedHeader(md, n+wire.FrameHeaderLen)
	return nil
}

// impliedHeader sets the header of an answer that begins with a message: there is nothing in it.
func (u *unary) impliedHeader() {
	if !u.hasHeader {
		u.hasHeader, u.header = true, u.receivedHeader(nil, wire.FrameHeaderLen)
	}
}

func (u *unary) receiveMessage(conn *conn, n int) error {
	files := conn.files.take()
	defer files.close() // unless they are delivered
	if u.messages > 0 {
		return errTooManyMessages
	}
	u.impliedHeader()
	if n > u.opts.maxRecv {
		u.unread = n
		return tooLarge(n, u.opts.maxRecv)
	}
	p, err := conn.rd.Message(n)
	if err != nil {
		return err
	}
	if err := u.client.codec.unmarshal(p, u.reply); err != nil {
		return err
	}
	if err := files.deliver(u.reply); err != nil {
		return err
	}
	u.messages++
	u.receivedMessage(u.reply, n)
	return nil
}
