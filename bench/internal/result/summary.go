package result

import "slices"

const (
	// NoiseLimit is how far the middle half of the rounds may spread, as a part of the
	// median, before a number is too noisy to tell anything.
	NoiseLimit = 0.20

	// fewRounds cannot tell noise from the rest.
	fewRounds = 3
)

// Summary is what the rounds say together.
type Summary struct {
	Median, Min, Max float64

	// IQR is the distance between the quartiles.
	IQR    float64
	Rounds int
}

// Summarize returns the summary of one value a round; false if there are none.
func Summarize(rounds []float64) (Summary, bool) {
	if len(rounds) == 0 {
		return Summary{}, false
	}
	v := slices.Sorted(slices.Values(rounds))
	return Summary{
		Median: quantile(v, 0.5),
		Min:    v[0],
		Max:    v[len(v)-1],
		IQR:    quantile(v, 0.75) - quantile(v, 0.25),
		Rounds: len(v),
	}, true
}

// Noisy reports whether the rounds differ too much, or are too few, to trust the median.
func (s Summary) Noisy() bool {
	return s.Rounds < fewRounds || s.IQR > NoiseLimit*max(s.Median, -s.Median)
}

// quantile interpolates between the two values next to the place that q says.
func quantile(sorted []float64, q float64) float64 {
	place := q * float64(len(sorted)-1)
	i := int(place)
	if i+1 == len(sorted) {
		return sorted[i]
	}
	return sorted[i] + (place-float64(i))*(sorted[i+1]-sorted[i])
}
