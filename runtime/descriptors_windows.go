package runtime

import "math"

// descriptorLimit is none that matters.
func descriptorLimit() int { return math.MaxInt32 }
