package inspect

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

func TestBucketsKnowAValueToAnEighth(t *testing.T) {
	t.Parallel()
	values := []uint64{0, 1, 7, 8, 15, 16, 17, 31, 32, math.MaxInt64, math.MaxUint64}
	for shift := range 64 {
		values = append(values, rand.Uint64()>>shift)
	}
	for _, v := range values {
		b := bucketOf(v)
		if b < 0 || b >= buckets {
			t.Fatalf("%d is in bucket %d of %d", v, b, buckets)
		}
		if top := upTo(b); v > top || float64(v) <= float64(top)*7/8 && v != 0 {
			t.Errorf("%d is in a bucket of values up to %d", v, top)
		}
		if b > 0 && upTo(b-1) >= v {
			t.Errorf("%d is in bucket %d, and the one before has values up to %d", v, b, upTo(b-1))
		}
	}
}

func TestHistogramTellsWhatWasAdded(t *testing.T) {
	t.Parallel()
	var h histogram
	for _, d := range []time.Duration{-1, 0, 5, 5, time.Millisecond} {
		h.add(d)
	}
	var told strings.Builder
	for _, b := range h.tell().GetBuckets() {
		fmt.Fprintf(&told, "%d:%d ", b.GetUpTo(), b.GetCount())
	}
	if want := fmt.Sprintf("0:2 5:2 %d:1 ", upTo(bucketOf(uint64(time.Millisecond)))); told.String() != want {
		t.Errorf("it tells %q, want %q", told.String(), want)
	}
}
