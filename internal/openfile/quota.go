package openfile

import "sync/atomic"

// A Quota bounds how many files somebody has here that nobody has taken: those of a call, say, within
// those of a user. The methods may be called concurrently.
type Quota struct {
	most   int64
	within *Quota // nil for none
	used   atomic.Int64
}

// NewQuota returns a quota of so many files. What it counts counts in the quota within which it is, too,
// unless that is nil.
func NewQuota(most int, within *Quota) *Quota { return &Quota{most: int64(most), within: within} }

// Used returns how many files count now.
func (q *Quota) Used() int { return int(q.used.Load()) }

// take counts n more files, or none if these are too many.
func (q *Quota) take(n int) bool {
	if q == nil {
		return true
	}
	for {
		used := q.used.Load()
		if used+int64(n) > q.most {
			return false
		}
		if q.used.CompareAndSwap(used, used+int64(n)) {
			break
		}
	}
	if !q.within.take(n) {
		q.used.Add(int64(-n))
		return false
	}
	return true
}

func (q *Quota) giveBack(n int) {
	for ; q != nil; q = q.within {
		q.used.Add(int64(-n))
	}
}
