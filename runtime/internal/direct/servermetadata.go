package direct

import (
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
