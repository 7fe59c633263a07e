package inspect

import (
	"iter"
	"sync"
	"sync/atomic"
)

// table is a map with at most about maxEntries. Looking something up takes no lock. It is ready to use once make
// is set.
type table[K comparable, V any] struct {
	make    func(K) *V // returns the value for a new key
	entries sync.Map   // K to *V
	count   atomic.Int64
	others  V // for keys beyond the limit
}

// get returns the value for a key, a new one for a new key.
func (t *table[K, V]) get(key K) *V {
	if v, ok := t.entries.Load(key); ok {
		return v.(*V)
	}
	if t.count.Load() >= maxEntries {
		return &t.others
	}
	v, loaded := t.entries.LoadOrStore(key, t.make(key))
	if !loaded {
		t.count.Add(1)
	}
	return v.(*V)
}

func (t *table[K, V]) remove(key K) {
	if _, there := t.entries.LoadAndDelete(key); there {
		t.count.Add(-1)
	}
}

// all returns all but others.
func (t *table[K, V]) all() iter.Seq2[K, *V] {
	return func(yield func(K, *V) bool) {
		t.entries.Range(func(key, v any) bool { return yield(key.(K), v.(*V)) })
	}
}
