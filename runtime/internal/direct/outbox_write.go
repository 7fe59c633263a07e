package direct

// How an outbox writes what it holds: by the goroutine that sends, or by the flusher.

// send writes what is queued as far as the kernel accepts it at once. For small messages in quick
// succession it leaves that to the flusher: more may be queued before the flusher runs, so many small
// messages need one write. So it does when the kernel had no room the last time: trying again with every
// message costs more than the message. The caller holds mu, which is released while writing.
func (o *outbox) send(later bool) {
	if !later || o.queued >= flushAt && !o.full {
		o.write(false)
		o.chargeBudget()
		return
	}
	o.added = true
	o.startFlusher()
	if o.queued-o.charged >= chargeAt {
		o.chargeBudget()
	}
}

// write writes what is queued, unless another goroutine is writing. It writes what the kernel accepts at
// once and leaves the rest to the flusher, or, if wait is set, writes everything. The caller holds mu,
// which is released while writing.
func (o *outbox) write(wait bool) {
	if !o.writable() {
		return
	}
	o.writing = true
	var refusal error
	for o.queued > 0 && o.err == nil && o.conn != nil && o.life != outboxClosed {
		c := o.conn
		var whole bool
		c.pieces, whole = o.gather(c.pieces[:0])
		files := o.filesToPass()
		o.mu.Unlock()
		n, all, err := c.writeWith(files, wait, whole)
		clear(c.pieces)
		o.mu.Lock()
		o.took(n)
		o.chargeBudget()
		if refusal = refusalOf(files, n, err); refusal != nil {
			o.refuse(refusal)
			break
		}
		o.full = !all
		if err != nil {
			o.err = err
		} else if !all && !wait {
			break
		}
	}
	o.writing = false
	o.mu.broadcast()
	if refusal != nil && o.life != outboxClosed {
		o.mu.Unlock()
		o.owner.refused(refusal)
		o.mu.Lock()
	}
	if o.life != outboxClosed {
		o.startFlusher() // with what is left
		return
	}
	o.drop()
	o.mu.Unlock()
	o.owner.written()
	o.mu.Lock()
}

func (o *outbox) writable() bool { return !o.writing && o.queued > 0 && o.usable() }

// usable reports whether frames can be written as far as is known.
func (o *outbox) usable() bool { return o.err == nil && o.conn != nil && o.life != outboxClosed }

// gather returns what is to be written next, and whether it is all that is queued.
func (o *outbox) gather(to [][]byte) (pieces [][]byte, whole bool) {
	n, offset := 0, o.offset
	for i := o.next; i < len(o.pieces) && n < writeAtMost; i++ {
		if n > 0 && o.pieces[i].hasFilesToPass() {
			break // they go with the first byte of a write
		}
		b := o.pieces[i].b[offset:]
		offset = 0
		b = b[:min(len(b), writeAtMost-n)]
		if len(b) > 0 {
			to = append(to, b)
			n += len(b)
		}
	}
	return to, n == o.queued
}

// took records that the kernel has accepted the next n bytes.
func (o *outbox) took(n int) {
	if n == 0 {
		return
	}
	blocked := o.queued >= window
	o.passedFiles()
	o.queued -= n
	o.offset += n
	for o.next < len(o.pieces) && o.offset >= len(o.pieces[o.next].b) {
		if o.next == len(o.pieces)-1 && o.offset == len(o.pieces[o.next].b) && o.pieces[o.next].held == nil {
			break // more can be appended to it
		}
		o.offset -= len(o.pieces[o.next].b)
		o.next++
	}
	if !o.keeping {
		o.forget()
	}
	o.owner.taken()
	if blocked && o.queued < window || o.queued == 0 {
		o.mu.broadcast()
	}
}

// flush waits until everything queued is written, or cannot be written. The caller holds mu, which is
// released while waiting.
func (o *outbox) flush() error {
	for o.queued > 0 && o.err == nil || o.writing {
		if o.writing {
			o.mu.wait()
		} else {
			o.write(true)
		}
	}
	o.chargeBudget()
	return o.err
}
