// Package clientstate follows a client's connections to its server. Its [Monitor] knows the state of both
// transports, and what depends on that: counters, the records of the event log, the hooks, and when to try
// again to connect.
//
// grpc-go makes and keeps the connection of HTTP/2. The Monitor hears of it in two ways: the client's
// dialer and credentials report each attempt before grpc goes on, and a goroutine follows the state that
// grpc shows. The direct transport, which has many connections, reports those that it makes and the loss
// of the server. docs/client-states.md has diagrams of all states.
//
//	state.go      the states and their transitions
//	monitor.go    the Monitor: its beginning and end, grpc's state, waiting for a change
//	attempts.go   what the dialer and the credentials report
//	transport.go  what is known of the server by each transport: counters, 'connected', 'server lost'
//	retry.go      when the next attempt is made
//	watch.go      the watch of the path, which is one reason for it
//	hooks.go      what the program does when its server comes and goes
//	records.go    the event log
//
// # Goroutines
//
// All belong to the Monitor. [Monitor.Close] ends them and waits for them.
//
//   - follow applies grpc's state. It begins with the first attempt to connect, or at Start if there are
//     hooks, and ends with the client.
//   - runHooks calls the hooks, and keeps the client connected. It exists only if there are hooks, from
//     Start to the end of the client.
//   - watchPath watches the socket's directory. It begins when an attempt fails, and ends when one
//     succeeds.
//
// Besides these a client has those of grpc-go and, for the direct transport, those that the package
// comment of runtime/internal/direct lists.
//
// # Locks
//
//   - Monitor.mu guards everything that changes, but for the two fields below. grpc's state is read while
//     it is held, so what is applied is never older than what was applied before. Nothing that may block
//     is done while it is held: records are written, hooks called and grpc told to connect without it.
//   - Monitor.waiters is atomic and Monitor.wake a channel, because each call over HTTP/2 uses them. A call
//     takes no lock of this package unless it fails; one over the direct transport uses nothing of it at
//     all until it needs a new connection.
package clientstate
