package socket

// Pending reports whether clients wait to be accepted by this listener; those of an
// [Activated] one that was withdrawn do not. On Windows it is always false.
func (l *Listener) Pending() bool { return false }
