package clientstate

import "google.golang.org/grpc/connectivity"

// runHooks calls the hooks when connections are made and lost, and keeps the client connected, until it is
// closed.
func (m *Monitor) runHooks() {
	connected := false // as far as the hooks know
	var which int64    // of the connections, that is
	for {
		now := m.view()
		switch {
		case connected && (now.conn != connReady || now.readied != which):
			connected = false
			callAll(m.conf.OnDisconnect)
			continue // it may be connected again, or has to connect
		case now.conn == connClosed:
			return
		case !connected && now.conn == connReady:
			connected, which = true, now.readied
			callAll(m.conf.OnConnect)
		case now.channel == connectivity.Idle:
			m.channel.Connect()
		}
		<-now.changed // it is closed already if something happened while hooks were running
	}
}

func callAll(hooks []func()) {
	for _, f := range hooks {
		f()
	}
}
