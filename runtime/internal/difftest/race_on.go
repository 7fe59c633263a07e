//go:build race

package difftest

// raceDetector says that the race detector runs. It finds that grpc-go 1.85 writes the trailer of a stream that has
// failed at the client while the program may read it.
const raceDetector = true
