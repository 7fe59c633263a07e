//go:build !linux

package socket

// hindrance says what keeps a server from answering: no other system tells.
func hindrance(Peer) string { return "" }
