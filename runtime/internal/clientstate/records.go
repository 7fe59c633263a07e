package clientstate

import (
	"context"
	"log/slog"
)

// record is one of the event log.
type record struct {
	level   slog.Level
	message string
	attrs   []slog.Attr
}

// record has unlock write a record. The caller holds mu.
func (m *Monitor) record(level slog.Level, message string, attrs ...slog.Attr) {
	if m.conf.Log != nil {
		m.records = append(m.records, record{level, message, attrs})
	}
}

// unlock unlocks mu and writes the records that were made, unless another goroutine is doing that: then
// that one writes them. So they are in the order of what they tell, and a logger may use the client.
func (m *Monitor) unlock() {
	for !m.writing && len(m.records) > 0 {
		m.writing = true
		records := m.records
		m.records = nil
		m.mu.Unlock()
		for _, r := range records {
			m.conf.Log.LogAttrs(context.Background(), r.level, r.message, r.attrs...)
		}
		m.mu.Lock()
		m.writing = false
	}
	m.mu.Unlock()
}
