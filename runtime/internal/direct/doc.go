// Package direct carries gRPC calls over a Unix domain socket without HTTP/2. Both ends must be
// of this project. docs/direct-transport.md says what a program notices, docs/direct-wire.md describes
// the wire format, and docs/direct-streams.md the states of a stream.
//
// A connection carries one call at a time. So a call needs only two goroutines: the caller's and, at the
// server, the connection's, which runs the handler itself. Each hand-off to another goroutine, and each
// timer, would cost more than the rest of the call. A [Client] keeps a pool of connections; a [Server]
// serves those that its owner accepts. To cancel a call, a client closes its connection.
//
// A call that this package cannot honour goes over HTTP/2; see [ErrHTTP2].
//
//	wire/          the bytes: frames, and what is in them
//	handshake.go   how the two ends find out that both speak this; decline.go: when there is no room
//	codec.go       messages to bytes and back
//	conn*.go       a connection: buffers, reading and writing, and descriptors of open files
//	conn_ring*.go  its rings in shared memory; conn_move.go: how it moves to them; ring_use.go: which connections may
//	client.go      makes calls; connect.go: finding the server; pool.go: its connections
//	calloptions.go what a program asks for with options of a call
//	call.go        what unary calls and streams of a client have in common
//	unary.go       a unary call; firstcall.go: how it goes with the preface of a new connection
//	stream*.go     a stream of a client: its states, sending, receiving, sending again
//	outbox.go      what a stream has sent and the kernel has not taken
//	inbox.go       what has come for a stream
//	batching.go    which messages of a stream are written together
//	files_*.go     open files of messages: those that arrive, and those that are sent; what a client does
//	               and a server does about them is in clientfiles.go and serverfiles.go
//	outbox_files.go  which write takes them
//	monitor.go     the lock of a stream, whose holder can wait for a change
//	budget.go      how much all outboxes and inboxes may hold
//	server*.go     connections, calls, streams, sending and receiving in them
//	callcontext.go the context of a handler
//	hangup_*.go    how a server learns that a client has gone
//	stats.go       events for stats handlers
//
// # Goroutines
//
//   - Each connection of a server has one, which calls Server.Serve and belongs to the Server's owner.
//     It ends with the connection.
//   - hangups of a server has one that watches for hang-ups. It ends when the server has stopped and the
//     last connection has gone.
//   - The outbox of a stream starts a flusher when the kernel has no room, or for small messages in
//     quick succession. It ends when nothing is left to write, or with the connection.
//   - The inbox of a stream starts one that takes frames in while a Send waits. It ends with the first
//     frame after that, or with the connection.
//   - When a caller's context ends, package context runs the function that ends the call. It waits only
//     for the receiving goroutine, which the end of the connection wakes.
//
// # Locks, in the order in which they may be taken
//
//   - clientStream.reading, serverStream.receiving: held while receiving from the connection, also while
//     that waits, or while a client looks for another server. They guard the inbox.
//   - clientStream.mu, serverStream.mu, each a monitor: guard the stream's state, its outbox and the
//     frames that its inbox has taken in. Their holder does nothing that may block.
//   - Server.mu: guards the server's connections, and whether it drains.
//   - serverConn.mu: guards what the connection does: whether it has a call, drains, or has ended.
//   - callContext.mu: guards the context of a call in the server.
//   - rings.receiving: held while receiving a doorbell. incoming.mu may be taken then.
//   - incoming.mu: guards the open files that have arrived on a connection and are in no message.
//   - serverFiles.mu: guards the users from whom some may arrive.
//   - pool.mu: guards a client's connections. None is closed while it is held.
//   - Client.probing, a channel: held by the call that finds out whether the server speaks this
//     protocol.
//   - budget.mu, wire.Buffers.mu, hangups.mu: guard the channel of the Sends that wait for room, the large
//     buffers, and the watched connections. Nothing else is locked while they are held.
package direct
