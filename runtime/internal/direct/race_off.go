//go:build !race

package direct

const raceDetector = false
