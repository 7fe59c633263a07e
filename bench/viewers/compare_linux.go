package main

import (
	"math"
	"runtime"
	"slices"
	"time"
)

// window is what happened while calls were made for a while.
type window struct {
	calls  int
	length time.Duration
	cpu    time.Duration // of server and client
	viewer time.Duration // of CPU
}

func (w window) rate() float64 { return float64(w.calls) / w.length.Seconds() }

// cpuPerCall is what a call costs its two ends, in seconds.
func (w window) cpuPerCall() float64 { return w.cpu.Seconds() / float64(w.calls) }

// machine is the time that all cores have in the window, in seconds.
func (w window) machine() float64 { return w.length.Seconds() * float64(runtime.NumCPU()) }

// comparison is what windows with a viewer were against those without.
type comparison struct {
	bare   float64 // calls a second without one
	ratio  typical // of calls a second with one to those without
	viewer typical // the part of all cores that the viewer takes
	added  typical // that, and what calls cost their two ends more than without it
	rounds int
}

// compare compares each window that is watched with the bare ones before and after it, of which there is one more.
func compare(bare, watched []window) comparison {
	var ratios, viewers, added, rates []float64
	for i, w := range watched {
		before, after := bare[i], bare[i+1]
		ratios = append(ratios, w.rate()/((before.rate()+after.rate())/2))
		more := w.cpuPerCall() - (before.cpuPerCall()+after.cpuPerCall())/2
		viewers = append(viewers, w.viewer.Seconds()/w.machine())
		added = append(added, (w.viewer.Seconds()+more*float64(w.calls))/w.machine())
	}
	for _, w := range bare {
		rates = append(rates, w.rate())
	}
	slices.Sort(rates)
	return comparison{quantile(rates, 0.5), typicalOf(ratios), typicalOf(viewers), typicalOf(added), len(watched)}
}

// typical is what values are.
type typical struct {
	median    float64
	err       float64 // how far that is likely to be from the truth, at most, 19 times of 20
	low, high float64 // quartiles
}

func typicalOf(values []float64) typical {
	slices.Sort(values)
	t := typical{median: quantile(values, 0.5), low: quantile(values, 0.25), high: quantile(values, 0.75)}
	// Of values with a normal distribution, the quartiles are 1.35 standard deviations apart, and the error of the
	// median is 1.25 times that of the mean.
	t.err = 1.96 * 1.25 * (t.high - t.low) / 1.35 / math.Sqrt(float64(len(values)))
	return t
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
