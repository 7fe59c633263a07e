// Package descriptors is about file descriptors as such: how many the process may have, and how one becomes
// a connection. It has no state, and its functions may be called concurrently.
package descriptors
