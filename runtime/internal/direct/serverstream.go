package direct

import (
	"bytes"
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/stats"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// serverStream is a call in the server. It is the [grpc.ServerStream] of its handler.
type serverStream struct {
	conn     *serverConn
	call     callContext
	ctx      context.Context // call, with what stats handlers have added
	fullName string
	method   *method

	wireLength int // of the call frame

	// What the client has sent.
	receiving  sync.Mutex // held while somebody receives
	received   bool       // the call is over; the connection may serve another
	request    payload    // the only message, of a client that sends one
	requested  bool       // it is there, and was not received
	requestErr error      // what was wrong with it
	ended      bool       // the client has sent all
	unread     bool       // the client has sent what was not read

	pacing pacing

	mu         sync.Mutex // guards what follows, and sending
	header     metadata.MD
	headerSent bool
	trailer    metadata.MD
	reply      payload // the only message, of a server that sends one; it goes with the status
	held       bool    // it is there, and was not sent
	replied    bool
	done       bool // the status was sent
	unsent     bool // no, it could not be
	last       bool // with it the connection ends
}

var (
	// errHeaderSent is grpc's.
	errHeaderSent = status.Error(codes.Internal, "transport: SendHeader called multiple times")
	errHeaderSize = status.Error(codes.Internal, "transport: trying to send header list size larger than the limit set by peer")
)

func (s *serverStream) Context() context.Context { return s.ctx }

func (s *serverStream) SetHeader(md metadata.MD) error {
	if md.Len() == 0 {
		return nil
	}
	if err := validate(md); err != nil {
		return status.Error(codes.Internal, err.Error())
	}
	return (*transportStream)(s).SetHeader(md)
}

func (s *serverStream) SendHeader(md metadata.MD) error {
	if err := validate(md); err != nil {
		return status.Error(codes.Internal, err.Error())
	}
	return (*transportStream)(s).SendHeader(md)
}

func (s *serverStream) SetTrailer(md metadata.MD) { (*transportStream)(s).SetTrailer(md) }

// transportStream is the [grpc.ServerTransportStream] of a call, for [grpc.SetHeader] and its like.
// As in grpc it does not validate.
type transportStream serverStream

func (t *transportStream) Method() string { return t.fullName }

func (t *transportStream) SetHeader(md metadata.MD) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.headerSent || t.done {
		return errHeaderSent
	}
	t.header = metadata.Join(t.header, md)
	return nil
}

func (t *transportStream) SendHeader(md metadata.MD) error {
	s := (*serverStream)(t)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.done {
		return s.contextError()
	}
	if s.headerSent {
		return errHeaderSent
	}
	if md.Len() > 0 {
		s.header = metadata.Join(s.header, md)
	}
	s.conn.conn.mu.Lock()
	if err := s.appendHeader(); err != nil {
		s.conn.conn.mu.Unlock()
		s.sendStatus(status.Convert(err))
		if err == errHeaderSize {
			return err
		}
		return nil // it is the client that finds it wrong
	}
	if s.conn.flushNow() != nil {
		return s.contextError()
	}
	return nil
}

func (t *transportStream) SetTrailer(md metadata.MD) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.done {
		return errHeaderSent
	}
	t.trailer = metadata.Join(t.trailer, md)
	return nil
}

// appendHeader appends the header frame. The caller holds mu and the connection's.
func (s *serverStream) appendHeader() error {
	s.headerSent = true
	md := sendable(s.header)
	if err := unreadable(md); err != nil {
		return err
	}
	if sizeOf(md) > maxHead {
		return errHeaderSize
	}
	b, start := openFrame(s.conn.pending, kindHeader)
	b = appendMetadata(b, md)
	closeFrame(b, start)
	s.conn.pending = b
	s.statsHeader()
	return nil
}

func (s *serverStream) statsHeader() {
	if hs := s.conn.server.conf.Stats; hs != nil {
		hs.rpc(s.ctx, &stats.OutHeader{Header: s.header.Copy()})
	}
}

// contextError is for a client to whom nothing can be sent any more, and from whom nothing comes.
func (s *serverStream) contextError() error {
	err := s.call.Err()
	if err == nil {
		err = context.Canceled // by the client; the news of that is on its way
		s.call.end()
	}
	return status.FromContextError(err).Err()
}

// SendMsg sends a message. As in grpc, the first error is the status of the call, whatever the
// handler returns later.
func (s *serverStream) SendMsg(m any) error {
	n, err := s.send(m)
	if err != nil {
		s.abort(err)
		return err
	}
	if hs := s.conn.server.conf.Stats; hs != nil {
		hs.rpc(s.ctx, &stats.OutPayload{Payload: m, Length: n, WireLength: n + frameHeaderLen, CompressedLength: n, SentTime: time.Now()})
	}
	return nil
}

// send returns the message's size.
func (s *serverStream) send(m any) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var scratch []byte
	if !s.done && !s.held {
		scratch = s.conn.scratch[:0]
	}
	data, err := s.conn.server.codec.marshal(m, defaultMaxSend, scratch)
	if err != nil {
		return 0, err
	}
	if s.done {
		// The connection may serve another call by now.
		data.free()
		return 0, s.contextError()
	}
	if data.slices == nil {
		s.conn.scratch = data.b
	}
	n := data.len()
	return n, s.sendPayload(data)
}

// sendPayload takes data over. The caller holds mu.
func (s *serverStream) sendPayload(data payload) error {
	if !s.method.desc.ServerStreams && !s.replied {
		// The client needs it and the status to go on, so they go together.
		s.reply, s.held, s.replied = data, true, true
		s.conn.conn.mu.Lock()
		defer s.conn.conn.mu.Unlock()
		return s.endHeader()
	}
	defer data.free()
	soon := s.pacing.soon()
	c := s.conn.conn
	c.mu.Lock()
	if err := errors.Join(s.endHeader(), s.appendHeld(nil)); err != nil {
		c.mu.Unlock()
		return err
	}
	if c.appendMessage(data, nil) != nil {
		c.mu.Unlock()
		return s.contextError()
	}
	flush := c.flushNow
	if soon {
		flush = c.flushSoon
	}
	if flush() != nil {
		return s.contextError()
	}
	return nil
}

// endHeader appends the header, if there is one and it was not sent; no more can be set. The caller
// holds mu and the connection's.
func (s *serverStream) endHeader() error {
	switch {
	case s.headerSent:
	case s.header.Len() > 0:
		return s.appendHeader()
	default:
		s.headerSent = true // a message says so
		s.statsHeader()
	}
	return nil
}

// appendHeld appends the reply, if it was held back, and the frames after that. The caller holds
// mu and the connection's.
func (s *serverStream) appendHeld(after []byte) error {
	if !s.held {
		s.conn.pending = append(s.conn.pending, after...)
		return nil
	}
	defer s.dropReply()
	if s.conn.appendMessage(s.reply, after) != nil {
		return s.contextError()
	}
	return nil
}

func (s *serverStream) dropReply() {
	s.reply.free()
	s.held = false
}

// readRequest reads the request of a client that sends one message, up to its end.
func (s *serverStream) readRequest() error {
	rd, limit := &s.conn.rd, s.conn.server.conf.MaxRecv
	k, n, err := rd.header()
	if err != nil {
		return unexpectedEOF(err)
	}
	switch {
	case k == kindEnd && n == 0:
		s.ended = true
		s.requestErr = status.Error(codes.Internal, "cardinality violation: received no request message from non-client-streaming RPC")
		return nil
	case k != kindMessage:
		return violationf("a frame of kind %q instead of a request", k)
	case n > limit:
		s.unread = true
		s.requestErr = tooLarge(n, limit)
		return nil
	}
	if s.request, err = rd.message(n); err != nil {
		return err
	}
	s.requested = true
	if rd.w-rd.r < frameHeaderLen {
		s.request.b = bytes.Clone(s.request.b) // what follows overwrites the buffer
	}
	k, n, err = rd.header()
	switch {
	case err != nil:
		return unexpectedEOF(err)
	case k == kindEnd && n == 0:
		s.ended = true
	case k == kindMessage:
		s.unread = true
		s.requestErr = status.Error(codes.Internal, "cardinality violation: received multiple request messages for non-client-streaming RPC")
	default:
		return violationf("a frame of kind %q after the request", k)
	}
	return nil
}

// RecvMsg receives a message. An error, but for io.EOF, is the status of the call.
func (s *serverStream) RecvMsg(m any) error {
	n, err := s.receive(m)
	if err != nil {
		if err != io.EOF {
			s.abort(err)
		}
		return err
	}
	if hs := s.conn.server.conf.Stats; hs != nil {
		hs.rpc(s.ctx, &stats.InPayload{RecvTime: time.Now(), Payload: m, Length: n, WireLength: n + frameHeaderLen, CompressedLength: n})
	}
	if !s.method.desc.ClientStreams && s.requestErr != nil {
		s.abort(s.requestErr)
		return s.requestErr
	}
	return nil
}

// receive returns the message's size.
func (s *serverStream) receive(m any) (int, error) {
	s.receiving.Lock()
	defer s.receiving.Unlock()
	if s.received {
		return 0, s.contextError()
	}
	p, err := s.next()
	if err != nil {
		return 0, err
	}
	n := p.len()
	return n, s.conn.server.codec.unmarshal(p, m)
}

// next returns the next message, which is good until the one after it. The caller holds receiving.
func (s *serverStream) next() (payload, error) {
	if !s.method.desc.ClientStreams {
		switch {
		case s.requested:
			s.requested = false
			return s.request, nil
		case s.requestErr != nil:
			return payload{}, s.requestErr
		default:
			return payload{}, io.EOF
		}
	}
	if s.ended {
		return payload{}, io.EOF
	}
	s.conn.flushPending()
	s.pacing.received.Store(true)
	rd, limit := &s.conn.rd, s.conn.server.conf.MaxRecv
	k, n, err := rd.header()
	switch {
	case err != nil:
		return payload{}, s.lost(err)
	case k == kindEnd && n == 0:
		s.ended = true
		return payload{}, io.EOF
	case k != kindMessage:
		return payload{}, s.lost(violationf("a frame of kind %q instead of a message", k))
	case n > limit:
		s.unread = true
		return payload{}, tooLarge(n, limit)
	}
	b, err := rd.message(n)
	if err != nil {
		return payload{}, s.lost(err)
	}
	return b, nil
}

// lost is for a connection from which no more can be read.
func (s *serverStream) lost(err error) error {
	s.unread = true
	if v := violation(""); errors.As(err, &v) {
		return status.Error(codes.Internal, err.Error())
	}
	return s.contextError()
}

// abort ends the call with the status of err.
func (s *serverStream) abort(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sendStatus(status.Convert(err))
}

// sendStatus sends what was held back and the status, once. The caller holds mu.
func (s *serverStream) sendStatus(st *status.Status) {
	if s.done {
		return
	}
	s.done = true
	s.last = !s.requestEnded()
	s.conn.conn.mu.Lock()
	if !s.headerSent && s.header.Len() > 0 {
		if err := s.appendHeader(); err != nil {
			st, s.trailer = status.Convert(err), nil
		}
	}
	s.appendHeld(s.statusFrame(st))
	s.unsent = s.conn.flushNow() != nil
	if s.unsent {
		return // the client has gone
	}
	if hs := s.conn.server.conf.Stats; hs != nil {
		hs.rpc(s.ctx, &stats.OutTrailer{Trailer: s.trailer.Copy()})
	}
}

// finish sends the status, and reports whether the connection can have another call.
func (s *serverStream) finish(st *status.Status) (again bool) {
	s.mu.Lock()
	s.sendStatus(st)
	unsent, last := s.unsent, s.last
	s.mu.Unlock()
	// A handler may have left a goroutine behind that receives.
	if !s.receiving.TryLock() {
		return false
	}
	defer s.receiving.Unlock()
	s.received = true
	if s.requested {
		s.request.free()
	}
	switch {
	case unsent:
		return false // the client has gone
	case last:
		s.conn.discard()
		return false
	}
	return true
}

// requestEnded reports whether all that the client sends in this call was read, so that the next
// comes after it.
func (s *serverStream) requestEnded() bool {
	if !s.receiving.TryLock() {
		return false
	}
	defer s.receiving.Unlock()
	if !s.ended && !s.unread && s.conn.rd.buffered(kindEnd) {
		_, n, _ := s.conn.rd.header()
		s.ended = n == 0
	}
	return s.ended
}

const detailsKey = "grpc-status-details-bin"

func (s *serverStream) statusFrame(st *status.Status) []byte {
	md := sendable(s.trailer)
	if err := unreadable(md); err != nil {
		st, md = status.Convert(err), nil
	}
	// Not all is UTF-8 that handlers return, and status messages must be.
	h := statusHead{last: s.last, code: uint32(st.Code()), message: string([]rune(st.Message())), md: md}
	if st.Code() != codes.OK {
		if p := st.Proto(); len(p.GetDetails()) > 0 {
			if details, err := proto.Marshal(p); err == nil {
				h.md = metadata.Join(h.md, nil)
				h.md[detailsKey] = []string{string(details)}
			}
		}
	}
	if sizeOf(h.md)+len(h.message) > maxHead {
		st := status.Convert(errHeaderSize)
		h = statusHead{last: s.last, code: uint32(st.Code()), message: st.Message()}
	}
	b, start := openFrame(nil, kindStatus)
	b = h.append(b)
	closeFrame(b, start)
	return b
}
