package direct

import (
	"context"
	"errors"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/stats"
	"google.golang.org/grpc/status"

	"github.com/udsgrpc/udsgrpc/runtime/internal/direct/wire"
)

// errClosing is grpc's, for calls of a client that was closed.
var errClosing = status.Error(codes.Canceled, "grpc: the client connection is closing")

// errUnprocessed is for a call that no server has processed.
var errUnprocessed = errors.New("no server has processed the call")

// endFrame says that there are no more messages.
var endFrame = wire.AppendFrameHeader(nil, wire.KindEnd, 0)

// call is what a unary call and a client stream have in common. It does not change once the call has
// begun.
type call struct {
	client *Client
	desc   *grpc.StreamDesc
	method string
	opts   callOptions
	md     metadata.MD // what is sent

	caller    context.Context // the program's
	ctx       context.Context // the same, with what stats handlers have added
	beginTime time.Time       // for stats handlers
}

// prepare checks what a program asks for. The error is an ErrHTTP2 if the call has to go over HTTP/2.
func (c *call) prepare(ctx context.Context, opts []grpc.CallOption) error {
	c.caller, c.ctx = ctx, ctx
	if !c.opts.apply(c.client, opts) {
		return noConn(errOption)
	}
	if !wire.IsSendableMethod(c.method) {
		return noConn(errMethodName)
	}
	if md, ok := metadata.FromOutgoingContext(ctx); ok {
		if wire.ValidateMetadata(md) != nil || wire.MetadataSize(md)+len(c.method) > wire.MaxControl {
			return noConn(errMetadata)
		}
		c.md = wire.Sendable(md)
	}
	if err := ctx.Err(); err != nil {
		err = status.FromContextError(err).Err()
		c.opts.finished(err)
		return err
	}
	return nil
}

// notBegun returns the error of a call that got no connection: err, or the error of its context if that
// ended while the call waited for a server.
func (c *call) notBegun(err error) error {
	if errors.Is(err, ErrHTTP2) {
		if c.caller.Err() == nil && !isOver(c.caller) || !c.client.answers() {
			return err
		}
		err = c.overErr()
	}
	return c.notSent(err)
}

// begin tells stats handlers that the call begins. The peer is p, if that is not nil.
func (c *call) begin(p *peer.Peer) {
	hs := c.client.conf.Stats
	if hs == nil {
		return
	}
	if c.beginTime.IsZero() {
		c.beginTime = time.Now()
	}
	c.ctx = hs.tagRPC(c.caller, &stats.RPCTagInfo{FullMethodName: c.method, FailFast: c.opts.failFast})
	// A stats handler may have added what carries a trace.
	md, _ := metadata.FromOutgoingContext(c.ctx)
	c.md = wire.Sendable(md)
	hs.rpc(c.ctx, &stats.Begin{
		Client:         true,
		BeginTime:      c.beginTime,
		FailFast:       c.opts.failFast,
		IsClientStream: c.desc.ClientStreams,
		IsServerStream: c.desc.ServerStreams,
	})
	if p == nil {
		return
	}
	hs.rpc(c.ctx, &stats.OutHeader{
		Client:     true,
		FullMethod: c.method,
		Authority:  wire.Authority,
		RemoteAddr: p.Addr,
		LocalAddr:  p.LocalAddr,
		Header:     metadata.Join(c.md, metadata.MD{"user-agent": {wire.UserAgent}}),
	})
}

// appendCall appends the frame that begins the call.
func (c *call) appendCall(b []byte) []byte {
	timeout := time.Duration(0)
	if deadline, ok := c.caller.Deadline(); ok {
		timeout = max(time.Until(deadline), 1)
	}
	b, start := wire.OpenFrame(b, wire.KindCall)
	b = wire.AppendCallHeader(b, timeout, c.method, c.md)
	wire.CloseFrame(b, start)
	return b
}

func (c *call) sentMessage(m any, n int) {
	if hs := c.client.conf.Stats; hs != nil {
		hs.rpc(c.ctx, &stats.OutPayload{Client: true, Payload: m, Length: n, WireLength: n + wire.FrameHeaderLen, CompressedLength: n, SentTime: time.Now()})
	}
}

func (c *call) receivedMessage(m any, n int) {
	if hs := c.client.conf.Stats; hs != nil {
		hs.rpc(c.ctx, &stats.InPayload{Client: true, RecvTime: time.Now(), Payload: m, Length: n, WireLength: n + wire.FrameHeaderLen, CompressedLength: n})
	}
}

// observed reports whether the program can see the header and the trailer. For most unary calls it cannot.
func (c *call) observed() bool {
	return c.desc != &unaryDesc || c.opts.after != nil || c.client.conf.Stats != nil
}

// response is what was received besides messages.
type response struct {
	hasHeader bool // a header or a message was received
	header    metadata.MD
	trailer   metadata.MD
	messages  int // how many were received
}

// receivedHeader completes the header, which is nil if a message was received without one.
func (c *call) receivedHeader(md metadata.MD, wireLength int) metadata.MD {
	if !c.observed() {
		return md
	}
	if md == nil {
		md = metadata.MD{}
	}
	md["content-type"] = []string{wire.ContentType}
	if hs := c.client.conf.Stats; hs != nil {
		hs.rpc(c.ctx, &stats.InHeader{Client: true, WireLength: wireLength, Header: md.Copy()})
	}
	return md
}

// receivedStatus returns the result of the call, io.EOF for success, and the trailer.
func (c *call) receivedStatus(h *wire.Status, r *response, wireLength int) (metadata.MD, error) {
	md := h.Trailer
	if c.observed() {
		if md == nil {
			md = metadata.MD{}
		}
		if !r.hasHeader {
			// Over HTTP/2 such a trailer would have been a header as well.
			md["content-type"] = []string{wire.ContentType}
		}
	}
	if hs := c.client.conf.Stats; hs != nil {
		hs.rpc(c.ctx, &stats.InTrailer{Client: true, WireLength: wireLength, Trailer: md.Copy()})
	}
	err := h.Err()
	if err == nil && !c.desc.ServerStreams && r.messages == 0 {
		err = status.Error(codes.Internal, "cardinality violation: received no response message from non-server-streaming RPC")
	}
	return md, err
}

// Violations by a server.
var (
	errHeaderTwice = wire.Violation("the server sends a header after the header")
	errGoesAway    = wire.Violation("the server goes away in the middle of a call")
)

// unexpectedFrame is the error for a frame of kind k in an answer.
func unexpectedFrame(k wire.Kind) error {
	if k == wire.KindGoAway {
		return errGoesAway
	}
	return wire.Violationf("the server sends a frame of kind %q", k)
}

// isStatus returns the status of a call for an error of its connection.
func isStatus(err error) bool {
	_, ok := status.FromError(err)
	return ok
}

var errTooManyMessages = status.Error(codes.Internal, "cardinality violation: expected <EOF> for non server-streaming RPCs, but received another message")

// finish tells stats handlers and call options the result of the call; nil is success.
func (c *call) finish(err error, r *response, p *peer.Peer) {
	if hs := c.client.conf.Stats; hs != nil {
		hs.rpc(c.ctx, &stats.End{Client: true, BeginTime: c.beginTime, EndTime: time.Now(), Trailer: r.trailer, Error: err})
	}
	if c.opts.after != nil {
		c.opts.answered(r.header, r.trailer, p)
		c.opts.finished(err)
	}
}

// abandon ends a unary call that goes over HTTP/2 instead. Only stats handlers have seen it.
func (c *call) abandon() error {
	if hs := c.client.conf.Stats; hs != nil {
		err := status.Error(codes.Unavailable, ErrHTTP2.Error())
		hs.rpc(c.ctx, &stats.End{Client: true, BeginTime: c.beginTime, EndTime: time.Now(), Error: err})
	}
	return ErrHTTP2
}

// ended returns the error of a call that this end has ended; nil if it has not.
func (c *call) ended() error {
	if err := c.caller.Err(); err != nil {
		return status.FromContextError(err).Err()
	}
	if isOver(c.caller) {
		// The server may reach the same deadline a little before the context here.
		return status.FromContextError(context.DeadlineExceeded).Err()
	}
	if c.client.pool.isClosed() {
		return errClosing
	}
	return nil
}

// connError returns the error of a call whose connection, of that generation, no longer works.
func (c *call) connError(err error, generation int64) error {
	if ended := c.ended(); ended != nil {
		return ended
	}
	if v := wire.Violation(""); errors.As(err, &v) {
		return status.Error(codes.Internal, err.Error())
	}
	if errors.Is(err, ErrHTTP2) {
		return status.Error(codes.Unavailable, "the server has gone before the call began")
	}
	c.client.lost(generation)
	return status.Errorf(codes.Unavailable, "error reading from server: %v", err)
}
