// Package admission decides which connections a server takes, so that one user's connections, half-open
// ones, and storms of them never keep another user's out.
//
// Think of it as a number of descriptors that are divided among users. Root and the server's own user may
// have all but a few; all other users together have half, and each of them a share. Within its share a user
// has some that may be half-open and some for the direct transport. A connection takes one of its user's
// when it is accepted, and gives it back when it is closed; its State says where it is in between.
//
//	          admit                 Begin                          Close
//	accepted -------> HalfOpen -----------> HTTP2
//	   |                 |     -----------> Direct, or Declined  --------> Closed
//	   | turned away     |     -----------> Handover, or Viewer
//	   v                 | makes room for another
//	closed               v
//	                   Closed
//
// grpc accepts from the Listener that Serve gives it, one goroutine for each listener, and hands each Conn
// to its handshake, in another goroutine, unless the function Taken takes it before. Whoever has the Conn by then calls Begin once and, except for
// HTTP/2, Close. grpc closes connections of HTTP/2 without notice: a few are looked at for each new one.
//
// The package starts no goroutines. One mutex, of the Admission, guards all that is known of users and the
// states of connections. It is never held during a system call or a callback. The spare descriptors belong
// to the accepting goroutine.
package admission
