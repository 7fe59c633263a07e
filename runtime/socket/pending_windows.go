package socket

// Pending reports whether clients wait to be accepted. On Windows it is always false.
func (l *Listener) Pending() bool { return false }
