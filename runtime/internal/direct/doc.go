// Package direct carries gRPC calls over a Unix domain socket without HTTP/2. Both ends must be
// of this project; docs/direct-transport.md has the wire format and the reasons.
//
// A connection carries one call at a time, so a call needs no goroutine but the caller's and, at
// the server, the connection's, which runs the handler itself: each hand-over to another
// goroutine, and each timer, would cost more than the rest of the call. A [Client] keeps a
// pool of connections; a [Server] serves those that its owner accepts. The kernel's socket buffers
// are the flow control, closing the connection is the cancellation.
//
// What cannot be honoured here, the client leaves to HTTP/2; see [ErrHTTP2].
//
//	frame.go       frames: reading and writing
//	head.go        what is in the frames that begin and end a call
//	metadata.go    which metadata may be sent
//	preface.go     how the two ends find out that both speak this
//	conn.go        a connection: buffers, messages
//	client*.go     pool, streams, call options
//	server*.go     connections, calls, streams, sending and receiving in them
//	hangup_*.go    how a server learns that a client has gone
//	stats.go       events for stats handlers
package direct
