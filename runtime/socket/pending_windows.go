package socket

// Pending reports whether clients wait to be accepted by this listener. Those of an [Activated] listener
// that was withdrawn do not count. On Windows it is always false.
func (l *Listener) Pending() bool { return false }
