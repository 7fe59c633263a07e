// Package inspect tells viewers, such as "udsgrpc top", what a server does. The service is in
// proto/udsgrpc/inspect/v1, and the first words on its connections are in internal/inspectwire.
//
// Think of it as a second, small server behind the same socket, of which that of the program knows nothing:
// a viewer's connection never comes to it. What the two share are the counters of an [Inspection]. They are
// there only while somebody looks: a call without viewers costs two atomic loads.
//
//	inspect.go    viewers: their connections and streams
//	record.go     the places where calls pass
//	counting.go   what is counted
//	table.go      a map of limited size that calls do not wait for
//	histogram.go  how long calls took
//	snapshot.go   what viewers are told of all calls
//	tap.go        viewers that are told of each call
//	tapped.go     a call that they are told of
//	encode.go     how it is told
//	program.go    the names of the programs that make them
//
// # Goroutines
//
//   - Each viewer's connection has one, which calls Serve and belongs to the caller, besides those of
//     grpc-go, one of which runs the handler, and one that waits for the drain. They end when the viewer
//     hangs up, after Stop, and most often when the server drains.
//
// A call never waits for a viewer. Inspection.mu and taps.mu are held for a moment when a viewer comes or
// goes, tap.mu while the
// bytes of a call are copied, programs.mu while a program's name is found.
package inspect
