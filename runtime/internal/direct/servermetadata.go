package direct

import (
	"sync"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/stats"
	"google.golang.org/grpc/status"
)

var (
	// errHeaderSent is grpc's.
	errHeaderSent = status.Error(codes.Internal, "transport: SendHeader called multiple times")
	errHeaderSize = status.Error(codes.Internal, "transport: trying to send header list size larger than the limit set by peer")
)

// serverMetadata is what a handler says besides messages. It has a mutex of its own: who sends may wait
// for the client, and who sets a trailer must not.
type serverMetadata struct {
	mu         sync.Mutex
	header     metadata.MD
	trailer    metadata.MD
	headerSent bool
	ended      bool
}

func (m *serverMetadata) addHeader(md metadata.MD) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.headerSent || m.ended {
		return errHeaderSent
	}
	m.header = metadata.Join(m.header, md)
	return nil
}

func (m *serverMetadata) addTrailer(md metadata.MD) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.ended {
		return errHeaderSent
	}
	m.trailer = metadata.Join(m.trailer, md)
	return nil
}

// state reports whether the header was sent, and whether there is anything in it.
func (m *serverMetadata) state() (sent, set bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.headerSent, m.header.Len() > 0
}

// sendHeader returns the header, to which nothing can be added any more.
func (m *serverMetadata) sendHeader() metadata.MD {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.headerSent = true
	return m.header
}

// end reports whether there is a header that was not sent, and returns the trailer. Nothing can be added
// any more.
func (m *serverMetadata) end() (withHeader bool, trailer metadata.MD) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.ended = true
	return !m.headerSent && m.header.Len() > 0, m.trailer
}

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

func (t *transportStream) SetHeader(md metadata.MD) error { return t.md.addHeader(md) }

func (t *transportStream) SendHeader(md metadata.MD) error {
	s := (*serverStream)(t)
	s.mu.Lock()
	defer s.unlock()
	if s.done {
		return s.contextError()
	}
	if err := s.md.addHeader(md); err != nil {
		return err
	}
	s.conn.pendingMu.Lock()
	if err := s.appendHeader(); err != nil {
		s.conn.pendingMu.Unlock()
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

func (t *transportStream) SetTrailer(md metadata.MD) error { return t.md.addTrailer(md) }

// appendHeader appends the header frame. The caller holds mu and the connection's.
func (s *serverStream) appendHeader() error {
	header := s.md.sendHeader()
	md := sendable(header)
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
	s.statsHeader(header)
	return nil
}

func (s *serverStream) statsHeader(header metadata.MD) {
	if hs := s.conn.server.conf.Stats; hs != nil {
		hs.rpc(s.ctx, &stats.OutHeader{Header: header.Copy()})
	}
}
