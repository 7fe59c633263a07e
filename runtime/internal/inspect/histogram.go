package inspect

import (
	"math/bits"
	"sync/atomic"
	"time"

	inspectv1 "github.com/udsgrpc/udsgrpc/proto/udsgrpc/inspect/v1"
)

// A power of two is divided into eight buckets, so that each value is known to an eighth of it.
const (
	subBits    = 3
	subBuckets = 1 << subBits
	buckets    = (64 - subBits + 1) * subBuckets
)

// histogram counts durations. It is ready to use, also by several goroutines.
type histogram [buckets]atomic.Uint64

func (h *histogram) add(d time.Duration) { h[bucketOf(uint64(max(d, 0)))].Add(1) }

// bucketOf returns the bucket of a value. The first hold one value each.
func bucketOf(v uint64) int {
	shift := max(bits.Len64(v)-subBits-1, 0)
	return shift*subBuckets + int(v>>shift)
}

// upTo returns the largest value in a bucket.
func upTo(bucket int) uint64 {
	if bucket < 2*subBuckets {
		return uint64(bucket)
	}
	shift := bucket/subBuckets - 1
	return (uint64(bucket-shift*subBuckets)+1)<<shift - 1
}

// tell returns the buckets that are not empty.
func (h *histogram) tell() *inspectv1.Histogram {
	told := new(inspectv1.Histogram)
	for bucket := range h {
		if n := h[bucket].Load(); n > 0 {
			told.Buckets = append(told.Buckets, &inspectv1.Bucket{UpTo: upTo(bucket), Count: n})
		}
	}
	return told
}
