// Package filewatch tells of changes in a directory and, on Linux, of the moment when a process closes a
// file. A [Watch] has to be closed.
package filewatch
