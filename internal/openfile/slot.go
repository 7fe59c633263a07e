// Package openfile is what a message of type udsgrpc.v1.File holds: an open file, and who owns it.
//
// The generated struct embeds a [Slot], under a name that is not exported. That adds nothing to what
// programs see of the message: Slot exports neither fields nor methods, and Take and Close of the message
// call the functions of this package, as the runtime does. It also means that everything that copies a
// message, field by field or by its encoded form, leaves the slot of the copy empty.
//
// The states of a file, and what leads from one to the next, are all in holder.go.
package openfile

// A Slot is where a message keeps its open file. It is empty to begin with. Filling it is for whoever has
// just made or decoded the message and has not shown it to others; everything else may be done
// concurrently.
type Slot struct{ holder *Holder }

// slot makes the slot of a message reachable: the method is promoted to the struct that embeds Slot, where
// only this package can call it.
func (s *Slot) slot() *Slot { return s }

// In returns the slot of a message; nil if it has none. A nil pointer to a message is not allowed.
func In(message any) *Slot {
	m, ok := message.(interface{ slot() *Slot })
	if !ok {
		return nil
	}
	return m.slot()
}

// Put puts what h holds into the slot, in place of what was there.
func Put(s *Slot, h *Holder) { s.holder = h }

// Held returns what the slot holds; nil if it is empty.
func Held(s *Slot) *Holder { return s.holder }
