package direct

import (
	"context"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/stats"
	"google.golang.org/grpc/status"

	"github.com/udsgrpc/udsgrpc/runtime/internal/direct/wire"
	"github.com/udsgrpc/udsgrpc/runtime/internal/filewalk"
)

// serveFrame serves the call whose frame of n bytes comes next. It reports whether the connection can
// carry another call.
func (sc *serverConn) serveFrame(k wire.Kind, n int) (again bool, err error) {
	if k != wire.KindCall {
		return false, wire.Violationf("a frame of kind %q instead of a call", k)
	}
	b, err := sc.rd.Control(n)
	if err != nil {
		return false, sc.incomplete(err)
	}
	header, err := wire.ParseCallHeader(b)
	if err == nil {
		err = wire.CheckRequestMetadata(header.Metadata)
	}
	if err != nil {
		return false, err
	}
	s := &serverStream{wireLength: n + wire.FrameHeaderLen}
	s.init(sc)
	s.call.values = sc.values
	if header.Timeout > 0 {
		s.call.deadline = time.Now().Add(header.Timeout)
	}
	if header.Metadata != nil {
		s.call.values = metadata.NewIncomingContext(sc.peerValues, metadata.Join(sc.intro, header.Metadata))
	}
	s.call.carry((*transportStream)(s))
	s.ctx = &s.call
	m := sc.server.methods[string(header.Method)]
	if m == nil {
		s.fullName = string(header.Method)
	} else {
		s.fullName, s.method = m.fullName, m
	}
	may, more := sc.begin(s)
	defer sc.end(s)
	if may && m != nil && !m.desc.ClientStreams {
		if err := s.readRequest(); err != nil {
			return false, sc.incomplete(err)
		}
		more = true
	}
	if !may || m != nil && !more || !s.progress.CompareAndSwap(progressReading, progressBegun) {
		sc.goAway()
		return false, nil
	}
	sc.oneWay = m != nil && sc.ringUse.oneWay(&m.desc) // from here on nobody else writes
	if m == nil {
		s.tag()
		return s.finish(sc.server.unimplemented(s.fullName)), nil
	}
	if m.unary == nil && header.Timeout > 0 {
		// A handler may wait for messages, or for room to send some.
		defer context.AfterFunc(&s.call, func() {
			if s.call.Err() == context.DeadlineExceeded {
				sc.expire(s)
			}
		})()
	}
	again = s.serve()
	return again, s.violation
}

// serve runs the handler and sends what it returns.
func (s *serverStream) serve() (again bool) {
	hs := s.conn.server.conf.Stats
	s.tag()
	var beginTime time.Time
	if hs != nil {
		beginTime = time.Now()
		hs.rpc(s.ctx, &stats.Begin{BeginTime: beginTime, IsClientStream: s.method.desc.ClientStreams, IsServerStream: s.method.desc.ServerStreams})
	}
	s.progress.Store(progressHandling)
	appErr := s.handle()
	st, ok := status.FromError(appErr)
	if !ok {
		st = status.FromContextError(appErr)
		appErr = st.Err()
	}
	again = s.finish(st)
	if hs != nil {
		hs.rpc(s.ctx, &stats.End{BeginTime: beginTime, EndTime: time.Now(), Error: appErr})
	}
	return again
}

// tag tells the stats handlers that a call was received.
func (s *serverStream) tag() {
	hs := s.conn.server.conf.Stats
	if hs == nil {
		return
	}
	md, _ := metadata.FromIncomingContext(s.ctx)
	s.ctx = hs.tagRPC(s.ctx, &stats.RPCTagInfo{FullMethodName: s.fullName})
	hs.rpc(s.ctx, &stats.InHeader{
		FullMethod: s.fullName,
		RemoteAddr: s.conn.peer.Addr,
		LocalAddr:  s.conn.peer.LocalAddr,
		WireLength: s.wireLength,
		Header:     md,
	})
}

// recvAllowed reads the request of a call that is made without Unary.
func (s *serverStream) recvAllowed(m any) error {
	err := s.RecvMsg(m)
	if err == nil {
		s.conn.server.conf.Allowed(s.ctx, s.fullName)
	}
	return err
}

func (s *serverStream) handle() error {
	server := s.conn.server
	if m := s.method.unary; m != nil {
		var interceptor grpc.UnaryServerInterceptor
		var receive func(any) error // made once: it is an allocation
		result := func(_ string, err error) error { return err }
		if server.conf.Permits != nil && server.conf.Permits(s.ctx, s.fullName) {
			receive, result = s.recvAllowed, server.conf.Result
		} else {
			receive, interceptor = s.RecvMsg, server.unary
		}
		reply, err := m.Handler(s.method.impl, s.ctx, receive, interceptor)
		if err != nil {
			filewalk.Discard(reply)
			return result(s.fullName, err)
		}
		return s.SendMsg(reply)
	}
	if server.stream == nil {
		return s.method.desc.Handler(s.method.impl, s)
	}
	return server.stream(s.method.impl, s, &grpc.StreamServerInfo{
		FullMethod:     s.fullName,
		IsClientStream: s.method.desc.ClientStreams,
		IsServerStream: s.method.desc.ServerStreams,
	}, s.method.desc.Handler)
}
