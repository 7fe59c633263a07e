package socket

import "golang.org/x/sys/unix"

// pollHangUp is also seen when the other end has shut down its sending side alone.
const pollHangUp = unix.POLLRDHUP
