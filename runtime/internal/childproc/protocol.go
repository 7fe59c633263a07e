package childproc

import (
	"net"
	"os"
)

// The environment of a child. Programs that do not use this module may serve as well: they call listen(2)
// on the one descriptor, write ReadyLine to the other when they serve, and end when they read its end.
const (
	ListenFDEnv   = "UDSGRPC_LISTEN_FD"   // a bound stream socket
	ListenPathEnv = "UDSGRPC_LISTEN_PATH" // to which it is bound
	LifelineFDEnv = "UDSGRPC_LIFELINE_FD" // one end of a socket pair; the parent has the other
)

// ReadyLine is what a child writes to the lifeline when it serves.
const ReadyLine = "ready\n"

// Inheritance is what [Start] has passed to this process. The zero value is for a process that was started
// in another way.
type Inheritance struct {
	Path     string
	Bound    *os.File // to Path, and not listening
	Lifeline *net.UnixConn
	Err      error // of taking them over; nil if Bound and Lifeline are there
}
