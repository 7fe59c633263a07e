package socket

import "golang.org/x/sys/unix"

// rootDir is the directory for root's sockets: nobody else can write to it, and it is emptied at boot.
const rootDir = "/run"

// pollHangUp is also reported when the other end has shut down only its sending side.
const pollHangUp = unix.POLLRDHUP
