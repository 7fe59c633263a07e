// Package ring carries bytes between two processes of one machine through memory that both share: a ring in each
// direction. A byte on a socket, the doorbell, wakes an end that sleeps. An end that waits looks for a while before it
// sleeps, so in a busy connection there are no system calls at all. The package knows nothing of what the bytes are.
//
//	ring.go          what both ends agree on, and the errors
//	memory_linux.go  making, checking and releasing the memory
//	lane_linux.go    a direction: where the bytes are, and how one end tells the other
//	conn_linux.go    a connection: reading, writing and ending
//	wait_linux.go    sleeping until the doorbell
//	block_linux.go   sleeping in a futex before that
//	spin_linux.go    looking again before sleeping; follow_linux.go: one goroutine looks for all
//	yield_linux.go   letting other threads have the core
//	cores_linux.go   how many cores the process may use; cgroup_linux.go: what its cgroups allow
//	ring_other.go    systems without rings
//
// # Use
//
// The server calls [New], sends the descriptor over the socket, closes it, and calls [NewConn]. The client gives the
// descriptor to [Open]. Both agree before that from which byte on the rings are used instead of the socket.
//
// # A hostile other end
//
// The other process may change all of the memory at any time. So each word is read once and checked, and bytes are
// copied out before anybody looks at them. What cannot be is [ErrViolation]. Nothing that the other end does leads to
// a panic, to an access elsewhere, or to a loop without end.
package ring
