package peek

import "golang.org/x/sys/unix"

// pollHangUp is also reported when the other end has shut down only its sending side.
const pollHangUp = unix.POLLRDHUP
