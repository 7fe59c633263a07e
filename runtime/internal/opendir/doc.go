// Package opendir works in a directory that is held open, so that the names in it cannot lead elsewhere
// meanwhile: it says whether the directory is safe for a socket, what a name is and whose, and how to reach
// it by a path that fits into a socket address.
package opendir
