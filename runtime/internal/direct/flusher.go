package direct

// flushAt is how many bytes of small messages in quick succession wait for the flusher.
const flushAt = 32 << 10

// startFlusher starts the goroutine that writes what is queued. It ends when everything is written and
// nothing was added meanwhile, or when the connection is closed. The caller holds mu.
func (o *outbox) startFlusher() {
	if o.flusher || !o.writable() {
		return
	}
	o.flusher = true
	go o.runFlusher()
}

func (o *outbox) runFlusher() {
	o.mu.Lock()
	defer o.mu.Unlock()
	for {
		o.added = false
		o.write(true)
		o.chargeBudget()
		if !o.added || !o.usable() {
			break
		}
	}
	o.flusher = false
}
