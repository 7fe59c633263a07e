//go:build !linux

package socket

// hindrance returns what keeps a server from answering. Other systems do not tell.
func hindrance(Peer) string { return "" }
