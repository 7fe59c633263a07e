// Package childproc starts a process that serves on a socket which its parent has bound, and stops it; in
// that process it takes over what the parent has passed.
//
// Think of it as two things that the child is given beside its arguments. The socket is bound and not yet
// listening; the child listens. The lifeline is one end of a connection to the parent: the child writes a
// line to it when it serves, and drains and ends when it reads the end of it. The kernel closes the
// parent's end when the parent dies, so no child outlives its parent unnoticed.
//
// A process has two goroutines: one that waits for its end, which ends with it, and, until Start returns,
// one that reads the lifeline. The mutex of a Process guards only why it was killed; everything else is
// written before Start returns, or before the channel that Exited returns is closed.
//
// What a server does with the two is in package runtime, in inherit.go.
package childproc
