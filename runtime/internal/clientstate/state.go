package clientstate

// connState is the state of HTTP/2's connection, of which there is one at a time.
type connState int8

const (
	connIdle        connState = iota // there is none, and no attempt to make one
	connConnecting                   // an attempt is being made
	connUnanswered                   // a permitted server has accepted it, and has not answered
	connReady                        // the server has answered
	connAbsent                       // the last attempt found no server: no file, or nobody listens
	connUnreachable                  // the last attempt failed for another reason
	connClosed                       // the client is closed
)

// connEvent is what happens to HTTP/2's connection.
type connEvent int8

const (
	eventAttempt      connEvent = iota // an attempt begins
	eventAccepted                      // a permitted server has accepted it
	eventAnswered                      // the server has answered
	eventNotAnswered                   // the connection has ended before the server answered
	eventAbsent                        // the attempt failed: there is no server
	eventUnreachable                   // it failed for another reason
	eventAbandoned                     // it was ended by this client, which says nothing about the server
	eventDisconnected                  // the connection has ended
	eventClosed                        // the client is closed
)

// after returns the state after e. It reports whether e may happen in this state.
func (s connState) after(e connEvent) (connState, bool) {
	switch e {
	case eventAttempt: // also after one of which nothing was reported
		return connConnecting, s != connUnanswered && s != connReady && s != connClosed
	case eventAccepted:
		return connUnanswered, s == connConnecting
	case eventAnswered: // before it was accepted if the program has credentials of its own
		return connReady, s == connConnecting || s == connUnanswered
	case eventNotAnswered:
		return connUnreachable, s == connUnanswered
	case eventAbsent:
		return connAbsent, s == connConnecting
	case eventUnreachable:
		return connUnreachable, s == connConnecting
	case eventAbandoned:
		return connIdle, s == connConnecting
	case eventDisconnected:
		return connIdle, s == connReady
	case eventClosed:
		return connClosed, s != connClosed
	default:
		return s, false
	}
}

// serverState is what a transport's connections tell of the server.
type serverState int8

const (
	serverUnknown serverState = iota // there was no connection yet
	serverUp                         // there was one, and no sign since that the server has gone
	serverLost                       // the server has gone
)

// serverEvent is what a transport finds out about the server.
type serverEvent int8

const (
	eventServerConnected serverEvent = iota // there is a new connection, and the server has answered
	eventServerLost                         // the server has ended a connection, or could not be reached
)

// after returns the state after e. It reports whether e may happen in this state.
func (s serverState) after(e serverEvent) (serverState, bool) {
	switch e {
	case eventServerConnected:
		return serverUp, true
	case eventServerLost:
		return serverLost, s == serverUp
	default:
		return s, false
	}
}
