// Package sdnotify tells the service manager that started this process whether it serves, as sd_notify(3)
// does. It is best effort: a service that cannot reach its manager serves nevertheless.
//
// The manager knows only the process: it is ready with the first of its servers, and stops with the last.
// So the package has state of the process, the servers that serve, with one mutex, which is held while
// sending so that messages stay in order. It starts no goroutines.
package sdnotify

import (
	"net"
	"os"
	"sync"
	"time"
)

// timeout is how long to wait for a service manager that does not read its messages. go-systemd's SdNotify
// would wait for ever, and a drain with it.
const timeout = time.Second

// process is this process.
var process processState

// processState says which servers of a process answer calls. If a stop was reported while there are some,
// the manager would kill the process after a while.
type processState struct {
	mu      sync.Mutex
	serving map[any]bool
}

// Ready says that a server, which is any comparable value, answers calls. The manager is told if it is the
// only one.
func Ready(server any) { process.ready(server) }

// Stopping says that a server ends. The manager is told if there is no other. It does nothing without a
// Ready before, and the second time.
func Stopping(server any) { process.stopping(server) }

func (p *processState) ready(server any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.serving == nil {
		p.serving = map[any]bool{}
	}
	p.serving[server] = true
	if len(p.serving) == 1 {
		send("READY=1")
	}
}

func (p *processState) stopping(server any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.serving[server] {
		return
	}
	delete(p.serving, server)
	if len(p.serving) == 0 {
		send("STOPPING=1")
	}
}

func send(message string) {
	name := os.Getenv("NOTIFY_SOCKET")
	if name == "" {
		return
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		return
	}
	defer conn.Close()
	conn.SetWriteDeadline(time.Now().Add(timeout))
	conn.Write([]byte(message))
}
