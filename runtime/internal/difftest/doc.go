// Package difftest makes random calls over a transport of this project and over plain grpc-go, and
// compares everything that the programs at both ends can see of them.
//
// A [Case] is one call: what the client does, on one goroutine or two, what the handler does, and
// how the call ends. It follows from its seed alone. [Checker.Check] runs it over the subject, then over the
// reference, which is [grpc.NewServer] and [grpc.NewClient] without options but what the case
// itself asks for, and compares what was recorded. Many cases have several right outcomes, as a
// cancel may come before or after a message. So the reference runs again, on a fresh connection
// and with other pauses, until it shows the same outcome, or was asked often enough.
//
// A call that makes no progress is ended by the run, and is an outcome like any other: stalled. How
// the rules read by which two outcomes are the same is in compare.go, each with its reason.
package difftest
