package direct

import (
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/udsgrpc/udsgrpc/runtime/internal/direct/wire"
)

// errHeaderSent is grpc's.
var errHeaderSent = status.Error(codes.Internal, "transport: SendHeader called multiple times")

func (s *serverStream) SetHeader(md metadata.MD) error {
	if md.Len() == 0 {
		return nil
	}
	if err := wire.ValidateMetadata(md); err != nil {
		return status.Error(codes.Internal, err.Error())
	}
	return (*transportStream)(s).SetHeader(md)
}

func (s *serverStream) SendHeader(md metadata.MD) error {
	if err := wire.ValidateMetadata(md); err != nil {
		return status.Error(codes.Internal, err.Error())
	}
	return (*transportStream)(s).SendHeader(md)
}

func (s *serverStream) SetTrailer(md metadata.MD) { (*transportStream)(s).SetTrailer(md) }

// transportStream is the [grpc.ServerTransportStream] of a call, for [grpc.SetHeader] and the like. As in
// grpc it does not validate.
type transportStream serverStream

func (t *transportStream) Method() string { return t.fullName }

func (t *transportStream) SetHeader(md metadata.MD) error {
	s := (*serverStream)(t)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.answer != answeringOpen || s.call.ended.Load() {
		return errHeaderSent
	}
	s.header = metadata.Join(s.header, md)
	return nil
}

func (t *transportStream) SendHeader(md metadata.MD) error {
	s := (*serverStream)(t)
	last := !s.requestEnded()
	s.mu.Lock()
	defer s.unlock()
	switch {
	case s.call.ended.Load():
		return s.contextError()
	case s.answer != answeringOpen:
		return errHeaderSent
	}
	s.header = metadata.Join(s.header, md)
	err := s.queueHeader()
	if err != nil {
		s.queueStatus(status.Convert(err), last)
	}
	s.out.send(false)
	switch {
	case err == wire.ErrHeaderSize:
		return err
	case err != nil:
		return nil // the client reports that it is wrong
	case s.out.err != nil:
		return s.contextError()
	}
	return nil
}

func (t *transportStream) SetTrailer(md metadata.MD) error {
	s := (*serverStream)(t)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.answer == answeringStatus || s.call.ended.Load() {
		return errHeaderSent
	}
	s.trailer = metadata.Join(s.trailer, md)
	return nil
}

// queueHeader queues the header frame. The caller holds mu.
func (s *serverStream) queueHeader() error {
	s.answer = answeringHeader
	md := wire.Sendable(s.header)
	if err := wire.CheckAnswerMetadata(md); err != nil {
		return err
	}
	if wire.MetadataSize(md) > wire.MaxControl {
		return wire.ErrHeaderSize
	}
	b := s.out.chunk(0)
	n := len(*b)
	frame, start := wire.OpenFrame(*b, wire.KindHeader)
	frame = wire.AppendMetadata(frame, md)
	wire.CloseFrame(frame, start)
	*b = frame
	s.out.queued += len(frame) - n
	s.sentHeader()
	return nil
}
