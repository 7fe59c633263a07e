package runtime

import (
	"net"
	"os"
	"sync"
	"time"
)

// notifyTimeout is how long to wait for a service manager that does not read its messages.
// go-systemd's SdNotify would wait for ever, and a drain with it.
const notifyTimeout = time.Second

// serving are the servers of this process that answer calls. The service manager knows only the process:
// it is ready with the first of them, and stops with the last. If a stop was reported earlier, the manager
// would kill the process after a while.
var serving = struct {
	mu      sync.Mutex // held while sending, so that messages stay in order
	servers map[*Server]bool
}{servers: map[*Server]bool{}}

// notifyReady tells the service manager, if there is one, that the server answers calls.
func (s *Server) notifyReady() {
	serving.mu.Lock()
	defer serving.mu.Unlock()
	serving.servers[s] = true
	if len(serving.servers) == 1 {
		notify("READY=1")
	}
}

// notifyStopping tells the service manager that the server ends. Only the first time counts,
// and only after notifyReady.
func (s *Server) notifyStopping() {
	serving.mu.Lock()
	defer serving.mu.Unlock()
	if !serving.servers[s] {
		return
	}
	delete(serving.servers, s)
	if len(serving.servers) == 0 {
		notify("STOPPING=1")
	}
}

// notify sends a message of sd_notify(3). It is best effort: a service that cannot reach
// its manager serves nevertheless.
func notify(message string) {
	name := os.Getenv("NOTIFY_SOCKET")
	if name == "" {
		return
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		return
	}
	defer conn.Close()
	conn.SetWriteDeadline(time.Now().Add(notifyTimeout))
	conn.Write([]byte(message))
}
