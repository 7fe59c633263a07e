package direct

import (
	"github.com/udsgrpc/udsgrpc/runtime/internal/direct/wire"
	"github.com/udsgrpc/udsgrpc/runtime/internal/filewalk"
)

// What an outbox does with open files. They belong to the first byte of a piece, and the kernel takes them
// with the write that begins there. So the piece begins after the message with files before it, and at the
// latest with the frame that announces them. They are kept as long as the piece is.

// appendFiles queues the frame that announces the open files of the message that follows, at the beginning of
// a piece or, if nothing but joins bytes was queued before, behind them.
func (o *outbox) appendFiles(files *filewalk.Files, joins int) {
	n := wire.FilesFrameLen(len(files.IDs()))
	if !o.joinable(joins) && len(o.pieces) > 0 {
		o.pieces = append(o.pieces, piece{b: (*o.pool.Get(max(chunkSize, n)))[:0]})
	}
	b := o.chunk(n)
	*b = wire.AppendFilesFrame(*b, files.IDs())
	o.queued += n
	o.pieces[len(o.pieces)-1].files = files
	o.queuedFiles += len(files.IDs())
}

// joinable reports whether files can go with the first byte of the last piece: nothing of it is written, and
// there is nothing in it but the joins bytes.
func (o *outbox) joinable(joins int) bool {
	last := len(o.pieces) - 1
	if o.writing || last < 0 || last != o.next || o.offset > 0 {
		return false
	}
	p := &o.pieces[last]
	return p.held == nil && p.files == nil && (len(p.b) == 0 || len(p.b) == joins) && len(p.b)+wire.FilesFrameLen(wire.MaxFiles) <= max(chunkSize, cap(p.b))
}

func (p *piece) hasFilesToPass() bool { return p.files != nil && !p.passed }

// head returns the piece with the next byte that the kernel has not accepted; nil if it has accepted all.
func (o *outbox) head() *piece {
	offset := o.offset
	for i := o.next; i < len(o.pieces); i++ {
		if p := &o.pieces[i]; offset < len(p.b) {
			return p
		}
		offset = 0
	}
	return nil
}

// filesToPass returns the files that go with the next write; nil for none.
func (o *outbox) filesToPass() *filewalk.Files {
	if p := o.head(); p != nil && p.hasFilesToPass() {
		return p.files
	}
	return nil
}

// passedFiles is called when the kernel has accepted the next byte, before that is counted.
func (o *outbox) passedFiles() {
	if p := o.head(); p != nil && p.hasFilesToPass() {
		p.passed = true
		o.queuedFiles -= len(p.files.IDs())
		if o.waiting.Load() > 0 {
			o.mu.broadcast()
		}
	}
}

// passAgain makes that kept files go again, with what is sent again. The caller holds mu.
func (o *outbox) passAgain() {
	for i := range o.pieces {
		o.pieces[i].passed = false
	}
	o.countFiles()
}

// countFiles sets queuedFiles anew. The caller holds mu.
func (o *outbox) countFiles() {
	o.queuedFiles = 0
	for i := range o.pieces {
		if p := &o.pieces[i]; p.hasFilesToPass() {
			o.queuedFiles += len(p.files.IDs())
		}
	}
}

// forgetFiles closes files that have gone and will not be sent again. The caller holds mu.
func (o *outbox) forgetFiles() {
	for i := range o.pieces {
		if p := &o.pieces[i]; p.passed {
			p.files.Done()
			p.files, p.passed = nil, false
		}
	}
}

// hasFiles reports whether open files are to be sent. The caller holds mu.
func (o *outbox) hasFiles() bool {
	for i := range o.pieces {
		if o.pieces[i].hasFilesToPass() {
			return true
		}
	}
	return false
}

// keptFiles returns how many open files are kept, and of how many messages, whether or not they have gone. The
// caller holds mu.
func (o *outbox) keptFiles() (files, messages int) {
	for i := range o.pieces {
		if o.pieces[i].files != nil {
			files += len(o.pieces[i].files.IDs())
			messages++
		}
	}
	return files, messages
}

// refuse drops a message whose open files the kernel does not pass on, and what was queued after it. The
// caller holds mu.
func (o *outbox) refuse(err error) {
	o.refusal, o.cut = err, o.life == outboxSealed
	offset := o.offset
	for i := o.next; i < len(o.pieces); i++ {
		if offset >= len(o.pieces[i].b) {
			offset = 0
			continue
		}
		for j := i; j < len(o.pieces); j++ {
			o.free(&o.pieces[j])
		}
		o.pieces = o.pieces[:i]
		break
	}
	o.queued = 0
	o.countFiles()
	o.chargeBudget()
}
