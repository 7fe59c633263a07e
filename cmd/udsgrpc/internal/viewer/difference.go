package viewer

import (
	"cmp"
	"math"
	"slices"
	"time"

	"google.golang.org/grpc/codes"

	inspectv1 "github.com/udsgrpc/udsgrpc/proto/udsgrpc/inspect/v1"
)

// Difference is what has happened between two snapshots.
type Difference struct {
	Now     *inspectv1.SnapshotsResponse
	First   bool    // there is no snapshot before it
	Seconds float64 // between them
	Methods []Method
	Clients []Client
	Calls   *inspectv1.ByTransport // that began
	Refused uint64
}

// Method is a method and its calls in the time.
type Method struct {
	Name     string
	Ended    uint64
	Failed   uint64
	Codes    map[codes.Code]uint64 // of those that have failed
	P50, P99 time.Duration         // 0 if none has ended
	InFlight uint64                // now
	Total    uint64                // that have ended since the counting began
}

// Client is a process and its calls in the time.
type Client struct {
	Caller   *inspectv1.Caller
	Ended    uint64
	Failed   uint64
	InFlight uint64 // now
	Total    uint64
}

// Between returns the difference of two snapshots of one counting. Where then is nil, it is what was counted
// before now.
func Between(then, now *inspectv1.SnapshotsResponse) *Difference {
	d := &Difference{Now: now}
	if d.First = then == nil; d.First {
		then = &inspectv1.SnapshotsResponse{Time: now.GetSince(), Totals: now.GetTotals()}
	}
	d.Seconds = max(now.GetTime().AsTime().Sub(then.GetTime().AsTime()).Seconds(), 0)
	earlier := map[string]*inspectv1.Method{}
	for _, m := range then.GetMethods() {
		earlier[m.GetName()] = m
	}
	for _, m := range now.GetMethods() {
		d.Methods = append(d.Methods, methodBetween(earlier[m.GetName()], m))
	}
	clients := map[caller]*inspectv1.Client{}
	for _, c := range then.GetClients() {
		clients[callerOf(c)] = c
	}
	for _, c := range now.GetClients() {
		before := clients[callerOf(c)]
		d.Clients = append(d.Clients, Client{
			Caller:   c.GetCaller(),
			Ended:    less(c.GetEnded(), before.GetEnded()),
			Failed:   less(c.GetFailed(), before.GetFailed()),
			InFlight: c.GetStarted() - min(c.GetEnded(), c.GetStarted()),
			Total:    c.GetEnded(),
		})
	}
	calls, before := now.GetTotals().GetCalls(), then.GetTotals().GetCalls()
	d.Calls = &inspectv1.ByTransport{
		Direct: less(calls.GetDirect(), before.GetDirect()),
		Http2:  less(calls.GetHttp2(), before.GetHttp2()),
		Ring:   less(calls.GetRing(), before.GetRing()),
	}
	d.Refused = less(now.GetTotals().GetRefused(), then.GetTotals().GetRefused())
	return d
}

// less is a-b, or a if that began anew.
func less(a, b uint64) uint64 {
	if b > a {
		return a
	}
	return a - b
}

type caller struct{ uid, pid int64 }

func callerOf(c *inspectv1.Client) caller {
	who := caller{-1, c.GetCaller().GetPid()}
	if c.GetCaller().Uid != nil {
		who.uid = int64(c.GetCaller().GetUid())
	}
	return who
}

func methodBetween(then, now *inspectv1.Method) Method {
	m := Method{Name: now.GetName(), Codes: map[codes.Code]uint64{}}
	for code, n := range now.GetCodes() {
		m.Total += n
		n = less(n, then.GetCodes()[code])
		m.Ended += n
		if code := codes.Code(code); code != codes.OK && n > 0 {
			m.Codes[code] = n
			m.Failed += n
		}
	}
	m.InFlight = now.GetStarted() - min(m.Total, now.GetStarted())
	took := histogramBetween(then.GetLatency(), now.GetLatency())
	m.P50, m.P99 = quantile(took, 0.5), quantile(took, 0.99)
	return m
}

// histogramBetween returns what was added to a histogram.
func histogramBetween(then, now *inspectv1.Histogram) []*inspectv1.Bucket {
	before := map[uint64]uint64{}
	for _, b := range then.GetBuckets() {
		before[b.GetUpTo()] = b.GetCount()
	}
	var added []*inspectv1.Bucket
	for _, b := range now.GetBuckets() {
		if n := less(b.GetCount(), before[b.GetUpTo()]); n > 0 {
			added = append(added, &inspectv1.Bucket{UpTo: b.GetUpTo(), Count: n})
		}
	}
	slices.SortFunc(added, func(a, b *inspectv1.Bucket) int { return cmp.Compare(a.GetUpTo(), b.GetUpTo()) })
	return added
}

// quantile returns the value that a part of all values do not exceed, or 0 if there are none.
func quantile(buckets []*inspectv1.Bucket, part float64) time.Duration {
	all := uint64(0)
	for _, b := range buckets {
		all += b.GetCount()
	}
	wanted := max(uint64(math.Ceil(float64(all)*part)), 1)
	seen := uint64(0)
	for _, b := range buckets {
		if seen += b.GetCount(); seen >= wanted {
			return time.Duration(min(b.GetUpTo(), 1<<62))
		}
	}
	return 0
}
