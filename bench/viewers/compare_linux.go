package main

import (
	"math"
	"slices"
)

// comparison is what windows with a viewer were against those without.
type comparison struct {
	bare      float64 // calls a second without one
	ratio     float64 // the median of the windows' ratios
	err       float64 // how far that is likely to be from the truth, at most, 19 times of 20
	low, high float64 // quartiles
	rounds    int
}

// compare compares each window that is watched with the mean of the bare ones before and after it, of which there
// is one more.
func compare(bare, watched []float64) comparison {
	ratios := make([]float64, len(watched))
	for i, rate := range watched {
		ratios[i] = rate / ((bare[i] + bare[i+1]) / 2)
	}
	slices.Sort(ratios)
	bare = slices.Sorted(slices.Values(bare))
	c := comparison{
		bare: quantile(bare, 0.5), ratio: quantile(ratios, 0.5),
		low: quantile(ratios, 0.25), high: quantile(ratios, 0.75), rounds: len(ratios),
	}
	// Of values with a normal distribution, the quartiles are 1.35 standard deviations apart, and the error of the
	// median is 1.25 times that of the mean.
	c.err = 1.96 * 1.25 * (c.high - c.low) / 1.35 / math.Sqrt(float64(len(ratios)))
	return c
}

// quantile returns the value below which a part of the sorted values lies, between two of them if need be.
func quantile(sorted []float64, part float64) float64 {
	at := part * float64(len(sorted)-1)
	below := int(at)
	if below+1 == len(sorted) {
		return sorted[below]
	}
	return sorted[below] + (at-float64(below))*(sorted[below+1]-sorted[below])
}
