package runtime

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/udsgrpc/udsgrpc/internal/inspectwire"
	"github.com/udsgrpc/udsgrpc/internal/version"
	inspectv1 "github.com/udsgrpc/udsgrpc/proto/udsgrpc/inspect/v1"
	"github.com/udsgrpc/udsgrpc/runtime/internal/admission"
	"github.com/udsgrpc/udsgrpc/runtime/internal/inspect"
	"github.com/udsgrpc/udsgrpc/runtime/socket"
)

// NoInspection turns off what is behind "udsgrpc top" and "udsgrpc tap". Without it, processes of the
// server's own user and of root, by the kernel's word, can see which methods are called how often, by whom
// and with which outcome, but no message; no policy changes who may. The [EventLog] tells of each viewer.
// Nothing is counted for them while there are none.
//
// There is no inspection either where other credentials were given with [GRPCServerOptions], and nobody may
// look where the kernel does not tell who connects, on Windows.
func NoInspection() ServerOption {
	return func(c *serverConfig) { c.noInspection = true }
}

// InspectMessages lets viewers see what is in calls, too, with "udsgrpc tap --messages": the metadata of
// requests, the messages in JSON, and the texts of statuses. Who may look is as for [NoInspection]. Think of what is
// in them: root of a container that has the socket mounted may be root here, too.
//
// In the place of secrets they see "[redacted]": of fields that have the option debug_redact, or an option of an enum whose value
// has it; of binary metadata, and of that whose name says that it is secret, such as authorization. The texts of
// statuses, and fields without those options, are shown as they are. The [EventLog] tells of each who asks for
// messages. Calls take longer while somebody does. More than 64 KiB of a call are not shown.
//
// It is an error of NewServer together with NoInspection.
func InspectMessages() ServerOption {
	return func(c *serverConfig) { c.inspectMessages = true }
}

// newInspection returns the service for viewers; nil if it is turned off.
func (s *Server) newInspection() *inspect.Inspection {
	if s.config.noInspection {
		return nil
	}
	return inspect.New(inspect.Config{
		Server: &inspectv1.Server{
			Pid:     int64(os.Getpid()),
			Path:    s.Path(),
			Version: version.Version,
			Started: timestamppb.New(time.Now()),
		},
		Draining:    s.draining,
		Caller:      callerOf,
		Transport:   transportOf,
		Totals:      s.totals,
		Connections: s.openConnections,
	})
}

func callerOf(ctx context.Context) inspect.Caller {
	info, _ := authInfoFrom(ctx)
	return inspect.Caller{UID: info.Peer.UID, PID: info.Peer.PID}
}

func transportOf(ctx context.Context) inspectv1.Transport {
	if info, _ := authInfoFrom(ctx); info.Direct {
		return inspectv1.Transport_TRANSPORT_DIRECT
	}
	return inspectv1.Transport_TRANSPORT_HTTP2
}

// dispatchViewer answers a viewer, and serves it if it may look.
func (s *Server) dispatchViewer(c *admission.Conn, info AuthInfo) (taken bool) {
	if c.Begin(admission.Viewer) == admission.Closed {
		return true
	}
	s.mu.Lock()
	answer, text := s.answerViewer(info.Peer)
	if answer == inspectwire.Granted {
		s.viewers.Go(func() {
			defer c.Close()
			s.serveViewer(c, info)
		})
	}
	s.mu.Unlock()
	if answer != inspectwire.Granted {
		c.Write(answer.Append(nil, text)) // there is room for it in a new connection
		c.Close()
	}
	return true
}

// answerViewer decides whether a peer may look. The caller holds mu.
func (s *Server) answerViewer(p socket.Peer) (a inspectwire.Answer, text string) {
	switch {
	case !Any(SameUser(), Root()).Permits(p):
		return inspectwire.Denied, fmt.Sprintf("%v may not look into this server: its own user (uid %d) and root may", p, os.Geteuid())
	case s.inspection == nil:
		return inspectwire.Off, "the server's program has turned inspection off, with runtime.NoInspection"
	case s.state >= stateDraining:
		return inspectwire.Draining, "the server drains"
	}
	return inspectwire.Granted, ""
}

func (s *Server) serveViewer(c *admission.Conn, info AuthInfo) {
	if _, err := c.Write(inspectwire.Granted.Append(nil, "")); err != nil {
		return
	}
	s.config.event(slog.LevelInfo, "viewer came", peerAttr(info.Peer))
	s.inspection.Serve(c.UnixConn, s.showMessages(info.Peer))
	s.config.event(slog.LevelInfo, "viewer left", peerAttr(info.Peer))
}

// showMessages returns what is called when a viewer asks for messages; nil if it may not.
func (s *Server) showMessages(to socket.Peer) func() {
	if !s.config.inspectMessages {
		return nil
	}
	return func() { s.config.event(slog.LevelWarn, "viewer sees messages", peerAttr(to)) }
}

// totals is Stats as viewers are told.
func (s *Server) totals() *inspectv1.Totals {
	stats := s.Stats()
	return &inspectv1.Totals{
		Calls:             byTransport(stats.Calls),
		Connections:       withRings(byTransport(stats.Connections), stats.Rings),
		Refused:           uint64(stats.Refused),
		TurnedAway:        uint64(stats.TurnedAway),
		NotAccepted:       uint64(stats.NotAccepted),
		SendWaits:         uint64(stats.SendWaits),
		Rebound:           uint64(stats.Rebound),
		HandoversReceived: uint64(stats.Handovers.Received),
		HandoversGiven:    uint64(stats.Handovers.Given),
		HandoversFailed:   uint64(stats.Handovers.Failed),
	}
}

func byTransport(n ByTransport) *inspectv1.ByTransport {
	return &inspectv1.ByTransport{Direct: uint64(n.Direct), Http2: uint64(n.HTTP2)}
}

// withRings tells the connections of the direct transport that have rings from the others.
func withRings(n *inspectv1.ByTransport, rings int64) *inspectv1.ByTransport {
	n.Ring = min(uint64(rings), n.GetDirect()) // they were not counted at the same moment
	n.Direct -= n.GetRing()
	return n
}

func (s *Server) openConnections() *inspectv1.Connections {
	open := s.admission.Open()
	var rings int64
	if s.direct != nil {
		rings = s.direct.RingsOpen()
	}
	return &inspectv1.Connections{
		Open:     withRings(&inspectv1.ByTransport{Direct: uint64(open.Direct), Http2: uint64(open.HTTP2)}, rings),
		HalfOpen: uint64(open.HalfOpen),
		Viewers:  uint64(open.Viewers),
	}
}
