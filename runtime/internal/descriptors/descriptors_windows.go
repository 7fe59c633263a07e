package descriptors

import "math"

// Limit returns a number that never matters: Windows has no limit of its own for sockets.
func Limit() int { return math.MaxInt32 }
