//go:build race

package direct

// raceDetector says that the race detector runs. It knows that what was done before a write(2) happens
// before what is done after the read(2), and does not know that of writev(2).
const raceDetector = true
