package peer

import (
	"context"
	"net"
)

// Server is a peer's server while it runs.
type Server struct {
	Addr string // what to dial

	stop   func() error
	served chan struct{}
}

// start runs serve until it returns, which stop makes it do. What serve returns is of no
// interest: most peers report as an error that they were stopped.
func start(addr string, serve, stop func() error) *Server {
	s := &Server{Addr: addr, stop: stop, served: make(chan struct{})}
	go func() {
		defer close(s.served)
		_ = serve()
	}()
	return s
}

// Close stops the server and waits for its end.
func (s *Server) Close() error {
	err := s.stop()
	<-s.served
	return err
}

// stopping is for servers whose stop cannot fail.
func stopping(stop func()) func() error {
	return func() error {
		stop()
		return nil
	}
}

func dialUnix(ctx context.Context, path string) (net.Conn, error) {
	var d net.Dialer
	return d.DialContext(ctx, "unix", path)
}
