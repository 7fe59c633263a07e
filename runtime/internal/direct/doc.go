// Package direct carries gRPC calls over a Unix domain socket without HTTP/2. Both ends must be
// of this project. docs/direct-transport.md says what a program notices, docs/direct-wire.md describes
// the wire format, and docs/direct-streams.md the states of a stream.
//
// A connection carries one call at a time, so a call needs no goroutine but the caller's and, at
// the server, the connection's, which runs the handler itself: each hand-over to another
// goroutine, and each timer, would cost more than the rest of the call. A [Client] keeps a
// pool of connections; a [Server] serves those that its owner accepts. Closing the connection is the
// cancellation.
//
// What cannot be honoured here, the client leaves to HTTP/2; see [ErrHTTP2].
//
//	frame.go       frames: reading and writing
//	head.go        what is in the frames that begin and end a call
//	metadata.go    which metadata may be sent
//	preface.go     how the two ends find out that both speak this
//	conn*.go       a connection: buffers, reading and writing
//	client.go      finding the server; pool.go: its connections
//	call.go        what unary calls and streams of a client have in common
//	unary.go       a unary call
//	stream*.go     a stream of a client: its states, sending, receiving, sending again
//	outbox.go      what a stream has sent and the kernel has not taken
//	inbox.go       what has come for a stream
//	budget.go      how much all outboxes and inboxes may hold
//	server*.go     connections, calls, streams, sending and receiving in them
//	hangup_*.go    how a server learns that a client has gone
//	stats.go       events for stats handlers
//
// # Goroutines
//
//   - Of each connection of a server: Server.Serve, which is its owner's. It ends with the connection.
//   - The watch for hang-ups of a server, in hangups. It ends when the server has stopped and the last
//     connection has gone.
//   - A flusher of a stream, which its outbox starts when the kernel has no room, or for small messages
//     that come one right after the other. It ends when nothing is left to write, or with the connection.
//   - A stream's inbox starts one that takes in what comes while a Send waits. It ends with the first
//     frame after that, or with the connection.
//   - When a caller's context ends, package context runs what ends the call; it waits for nobody but who
//     receives, whom the end of the connection wakes.
//
// # Locks, in the order in which they may be taken
//
//   - clientStream.reading, serverStream.receiving: held by who receives from the connection, also while
//     that waits, or a client looks for another server. They guard the inbox.
//   - clientStream.mu, serverStream.mu, each a monitor: guard the stream's state, its outbox and what its
//     inbox has taken in. Nothing that waits is done while they are held.
//   - serverConn.mu: what the connection does: whether it has a call, drains, or has ended.
//   - callContext.mu: the context of a call in the server.
//   - Server.mu: the server's connections, and whether it drains. Before serverConn.mu.
//   - pool.mu: a client's connections. None is closed while it is held.
//   - Client.greeting, a channel: held by who finds out whether the server speaks this.
//   - budget.mu, buffers.mu, hangups.mu: the channel of those that wait for room, the large buffers, the
//     connections that are watched. Nothing else is locked while they are held.
package direct
